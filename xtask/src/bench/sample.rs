//! What the stopwatch measured, and what can be said of many measurements. Pure.

use crate::failure::Error;

/// One run of one command. Times are microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// From its start to its end.
    pub whole: f64,
    /// From its start to the first instruction of the command inside; none if that did not say.
    pub to_command: Option<f64>,
    /// CPU time of it and of its children.
    pub cpu: f64,
    pub faults: f64,
    /// KiB.
    pub resident: f64,
    pub code: i32,
}

impl Sample {
    /// Reads the stopwatch's lines: the runs of each command, in the order of the rounds.
    pub fn parse(text: &str, commands: usize) -> Result<Vec<Vec<Sample>>, Error> {
        let mut runs = vec![Vec::new(); commands];
        for line in text.lines() {
            let numbers = line.split(' ').map(|word| word.parse::<u64>().ok());
            let numbers = numbers.collect::<Option<Vec<_>>>();
            let Some([index, started, spoke, ended, cpu, faults, resident, code]) =
                numbers.as_deref()
            else {
                return Err(Error::Verdict(format!("the stopwatch says {line:?}")));
            };
            let micros = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1000.0;
            let sample = Sample {
                whole: micros(*started, *ended),
                to_command: (*spoke != 0).then(|| micros(*started, *spoke)),
                cpu: micros(0, *cpu),
                faults: *faults as f64,
                resident: *resident as f64,
                code: *code as i32,
            };
            if let Some(runs) = runs.get_mut(*index as usize) {
                runs.push(sample);
            }
        }
        Ok(runs)
    }

    /// From the command's first instruction to the end of everything.
    pub fn after_command(&self) -> Option<f64> {
        self.to_command.map(|before| self.whole - before)
    }
}

/// A share of the values lies below it; NaN of none.
pub fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len().saturating_sub(1) as f64 * share).round() as usize;
    values.get(place).copied().unwrap_or(f64::NAN)
}

/// The ratios, round by round, of what is measured of two commands.
pub fn ratios(of: &[Sample], to: &[Sample], what: impl Fn(&Sample) -> Option<f64>) -> Vec<f64> {
    of.iter().zip(to).filter_map(|(of, to)| Some(what(of)? / what(to)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0 1000 3000 5000 4000 26 1452 0\n1 6000 0 16000 9000 80 1452 7\n";

    #[test]
    fn lines_become_runs_of_each_command() {
        let runs = Sample::parse(TEXT, 2).unwrap();
        assert_eq!((runs[0][0].whole, runs[0][0].to_command), (4.0, Some(2.0)));
        assert_eq!(runs[0][0].after_command(), Some(2.0));
        assert_eq!((runs[1][0].whole, runs[1][0].to_command, runs[1][0].code), (10.0, None, 7));
        assert!(Sample::parse("1 2 3", 2).is_err());
    }

    #[test]
    fn a_ratio_is_of_one_round() {
        let runs = Sample::parse(TEXT, 2).unwrap();
        assert_eq!(ratios(&runs[1], &runs[0], |run| Some(run.whole)), [2.5]);
        assert!(ratios(&runs[1], &runs[0], |run| run.to_command).is_empty());
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(quantile(vec![3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(vec![5.0, 1.0], 1.0), 5.0);
        assert!(quantile(Vec::new(), 0.5).is_nan());
    }
}
