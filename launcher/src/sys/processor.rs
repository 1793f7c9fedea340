//! The processor that we run on: getcpu(2), sched_setaffinity(2).

use syscalls::{Sysno, syscall};

use super::Result;

/// Room for 1024 processors, as in cpu_set_t. Where there are more the call fails (EINVAL), and we
/// stay.
const WORDS: usize = 16;

/// Moves us from this processor to another, if we may use more than `busy` of them. Afterwards our
/// affinity is what it was.
pub fn leave(this: u32, busy: u32) -> Result<()> {
    let (all, size) = allowed()?;
    if all.iter().map(|word| word.count_ones()).sum::<u32>() <= busy {
        return Ok(());
    }
    let mut others = all;
    if let Some(word) = others.get_mut(this as usize / usize::BITS as usize) {
        *word &= !(1 << (this % usize::BITS));
    }
    [others, all].iter().try_for_each(|set| {
        // SAFETY: the kernel reads `size` bytes, which is at most the set's size.
        unsafe { syscall!(Sysno::sched_setaffinity, 0, size, set.as_ptr()) }.map(drop)
    })
}

/// The one that we run on.
pub fn current() -> Result<u32> {
    let mut this = 0u32;
    // SAFETY: the kernel writes one int; the node is not asked for.
    unsafe { syscall!(Sysno::getcpu, &raw mut this, 0, 0) }?;
    Ok(this)
}

/// The set of processors that we may use, and its size in the kernel, in bytes.
fn allowed() -> Result<([usize; WORDS], usize)> {
    let mut set = [0; WORDS];
    // SAFETY: the kernel writes at most the size that is given, which is the set's.
    let size = unsafe { syscall!(Sysno::sched_getaffinity, 0, size_of_val(&set), &raw mut set) }?;
    Ok((set, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel may take us back at any time, but not each time.
    #[test]
    fn another_processor_goes_on() {
        let (all, _) = allowed().unwrap();
        let count: u32 = all.iter().map(|word| word.count_ones()).sum();
        let left = || {
            let before = current().unwrap();
            leave(before, 1).unwrap();
            current().unwrap() != before
        };
        assert!(count == 1 || (0..100).any(|_| left()), "of {count} processors");
    }

    #[test]
    fn nobody_leaves_for_processors_that_are_busy() {
        let before = current().unwrap();
        // It is not told to: the kernel may move us all the same, but not each time.
        let stayed = || {
            leave(before, allowed().unwrap().0.iter().map(|word| word.count_ones()).sum()).unwrap();
            current().unwrap() == before
        };
        assert!((0..100).any(|_| stayed()));
    }

    #[test]
    fn same_processors_may_be_used_afterwards() {
        let before = allowed().unwrap();
        leave(current().unwrap(), 1).unwrap();
        assert_eq!(allowed().unwrap(), before);
    }
}
