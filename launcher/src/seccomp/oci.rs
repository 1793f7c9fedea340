//! A profile in the format of the OCI runtimes (runtime-spec, config-linux.md, `seccomp`) and of
//! `seccomp.json` of containers and Docker, which adds conditions on capabilities and architectures.
//!
//! Where libseccomp decides, it is followed: names that nobody knows are left out, and so are rules
//! that say what is said of every call; a rule without conditions wins over those with some, and
//! of several the first.

use super::{
    ABIS, ALLOW, Abi, CALLS, Checks, Condition, ENOSYS, ERRNO, KILL_PROCESS, OWN_ARCH, Operator,
    Span, assemble, merge,
};
use crate::json::Value;
use crate::spec::capability::by_name;

/// A call's name, on which conditions what becomes of it, and what that is.
type Rule<'a> = (&'a str, Vec<Condition>, u32);

/// The kinds of the default action, and of numbers that are no system call.
const DEFAULT: u32 = 0;
const UNKNOWN: u32 = 1;

/// SECCOMP_RET_LOG.
const LOG: u32 = 0x7ffc_0000;

/// Those of libseccomp, behind SCMP_ARCH_.
const ARCHITECTURES: &str = "NATIVE X86 X86_64 X32 ARM AARCH64 LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL \
                             MIPSEL64 MIPSEL64N32 PARISC PARISC64 PPC PPC64 PPC64LE RISCV64 S390 S390X SH \
                             SHEB";

/// What a profile's entries may ask for.
pub struct Context<'a> {
    /// The command's.
    pub capabilities: u64,
    /// As uname(2) has it.
    pub kernel: &'a str,
}

/// A profile, translated.
pub struct Translated {
    /// As the kernel takes it.
    pub filter: Vec<u8>,
    /// Refusals are told to the kernel's log.
    pub logs: bool,
    /// Names that nobody knows here, of calls that were to be kept away: a slip, or another
    /// architecture's.
    pub unknown: Vec<String>,
}

/// The filter of a profile, or what is wrong with it.
pub fn filter(text: &[u8], context: &Context<'_>) -> Result<Translated, String> {
    let profile = Value::parse(text)
        .map_err(|at| format!("no JSON at byte {at}, or a name twice in the object before it"))?;
    let default = action(&profile, "defaultAction", "defaultErrnoRet")?;
    let logs = logs(&profile)?;
    let (mut rules, mut unknown) = (Vec::new(), Vec::new());
    for entry in list(&profile, "syscalls")? {
        if applies(entry, context)? {
            let action = action(entry, "action", "errnoRet")?;
            let conditions = list(entry, "args")?.iter().map(condition).collect::<Option<Vec<_>>>();
            let conditions = conditions.ok_or("an entry of args is not understood")?;
            // A name of its own is how it was written before there was a list.
            let own = entry.field("name").map(|name| as_text(name, "name")).transpose()?;
            for name in texts(entry, "names")?.into_iter().chain(own) {
                if action == default {
                    continue;
                }
                if passes(default) && !passes(action) && !is_known(name) {
                    unknown.push(name.to_owned());
                }
                if has_one_twice(&conditions) {
                    rules.extend(conditions.iter().map(|&one| (name, vec![one], action)));
                } else {
                    rules.push((name, conditions.clone(), action));
                }
            }
        }
    }
    let mut kinds = vec![Checks::always(default), Checks::always(ENOSYS)];
    let mut abis = Vec::new();
    for (index, abi) in ABIS.iter().enumerate() {
        if index == 0 || is_asked_for(abi, &profile)? {
            abis.push((abi, merge(spans(index, &rules, &mut kinds), UNKNOWN)));
        }
    }
    let filter = assemble::filter(&abis, &|kind| kinds[kind as usize].clone());
    Ok(Translated { filter, logs, unknown })
}

/// Whether this action lets the call go on.
fn passes(action: u32) -> bool {
    matches!(action, ALLOW | LOG)
}

fn is_known(name: &str) -> bool {
    CALLS.lines().any(|line| line.split(' ').next() == Some(name))
}

/// Reads `flags`: whether refusals are logged. Of the others none changes what is refused: TSYNC is
/// about threads, of which there is one, SPEC_ALLOW leaves a hardening out, and WAIT_KILLABLE_RECV
/// is about SCMP_ACT_NOTIFY.
fn logs(profile: &Value) -> Result<bool, String> {
    let mut logs = false;
    for flag in texts(profile, "flags")? {
        match flag.strip_prefix("SECCOMP_FILTER_FLAG_") {
            Some("LOG") => logs = true,
            Some("TSYNC" | "SPEC_ALLOW" | "WAIT_KILLABLE_RECV") => {}
            _ => return Err(format!("the flag {flag} is not understood")),
        }
    }
    Ok(logs)
}

/// Whether an argument is named twice. Then runc and crun make each condition a rule of its own, so
/// that one is enough, as before libseccomp 2.2; and profiles rely on that.
fn has_one_twice(conditions: &[Condition]) -> bool {
    let indices = || conditions.iter().map(|condition| condition.index);
    indices().enumerate().any(|(at, index)| indices().skip(at + 1).any(|other| other == index))
}

/// A field that is no list is an error, so that a mistake does not leave a restriction out.
fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], String> {
    match value.field(name) {
        None => Ok(&[]),
        Some(value) => value.as_list().ok_or_else(|| format!("{name} is no list")),
    }
}

/// The same for an object with the conditions of an entry, without which the entry would apply more
/// often.
fn object<'a>(value: &'a Value, name: &str) -> Result<Option<&'a Value>, String> {
    match value.field(name) {
        None => Ok(None),
        Some(Value::Object(fields)) => {
            let is_other = |key: &&String| !["arches", "caps", "minKernel"].contains(&key.as_str());
            match fields.iter().map(|(key, _)| key).find(is_other) {
                Some(key) => Err(format!("{key} in {name} is not understood")),
                None => Ok(value.field(name)),
            }
        }
        Some(_) => Err(format!("{name} is no object")),
    }
}

