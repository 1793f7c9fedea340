//! Classic BPF, as far as a seccomp filter needs it (linux/filter.h, linux/bpf_common.h).

use super::{Abi, Checks, Condition, Operator};

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
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_ABOVE: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const ANSWER: u16 = 0x06; // BPF_RET | BPF_K

const fn plain(code: u16, value: u32) -> Instruction {
    Instruction { code, if_true: 0, if_false: 0, value }
}

const fn branch(code: u16, value: u32, if_true: u8, if_false: u8) -> Instruction {
    Instruction { code, if_true, if_false, value }
}

/// The filter that asks these architectures' checks, as the kernel takes it. The first number of
/// each span stands with what `checks` tells the checks of; spans are sorted, and the first begins
/// at 0.
pub fn program<T>(abis: &[(&Abi, Vec<(u32, T)>)], checks: impl Fn(&T) -> Checks) -> Vec<u8> {
    const NUMBER: u32 = 0;
    const ARCH: u32 = 4;
    // In one piece from the start: to copy it as it grows would cost more than to fill it.
    let mut program = Vec::with_capacity(512);
    program.push(plain(LOAD, ARCH));
    for (Abi { audit, .. }, spans) in abis {
        // A conditional jump reaches 255 far, a plain one everywhere.
        program.push(branch(IF_EQUAL, *audit, 1, 0));
        let over = program.len();
        program.push(plain(JUMP, 0));
        program.push(plain(LOAD, NUMBER));
        search(spans, &checks, &mut program);
        program[over].value = (program.len() - over - 1) as u32;
    }
    // A program for another architecture, which would have other numbers.
    program.push(plain(ANSWER, super::KILL_PROCESS));
    program.into_iter().flat_map(to_bytes).collect()
}

fn to_bytes(instruction: Instruction) -> [u8; 8] {
    let [a, b] = instruction.code.to_ne_bytes();
    let [e, f, g, h] = instruction.value.to_ne_bytes();
    [a, b, instruction.if_true, instruction.if_false, e, f, g, h]
}

/// Finds the span that the loaded number lies in, by halving.
fn search<T>(spans: &[(u32, T)], checks: &impl Fn(&T) -> Checks, code: &mut Vec<Instruction>) {
    let (below, from) = spans.split_at(spans.len() / 2);
    let [(first, kind), ..] = from else { return };
    if below.is_empty() {
        return answer(&checks(kind), code);
    }
    let over = code.len();
    code.push(branch(IF_AT_LEAST, *first, 0, 0));
    search(below, checks, code);
    let length = code.len() - over - 1;
    match u8::try_from(length) {
        Ok(count) => code[over].if_true = count,
        Err(_) => {
            code[over].if_false = 1;
            code.insert(over + 1, plain(JUMP, length as u32));
        }
    }
    search(from, checks, code);
}

/// The answer of the first rule whose conditions all hold.
fn answer(checks: &Checks, code: &mut Vec<Instruction>) {
    for (conditions, action) in &checks.rules {
        let mut rule = vec![plain(ANSWER, *action)];
        for condition in conditions.iter().rev() {
            // Where it does not hold, the rest of the rule is left out.
            let mut tested = test(condition, rule.len() as u8);
            tested.append(&mut rule);
            rule = tested;
        }
        code.append(&mut rule);
    }
    code.push(plain(ANSWER, checks.otherwise));
}

/// Goes on behind it if the condition holds, and `fail` instructions further if not. An argument
/// has 64 bits, which are looked at by halves, the upper one first.
fn test(condition: &Condition, fail: u8) -> Vec<Instruction> {
    const ARGUMENTS: u32 = 16;
    let Condition { index, operator, mask, value } = *condition;
    let low = ARGUMENTS + 8 * index;
    let load = |offset, mask: u32| {
        let masked = (mask != u32::MAX).then_some(plain(AND, mask));
        [plain(LOAD, offset)].into_iter().chain(masked)
    };
    let upper = |number: u64| (number >> 32) as u32;
    let mut lower_part = load(low, mask as u32).collect::<Vec<_>>();
    let mut code = Vec::new();
    let (compare, holds_if) = match operator {
        Operator::Equal => (IF_EQUAL, true),
        Operator::NotEqual => (IF_EQUAL, false),
        Operator::Above => (IF_ABOVE, true),
        Operator::AtMost => (IF_ABOVE, false),
        Operator::AtLeast => (IF_AT_LEAST, true),
        Operator::Below => (IF_AT_LEAST, false),
    };
    let (yes, no) = if holds_if { (0, fail) } else { (fail, 0) };
    lower_part.push(branch(compare, value as u32, yes, no));
    if upper(mask) != 0 {
        // Decided by the upper half alone: past the lower part, and from there where it leads.
        let skip = lower_part.len() as u8;
        code.extend(load(low + 4, upper(mask)));
        if compare != IF_EQUAL {
            code.push(branch(IF_ABOVE, upper(value), yes + skip + 1, 0));
        }
        code.push(branch(IF_EQUAL, upper(value), 0, no + skip));
    }
    code.append(&mut lower_part);
    code
}

#[cfg(target_endian = "big")]
compile_error!("the lower half of an argument comes second here");
