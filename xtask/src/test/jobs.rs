//! Jobs of one processor each, as many at the same time as this machine has.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

use crate::failure::Error;

/// A virtual machine has more than a gigabyte of memory.
const MOST_AT_ONCE: usize = 4;

/// What each came to, in the order of the jobs. After a failure no further one is begun.
pub fn run<J: Sync, R: Send>(
    jobs: &[J],
    run_one: impl Fn(&J) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else { return Ok(done) };
            let result = run_one(job);
            if result.is_err() {
                next.store(jobs.len(), Ordering::Relaxed);
            }
            done.push((number, result?));
        }
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let ends = thread::scope(|scope| {
        let workers = (0..processors.min(MOST_AT_ONCE)).map(|_| scope.spawn(work));
        let workers: Vec<_> = workers.collect();
        workers.into_iter().map(ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut results = Vec::new();
    for end in ends {
        results.extend(end.unwrap_or_else(|panic| resume_unwind(panic))?);
    }
    results.sort_by_key(|(number, _)| *number);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_the_order_of_the_jobs() {
        let jobs: Vec<usize> = (0..50).collect();
        assert_eq!(run(&jobs, |job| Ok(job * 2)).unwrap()[49], 98);
    }

    #[test]
    fn a_failure_ends_it() {
        let fail = |job: &i32| match job {
            1 => Err(Error::Verdict("no".into())),
            _ => Ok(()),
        };
        assert!(run(&[0, 1, 2], fail).is_err());
    }
}
