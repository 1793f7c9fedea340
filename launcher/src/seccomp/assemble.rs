//! Assembles classic BPF, as far as a seccomp filter needs it (linux/filter.h, linux/bpf_common.h).
//!
//! In classic BPF every jump is forward. So a program is put together from its end: the target of a
//! jump exists already, and several jumps can share one.

use super::{ALLOW, Abi, Checks, Condition, Operator, Span};

/// struct sock_filter.
#[derive(Clone, Copy)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    value: u32,
}

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS: a word of struct seccomp_data
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const OR: u16 = 0x44; // BPF_ALU | BPF_OR | BPF_K
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
pub const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_ABOVE: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
pub const IF_ANY: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const ANSWER: u16 = 0x06; // BPF_RET | BPF_K

/// Offsets in struct seccomp_data.
pub const NUMBER: u32 = 0;
pub const ARCH: u32 = 4;
pub const ARGUMENTS: u32 = 16;

/// A place in a program, counted from its end.
pub type Place = usize;

/// A program, or the end of one.
pub struct Program {
    /// Backwards.
    code: Vec<Instruction>,
    answers: Vec<(u32, Place)>,
}

impl Program {
    /// An empty one.
    pub fn new() -> Program {
        // In one piece from the start: to copy it as it grows would cost more than to fill it.
        Program { code: Vec::with_capacity(256), answers: Vec::with_capacity(8) }
    }

    /// A program that ends with another filter (which is not empty), or with an answer that allows
    /// all; and where that end begins.
    pub fn before(filter: Option<&[u8]>) -> (Program, Place) {
        let mut program = Program::new();
        let Some(bytes) = filter else {
            let rest = program.answer(ALLOW);
            return (program, rest);
        };
        program.code.extend(bytes.rchunks_exact(8).map(from_bytes));
        let begin = program.code.len() - 1;
        (program, begin)
    }

    fn push(&mut self, code: u16, value: u32, if_true: u8, if_false: u8) -> Place {
        self.code.push(Instruction { code, if_true, if_false, value });
        self.code.len() - 1
    }

    /// How many instructions are between the next one and a place.
    fn distance(&self, to: Place) -> usize {
        self.code.len() - 1 - to
    }

    /// Whether a conditional jump, which reaches 255 instructions far, gets there; with room for
    /// the two plain jumps that may stand between.
    fn is_near(&self, to: Place) -> bool {
        self.distance(to) < 250
    }

    /// Adds a plain jump, which reaches everywhere.
    fn pass_on(&mut self, to: Place) -> Place {
        let distance = self.distance(to) as u32;
        self.push(JUMP, distance, 0, 0)
    }

    /// Adds a conditional jump to either of two places.
    pub fn branch(&mut self, code: u16, value: u32, yes: Place, no: Place) -> Place {
        let no = if self.is_near(no) { no } else { self.pass_on(no) };
        let yes = if self.is_near(yes) { yes } else { self.pass_on(yes) };
        let (if_true, if_false) = (self.distance(yes) as u8, self.distance(no) as u8);
        self.push(code, value, if_true, if_false)
    }

    /// Loads a word of struct seccomp_data, masked, and goes on at `next`.
    pub fn load(&mut self, offset: u32, mask: u32, next: Place) -> Place {
        if self.distance(next) > 0 {
            self.pass_on(next);
        }
        if mask != u32::MAX {
            self.push(AND, mask, 0, 0);
        }
        self.push(LOAD, offset, 0, 0)
    }

    /// An instruction that changes nothing.
    fn nothing(&mut self) -> Place {
        self.push(OR, 0, 0, 0)
    }

    /// The place of a return with this action: an existing one that is near, or a new one.
    pub fn answer(&mut self, action: u32) -> Place {
        let known = self.answers.iter().rev().find(|(known, _)| *known == action);
        match known {
            Some((_, place)) if self.is_near(*place) => *place,
            _ => {
                let place = self.push(ANSWER, action, 0, 0);
                self.answers.push((action, place));
                place
            }
        }
    }

    /// The program as the kernel takes it.
    pub fn into_bytes(self) -> Vec<u8> {
        self.code.into_iter().rev().flat_map(to_bytes).collect()
    }
}

fn to_bytes(instruction: Instruction) -> [u8; 8] {
    let [a, b] = instruction.code.to_ne_bytes();
    let [e, f, g, h] = instruction.value.to_ne_bytes();
    [a, b, instruction.if_true, instruction.if_false, e, f, g, h]
}

fn from_bytes(bytes: &[u8]) -> Instruction {
    let at = |index| bytes.get(index).copied().unwrap_or(0);
    Instruction {
        code: u16::from_ne_bytes([at(0), at(1)]),
        if_true: at(2),
        if_false: at(3),
        value: u32::from_ne_bytes([at(4), at(5), at(6), at(7)]),
    }
}

