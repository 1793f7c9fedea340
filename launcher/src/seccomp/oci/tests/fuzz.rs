//! Profiles that nobody has written by hand: their filters answer as the rules say, read one after
//! the other; and what is broken somewhere is refused or is a filter that the kernel takes.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::super::super::tests::ask;
use super::*;

/// xorshift64: the same profiles each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

/// A rule as it is meant.
struct Meant {
    calls: Vec<Sysno>,
    /// Index, operator, value, second value.
    conditions: Vec<(usize, &'static str, u64, u64)>,
    action: u32,
}

const VALUES: [u64; 8] = [0, 1, 5, 0xffff_ffff, 1 << 32, 1 << 32 | 5, u64::MAX - 1, u64::MAX];
const OPERATORS: [&str; 7] = ["EQ", "NE", "GT", "GE", "LT", "LE", "MASKED_EQ"];

fn holds(operator: &str, value: u64, second: u64, found: u64) -> bool {
    match operator {
        "EQ" => found == value,
        "NE" => found != value,
        "GT" => found > value,
        "GE" => found >= value,
        "LT" => found < value,
        "LE" => found <= value,
        _ => found & value == second & value,
    }
}

impl Meant {
    fn random(dice: &mut Dice, calls: &[Sysno]) -> Meant {
        let condition = |dice: &mut Dice| {
            let values = (dice.pick(&VALUES), dice.pick(&VALUES));
            (dice.roll(6), dice.pick(&OPERATORS), values.0, values.1)
        };
        Meant {
            calls: (0..1 + dice.roll(4)).map(|_| dice.pick(calls)).collect(),
            conditions: (0..dice.roll(4)).map(|_| condition(dice)).collect(),
            action: ERRNO | (1 + dice.roll(4000) as u32),
        }
    }

    fn write(&self, text: &mut String) {
        let names = self.calls.iter().map(|call| format!("{:?}", call.name()));
        let conditions = self.conditions.iter().map(|(index, operator, value, second)| {
            format!(
                r#"{{"index": {index}, "value": {value}, "valueTwo": {second},
                "op": "SCMP_CMP_{operator}"}}"#
            )
        });
        let (names, args) = (names.collect::<Vec<_>>(), conditions.collect::<Vec<_>>());
        write!(
            text,
            r#"{{"names": [{}], "action": "SCMP_ACT_ERRNO", "errnoRet": {}, "args": [{}]}},"#,
            names.join(","),
            self.action & 0xffff,
            args.join(",")
        )
        .unwrap();
    }
}

/// What libseccomp says, and runc of one argument named twice; see the parent.
fn expected(rules: &[Meant], call: Sysno, arguments: &[u64]) -> u32 {
    let of_call = || rules.iter().filter(|rule| rule.calls.contains(&call));
    if let Some(always) = of_call().find(|rule| rule.conditions.is_empty()) {
        return always.action;
    }
    let fits = |rule: &&Meant| {
        let mut held = rule.conditions.iter().map(|&(index, operator, value, second)| {
            holds(operator, value, second, arguments[index])
        });
        let indices = rule.conditions.iter().map(|condition| condition.0);
        let is_one_twice = indices.clone().collect::<BTreeSet<_>>().len() < indices.len();
        if is_one_twice { held.any(|held| held) } else { held.all(|held| held) }
    };
    of_call().find(fits).map_or(ALLOW, |rule| rule.action)
}

fn profile(rules: &[Meant]) -> String {
    let mut text = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": ["#.to_owned();
    rules.iter().for_each(|rule| rule.write(&mut text));
    text.truncate(text.trim_end_matches(',').len());
    text + "]}"
}

/// Short filters, and such as no conditional jump reaches across.
#[test]
fn filters_answer_as_the_rules_say() {
    let calls = Sysno::iter().collect::<Vec<_>>();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for count in [1, 3, 10, 40, 120] {
        let rules = (0..count).map(|_| Meant::random(&mut dice, &calls)).collect::<Vec<_>>();
        let filter = translate(profile(&rules).as_bytes(), 0).unwrap();
        assert!(well_formed(&filter), "{count} rules");
        for call in &calls {
            for _ in 0..6 {
                let arguments = [(); 6].map(|()| dice.pick(&VALUES));
                let found = ask(&filter, ABIS[0].audit, call.id() as u32, &arguments).0;
                assert_eq!(found, expected(&rules, *call, &arguments), "{call} {arguments:x?}");
            }
        }
    }
}

/// What the kernel looks at (net/core/filter.c, bpf_check_classic).
fn well_formed(filter: &[u8]) -> bool {
    let length = filter.len() / 8;
    let is_in = |at: usize, by: usize| at + 1 + by < length;
    let fits = |(at, instruction): (usize, &[u8])| {
        let value = u32::from_ne_bytes(instruction[4..].try_into().unwrap()) as usize;
        match instruction[0] {
            0x05 => is_in(at, value),
            0x15 | 0x25 | 0x35 | 0x45 => {
                is_in(at, instruction[2].into()) && is_in(at, instruction[3].into())
            }
            0x20 => value.is_multiple_of(4) && value < 64 && is_in(at, 0),
            0x54 => is_in(at, 0),
            code => code == 0x06,
        }
    };
    filter.len().is_multiple_of(8) && filter.chunks(8).enumerate().all(fits)
}

#[test]
fn what_is_broken_does_no_harm() {
    let calls = Sysno::iter().collect::<Vec<_>>();
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let rules = (0..6).map(|_| Meant::random(&mut dice, &calls)).collect::<Vec<_>>();
    let whole = profile(&rules).into_bytes();
    const PARTS: [&str; 12] =
        ["{", "}", "[", "]", "\"", ",", ":", "\\u", "null", "-1", "99999999999999999999", "\0"];
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..4000 {
        let mut text = whole.clone();
        for _ in 0..1 + dice.roll(3) {
            let at = dice.roll(text.len());
            match dice.roll(3) {
                0 => text[at] = dice.roll(256) as u8,
                1 => text.truncate(at + 1),
                _ => drop(text.splice(at..at, dice.pick(&PARTS).bytes())),
            }
        }
        match translate(&text, 0) {
            Ok(filter) => {
                assert!(well_formed(&filter), "{}", String::from_utf8_lossy(&text));
                taken += 1;
            }
            Err(why) => {
                assert!(!why.is_empty());
                refused += 1;
            }
        }
    }
    assert!(taken > 10 && refused > 1000, "{taken} taken, {refused} refused");
}