fn texts<'a>(value: &'a Value, name: &str) -> Result<Vec<&'a str>, String> {
    list(value, name)?.iter().map(|item| as_text(item, name)).collect()
}

fn as_text<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    value.as_text().ok_or_else(|| format!("what is in {name} is no text"))
}

/// An architecture beside our own: in `architectures`, or below our own in `archMap`.
fn is_asked_for(abi: &Abi, profile: &Value) -> Result<bool, String> {
    let is_own =
        |entry: &&Value| entry.field("architecture").and_then(Value::as_text) == Some(ABIS[0].name);
    let own = list(profile, "archMap")?.iter().find(is_own);
    let below = own.map_or(Ok(Vec::new()), |entry| texts(entry, "subArchitectures"))?;
    let named = texts(profile, "architectures")?;
    let is_known = |name: &&&str| {
        let name = name.strip_prefix("SCMP_ARCH_");
        ARCHITECTURES.split(' ').any(|known| Some(known) == name)
    };
    match named.iter().chain(&below).find(|name| !is_known(name)) {
        Some(name) => Err(format!("the architecture {name} is not understood")),
        None => Ok(named.contains(&abi.name) || below.contains(&abi.name)),
    }
}

/// `includes`, of which all have to hold, and `excludes`, of which none may.
fn applies(entry: &Value, context: &Context<'_>) -> Result<bool, String> {
    let has = |name: &str| {
        by_name(name.as_bytes()).is_some_and(|number| context.capabilities & 1 << number != 0)
    };
    let is_since = |of: &Value| match of.field("minKernel") {
        None => Ok(None),
        Some(least) => {
            let least = least.as_text().and_then(version).ok_or("a minKernel is no version")?;
            Ok::<_, String>(Some(version(context.kernel).is_some_and(|ours| ours >= least)))
        }
    };
    let included = match object(entry, "includes")? {
        None => true,
        Some(only) => {
            let (arches, caps) = (texts(only, "arches")?, texts(only, "caps")?);
            let is_ours = arches.is_empty() || arches.contains(&OWN_ARCH);
            is_ours && caps.into_iter().all(has) && is_since(only)?.unwrap_or(true)
        }
    };
    let excluded = match object(entry, "excludes")? {
        None => false,
        Some(not) => {
            let (arches, caps) = (texts(not, "arches")?, texts(not, "caps")?);
            let is_ours = arches.contains(&OWN_ARCH);
            is_ours || caps.into_iter().any(has) || is_since(not)?.unwrap_or(false)
        }
    };
    Ok(included && !excluded)
}

/// Major and minor number of a kernel.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn action(of: &Value, name: &str, errno: &str) -> Result<u32, String> {
    /// MAX_ERRNO of the kernel (linux/err.h), which makes this of what is above.
    const MAX: u64 = 4095;
    let given = of.field(errno).map(|value| value.as_number().filter(|&number| number <= MAX));
    let errno = given.unwrap_or(Some(libc::EPERM as u64)).ok_or(format!("{errno} is no errno"))?;
    let errno = errno as u32;
    let action = of.field(name).ok_or_else(|| format!("{name} is missing"))?;
    Ok(match as_text(action, name)? {
        "SCMP_ACT_ALLOW" => ALLOW,
        "SCMP_ACT_ERRNO" => ERRNO | errno,
        "SCMP_ACT_KILL_PROCESS" => KILL_PROCESS,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => 0,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_TRACE" => 0x7ff0_0000 | errno,
        "SCMP_ACT_LOG" => LOG,
        // It would need a program outside that answers.
        "SCMP_ACT_NOTIFY" => return Err(format!("the {name} SCMP_ACT_NOTIFY cannot be had")),
        other => return Err(format!("the {name} {other} is not understood")),
    })
}

fn condition(entry: &Value) -> Option<Condition> {
    let number = |name| entry.field(name).and_then(Value::as_number);
    let second = entry.field("valueTwo").map_or(Some(0), Value::as_number)?;
    let value = number("value")?;
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
    // libseccomp looks at no bit that the mask leaves out, on either side.
    let (mask, value) = if is_masked { (value, second & value) } else { (u64::MAX, value) };
    let index = number("index").filter(|index| *index < 6)? as u32;
    Some(Condition { index, operator, mask, value })
}

/// What is checked for the numbers of an architecture. A kind is a place in `kinds`, whose first is
/// the default.
fn spans(index: usize, rules: &[Rule<'_>], kinds: &mut Vec<Checks>) -> Vec<Span> {
    let mut all = vec![(0, DEFAULT)];
    for line in CALLS.lines() {
        let mut words = line.split(' ');
        let name = words.next();
        let Some(number) = words.nth(index).and_then(|digits| digits.parse::<u32>().ok()) else {
            continue;
        };
        let checks = checks(name, rules, kinds[DEFAULT as usize].otherwise);
        let kind = kinds.iter().position(|known| *known == checks).unwrap_or_else(|| {
            kinds.push(checks);
            kinds.len() - 1
        });
        // The next number has no name, unless one comes.
        for (begin, kind) in [(number, kind as u32), (number + 1, DEFAULT)] {
            match all.binary_search_by_key(&begin, |(begin, _)| *begin) {
                Ok(at) if begin == number => all[at].1 = kind,
                Ok(_) => {}
                Err(at) => all.insert(at, (begin, kind)),
            }
        }
    }
    all
}

fn checks(name: Option<&str>, rules: &[Rule<'_>], default: u32) -> Checks {
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