/// The filter for these architectures, as the kernel takes it. `checks` gives the checks of each
/// kind; spans are sorted, and the first begins at 0.
pub fn filter(abis: &[(&Abi, Vec<Span>)], checks: &dyn Fn(u32) -> Checks) -> Vec<u8> {
    let mut search = Search { program: Program::new(), checks, known: Vec::with_capacity(16) };
    // A program for another architecture, which would have other numbers.
    let mut begin = search.program.answer(super::KILL_PROCESS);
    for (index, (Abi { audit, .. }, spans)) in abis.iter().enumerate().rev() {
        let last = spans.last().map_or(0, |(first, _)| *first);
        let found = search.among(spans, last);
        let mut number = search.program.load(NUMBER, u32::MAX, found);
        if index > 0 {
            // For each number of its first two architectures the kernel emulates the filter to
            // cache which are always allowed (kernel/seccomp.c, seccomp_cache_prepare): a third of
            // the time that installing takes. The emulation stops at an instruction that it does
            // not know, so there is one for all but the machine's own architecture.
            number = search.program.nothing();
        }
        begin = search.program.branch(IF_EQUAL, *audit, number, begin);
    }
    search.program.load(ARCH, u32::MAX, begin);
    search.program.into_bytes()
}

struct Search<'a> {
    program: Program,
    checks: &'a dyn Fn(u32) -> Checks,
    /// The kinds whose checks are in the program already, and where.
    known: Vec<(u32, Place)>,
}

impl Search<'_> {
    /// A binary search for the span of the loaded number; `end` is the first number behind them. It
    /// halves the numbers and not the spans: the kernel emulates the filter for every number, so a
    /// wide span has to be found soon.
    fn among(&mut self, spans: &[Span], end: u32) -> Place {
        let Some(&(begin, around)) = spans.first() else {
            return self.program.answer(super::KILL_PROCESS);
        };
        if are_alike(spans) {
            let mut found = self.answer(around);
            for pair in spans[1..].chunks_exact(2).rev() {
                let other = self.answer(pair[0].1);
                found = self.program.branch(IF_EQUAL, pair[0].0, other, found);
            }
            return found;
        }
        let middle = begin + (end - begin) / 2;
        let distance = |at: &usize| spans[*at].0.abs_diff(middle);
        let at = (1..spans.len()).min_by_key(distance).unwrap_or(1);
        let (below, from) = spans.split_at(at);
        let first = from[0].0;
        let yes = self.among(from, end);
        let no = self.among(below, first);
        self.program.branch(IF_AT_LEAST, first, yes, no)
    }

    /// The place where the checks of a kind begin.
    fn answer(&mut self, kind: u32) -> Place {
        let known = self.known.iter().rev().find(|(known, _)| *known == kind);
        match known {
            Some((_, place)) if self.program.is_near(*place) => *place,
            _ => {
                let place = examine(&mut self.program, &(self.checks)(kind));
                self.known.push((kind, place));
                place
            }
        }
    }
}

/// Whether all spans have the same kind except for a few single numbers: each of these then takes
/// one comparison, where the search takes two.
fn are_alike(spans: &[Span]) -> bool {
    const FEW: usize = 3;
    let is_one = |pair: &[Span]| pair[1].0 == pair[0].0 + 1 && pair[1].1 == spans[0].1;
    spans.len() % 2 == 1 && spans.len() <= 1 + 2 * FEW && spans[1..].chunks_exact(2).all(is_one)
}

/// Adds the checks: the action of the first rule whose conditions all hold.
fn examine(program: &mut Program, checks: &Checks) -> Place {
    let mut begin = program.answer(checks.otherwise);
    for (conditions, action) in checks.rules.iter().rev() {
        let otherwise = begin;
        begin = program.answer(*action);
        for condition in conditions.iter().rev() {
            begin = test(program, condition, begin, otherwise);
        }
    }
    begin
}

/// Adds a condition. An argument has 64 bits, of which the upper half is compared first.
fn test(program: &mut Program, condition: &Condition, holds: Place, fails: Place) -> Place {
    let Condition { index, operator, mask, value } = *condition;
    let low = ARGUMENTS + 8 * index;
    let upper = |number: u64| (number >> 32) as u32;
    let (compare, yes, no) = match operator {
        Operator::Equal => (IF_EQUAL, holds, fails),
        Operator::NotEqual => (IF_EQUAL, fails, holds),
        Operator::Above => (IF_ABOVE, holds, fails),
        Operator::AtMost => (IF_ABOVE, fails, holds),
        Operator::AtLeast => (IF_AT_LEAST, holds, fails),
        Operator::Below => (IF_AT_LEAST, fails, holds),
    };
    let lower = program.branch(compare, value as u32, yes, no);
    let lower = program.load(low, mask as u32, lower);
    if upper(mask) == 0 {
        return lower;
    }
    // If the upper halves differ, they decide.
    let mut decided = program.branch(IF_EQUAL, upper(value), lower, no);
    if compare != IF_EQUAL {
        decided = program.branch(IF_ABOVE, upper(value), yes, decided);
    }
    program.load(low + 4, upper(mask), decided)
}

#[cfg(target_endian = "big")]
compile_error!("the lower half of an argument comes second here");
