//! The `path_latency` prioritizer: the logarithm of how long reads take, so that paths of like latency
//! get the same priority.

use ::core::time::Duration;

use super::PrioError;
use super::args::Latency;
use crate::check::ask::{Answers, Step};
use crate::types::Priority;

/// What takes so long, in microseconds, or longer, has priority 0.
const SLOWEST_US: f64 = 100_000_000.0;

/// The geometric mean of the reads' times on a logarithmic scale: 0 for 100 s, 1 more for each time
/// that it is shorter by the factor of the base, and most for 1 µs and less.
pub(super) fn rate(
    latency: Latency,
    timeout: Duration,
    answers: &Answers,
) -> Step<Result<Priority, PrioError>> {
    // The rest of the time is for the last of them.
    let took = match answers.timed_reads(latency.reads, timeout / 2)? {
        Ok([]) => return Ok(Err(PrioError::NotRead)),
        Ok(took) => took,
        Err(unanswered) => return Ok(Err(unanswered.into())),
    };
    let micros = |took: &Duration| u32::try_from(took.as_micros()).map_or(SLOWEST_US, f64::from);
    let sum: f64 = took.iter().map(|took| ln(micros(took).clamp(1.0, SLOWEST_US))).sum();
    let mean = sum / f64::from(u32::try_from(took.len()).unwrap_or(u32::MAX));
    #[expect(clippy::cast_possible_truncation, reason = "from 0 to 194")]
    Ok(Ok(Priority(((ln(SLOWEST_US) - mean) / ln(latency.base)).max(0.0) as i32)))
}

/// Natural logarithm of a normal positive number; `core` has none. With x = m·2ᵉ and m near 1:
/// e·ln 2 + 2·(s + s³/3 + s⁵/5 + …), s = (m − 1)/(m + 1). Right to 13 digits.
fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let mut exponent = i32::try_from(bits >> 52 & 0x7ff).unwrap_or_default() - 1023;
    let mut m = f64::from_bits(bits & MANTISSA | 1023 << 52);
    if m > core::f64::consts::SQRT_2 {
        m /= 2.0;
        exponent += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let (mut power, mut sum) = (s, 0.0);
    for odd in (1..24).step_by(2) {
        sum += power / f64::from(odd);
        power *= s * s;
    }
    f64::from(exponent) * core::f64::consts::LN_2 + 2.0 * sum
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use proptest::prelude::*;

    use super::*;
    use crate::check::ask::{Answer, Ask};
    use crate::types::Errno;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn rated(base: f64, answer: Answer) -> Result<i32, PrioError> {
        let latency = Latency { reads: 20, base };
        let mut answers = Answers::default();
        let wanted = rate(latency, TIMEOUT, &answers).unwrap_err().0;
        answers.put(&wanted, &[answer]);
        rate(latency, TIMEOUT, &answers).unwrap().map(|priority| priority.0)
    }

    #[test]
    fn priorities_are_steps_of_a_logarithm() {
        for (base, micros, expected) in [
            (10.0, &[1_u64][..], 8),
            (10.0, &[0, 0], 8),
            (10.0, &[9], 7),
            (10.0, &[11], 6),
            (10.0, &[500, 500, 500], 5),
            (10.0, &[10, 100_000], 5), // the mean is 1 ms
            (10.0, &[1_100], 4),
            (10.0, &[99_000_000], 0),
            (10.0, &[1_000_000_000_000], 0),
            (1.1, &[1], 193),
            (1.778_279_410_04, &[900], 20),
            (1.778_279_410_04, &[1_900], 18),
        ] {
            let took: Vec<Duration> = micros.iter().map(|us| Duration::from_micros(*us)).collect();
            assert_eq!(rated(base, Answer::TimedReads(took)), Ok(expected), "{base} {micros:?}");
        }
        assert_eq!(rated(10.0, Answer::TimedReads(Vec::new())), Err(PrioError::NotRead));
        assert_eq!(rated(10.0, Answer::Failed(Errno::EIO)), Err(PrioError::Io(Errno::EIO)));
        let wanted = rate(Latency::DEFAULT, TIMEOUT, &Answers::default()).unwrap_err();
        assert_eq!(wanted.0, [Ask::TimedReads { count: 100, within: TIMEOUT / 2 }]);
    }

    proptest! {
        #[test]
        fn a_logarithm(x in 0.001_f64..1e9) {
            prop_assert!((ln(x) - x.ln()).abs() < 1e-12 * x.ln().abs().max(1.0), "{x}");
        }
    }
}
