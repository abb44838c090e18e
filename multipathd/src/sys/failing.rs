//! What is tried for ever, and may fail each time, is said twice: when it begins to fail, and when that is over.

use std::fmt::Display;
use std::time::{Duration, Instant};

use tracing::{info, warn};

/// After so long without a failure it is over.
const CALM: Duration = Duration::from_secs(10);

/// Something that is tried again and again.
#[derive(Debug)]
pub struct Failing {
    what: &'static str,
    /// Why it fails, and when it did last.
    now: Option<(String, Instant)>,
}

impl Failing {
    /// Called so in what is said. So far it has gone well.
    pub const fn new(what: &'static str) -> Self {
        Self { what, now: None }
    }

    /// It has failed.
    pub fn failed(&mut self, why: &impl Display) {
        if self.is_news(why.to_string(), Instant::now()) {
            warn!("{}: {why}; it is tried again", self.what);
        }
    }

    /// It has gone well.
    pub fn went_well(&mut self) {
        if self.now.is_some() && self.is_over(Instant::now()) {
            info!("{}: this is over", self.what);
        }
    }

    fn is_news(&mut self, why: String, at: Instant) -> bool {
        let known = self.now.as_ref().is_some_and(|(known, _)| *known == why);
        self.now = Some((why, at));
        !known
    }

    fn is_over(&mut self, at: Instant) -> bool {
        let over = |(_, last): &mut (String, Instant)| at.saturating_duration_since(*last) >= CALM;
        self.now.take_if(over).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_is_said_once() {
        let (mut failing, start) = (Failing::new("it"), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(failing.is_news("EMFILE".into(), at(0)));
        for second in 1..100 {
            assert!(!failing.is_over(at(second)), "now and then it goes well");
            assert!(!failing.is_news("EMFILE".into(), at(second)));
        }
        assert!(failing.is_news("ENFILE".into(), at(100)), "another reason");
        assert!(failing.is_over(at(111)) && !failing.is_over(at(112)));
        assert!(failing.is_news("ENFILE".into(), at(113)), "anew");
    }
}
