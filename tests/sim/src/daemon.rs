//! The seam between the simulated machine and the code under test.

use libmp::core::effect::Outbox;
use libmp::core::event::Event;
use libmp::show::view::View;
use libmp::types::Instant;

/// What is driven: the real core, or the real core with a defect put in on purpose.
pub trait Daemon {
    /// Its first effects.
    fn start(&mut self, now: Instant, out: &mut Outbox);
    /// These events come next.
    fn foresee(&self, _events: &[Event]) {}
    /// One event.
    fn handle(&mut self, now: Instant, event: Event, out: &mut Outbox);
    /// When it wants to be woken.
    fn next_deadline(&self) -> Option<Instant>;
    /// How many answers it awaits, and how many timers it has set.
    fn kept(&self) -> (usize, usize);
    /// How often it has looked at a path or a map.
    fn looks(&self) -> u64;
    /// What it knows.
    fn view(&self, now: Instant) -> View;
}

/// Makes a daemon; the number is its process id.
pub type Factory = Box<dyn Fn(u32) -> Box<dyn Daemon>>;
