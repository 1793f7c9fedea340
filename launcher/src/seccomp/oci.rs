//! A profile in the format of the OCI runtimes (runtime-spec, config-linux.md, `seccomp`) and of
//! `seccomp.json` of containers and Docker, which adds conditions on capabilities and architectures.
//!
//! Where libseccomp decides, it is followed: names that nobody knows are left out, and so are rules
//! that say what is said of every call; a rule without conditions wins over those with some, and
//! of several the first.

use super::{
    ABIS, ALLOW, Abi, CALLS, Checks, Condition, ENOSYS, ERRNO, KILL_PROCESS, OWN_ARCH, Operator,
    assemble, merge,
};
use crate::json::Value;
use crate::spec::capability::by_name;

/// The filter of a profile for these capabilities, or what is wrong with it.
pub fn filter(text: &[u8], capabilities: u64) -> Result<Vec<u8>, String> {
    let profile = Value::parse(text).map_err(|at| format!("no JSON at byte {at}"))?;
    let default = action(&profile, "defaultAction", "defaultErrnoRet")?;
    let entries = profile.field("syscalls").and_then(Value::as_list).unwrap_or(&[]);
    let mut rules = Vec::new();
    for entry in entries {
        if applies(entry, capabilities) {
            let action = action(entry, "action", "errnoRet")?;
            let conditions = list(entry, "args").iter().map(condition).collect::<Option<Vec<_>>>();
            let conditions = conditions.ok_or("an entry of args is not understood")?;
            // A name of its own is how it was written before there was a list.
            let names = list(entry, "names").iter().chain(entry.field("name"));
            for name in names.filter_map(Value::as_text).filter(|_| action != default) {
                rules.push((name, conditions.clone(), action));
            }
        }
    }
    let mut abis = Vec::new();
    for (index, abi) in ABIS.iter().enumerate() {
        if index == 0 || is_asked_for(abi, &profile) {
            abis.push((abi, merge(spans(index, &rules, default), Checks::always(ENOSYS))));
        }
    }
    Ok(assemble::program(&abis, Checks::clone))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.field(name).and_then(Value::as_list).unwrap_or(&[])
}

fn has_text(list: &[Value], text: &str) -> bool {
    list.iter().any(|item| item.as_text() == Some(text))
}

/// An architecture beside our own: in `architectures`, or below our own in `archMap`.
fn is_asked_for(abi: &Abi, profile: &Value) -> bool {
    let is_own =
        |entry: &&Value| entry.field("architecture").and_then(Value::as_text) == Some(ABIS[0].name);
    let own = list(profile, "archMap").iter().find(is_own);
    has_text(list(profile, "architectures"), abi.name)
        || own.is_some_and(|entry| has_text(list(entry, "subArchitectures"), abi.name))
}

/// `includes` and `excludes`. A `minKernel` is older than what we run on.
fn applies(entry: &Value, capabilities: u64) -> bool {
    let has = |name: &Value| {
        let number = name.as_text().and_then(|name| by_name(name.as_bytes()));
        number.is_some_and(|number| capabilities & 1 << number != 0)
    };
    let included = entry.field("includes").is_none_or(|only| {
        let arches = list(only, "arches");
        list(only, "caps").iter().all(has) && (arches.is_empty() || has_text(arches, OWN_ARCH))
    });
    let excluded = entry.field("excludes").is_some_and(|not| {
        list(not, "caps").iter().any(has) || has_text(list(not, "arches"), OWN_ARCH)
    });
    included && !excluded
}

fn action(of: &Value, name: &str, errno: &str) -> Result<u32, String> {
    const DATA: u64 = 0xffff;
    let errno = of.field(errno).and_then(Value::as_number).unwrap_or(libc::EPERM as u64);
    let errno = (errno & DATA) as u32;
    Ok(match of.field(name).and_then(Value::as_text).unwrap_or("none") {
        "SCMP_ACT_ALLOW" => ALLOW,
        "SCMP_ACT_ERRNO" => ERRNO | errno,
        "SCMP_ACT_KILL_PROCESS" => KILL_PROCESS,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => 0,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_TRACE" => 0x7ff0_0000 | errno,
        "SCMP_ACT_LOG" => 0x7ffc_0000,
        other => return Err(format!("the {name} {other} is not understood")),
    })
}

fn condition(entry: &Value) -> Option<Condition> {
    let number = |name| entry.field(name).and_then(Value::as_number);
    let (value, second) = (number("value")?, number("valueTwo").unwrap_or(0));
    let operator = match entry.field("op")?.as_text()? {
        "SCMP_CMP_EQ" | "SCMP_CMP_MASKED_EQ" => Operator::Equal,
        "SCMP_CMP_NE" => Operator::NotEqual,
        "SCMP_CMP_GT" => Operator::Above,
        "SCMP_CMP_GE" => Operator::AtLeast,
        "SCMP_CMP_LT" => Operator::Below,
        "SCMP_CMP_LE" => Operator::AtMost,
        _ => return None,
    };
    let is_masked = entry.field("op")?.as_text()? == "SCMP_CMP_MASKED_EQ";
    let (mask, value) = if is_masked { (value, second) } else { (u64::MAX, value) };
    let index = number("index").filter(|index| *index < 6)? as u32;
    Some(Condition { index, operator, mask, value })
}

/// What is checked for the numbers of an architecture.
fn spans(index: usize, rules: &[(&str, Vec<Condition>, u32)], default: u32) -> Vec<(u32, Checks)> {
    let mut all = vec![(0, Checks::always(default))];
    for line in CALLS.lines() {
        let mut words = line.split(' ');
        let name = words.next();
        let Some(number) = words.nth(index).and_then(|digits| digits.parse::<u32>().ok()) else {
            continue;
        };
        // The next number has no name, unless one comes.
        for (begin, checks) in
            [(number, checks(name, rules, default)), (number + 1, Checks::always(default))]
        {
            match all.binary_search_by_key(&begin, |(begin, _)| *begin) {
                Ok(at) if begin == number => all[at].1 = checks,
                Ok(_) => {}
                Err(at) => all.insert(at, (begin, checks)),
            }
        }
    }
    all
}

fn checks(name: Option<&str>, rules: &[(&str, Vec<Condition>, u32)], default: u32) -> Checks {
    let mut checks = Checks::always(default);
    for (_, conditions, action) in rules.iter().filter(|rule| Some(rule.0) == name) {
        if conditions.is_empty() {
            return Checks::always(*action);
        }
        checks.rules.push((conditions.clone(), *action));
    }
    checks
}

#[cfg(test)]
mod tests;
