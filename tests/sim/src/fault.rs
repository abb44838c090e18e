//! What goes wrong between the daemon and the kernel, and how often.
//!
//! Each seed turns every fault on or off for itself: a run with few kinds of faults goes deeper
//! than one with all of them.

use std::time::Duration;

use libmp::types::Errno;

use crate::rng::Rng;

/// Chances in a thousand, and times.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// An answer takes up to a minute.
    pub slow: u32,
    /// An answer takes minutes, or never comes (checks and probes).
    pub stuck: u32,
    /// An answer comes twice.
    pub duplicated: u32,
    /// A step of a device-mapper operation fails.
    pub dm_error: u32,
    /// A map can't be read after an operation, however that went.
    pub dm_unread: u32,
    /// A state file can't be written.
    pub save_error: u32,
    /// A write to sysfs fails.
    pub sysfs_error: u32,
    /// A rescan reads nothing, and ends well.
    pub rescan_unread: u32,
    /// A uevent is lost, and the loss is announced.
    pub uevent_lost: u32,
    pub uevent_duplicated: u32,
    /// udev takes its time, up to half a minute.
    pub udev_slow: u32,
    /// The daemon is woken late.
    pub wake_late: u32,
}

impl Faults {
    /// None, and every latency the same.
    pub fn none() -> Self {
        Self::default()
    }

    /// A mixture of its own for each seed.
    pub fn random(rng: &mut Rng) -> Self {
        let mut some = |most: u64| {
            if rng.per_mille(500) { u32::try_from(rng.within(1..=most)).expect("small") } else { 0 }
        };
        Self {
            slow: some(60),
            stuck: some(15),
            duplicated: some(50),
            dm_error: some(80),
            dm_unread: some(40),
            save_error: some(300),
            sysfs_error: some(200),
            rescan_unread: some(400),
            uevent_lost: some(60),
            uevent_duplicated: some(100),
            udev_slow: some(150),
            wake_late: some(100),
        }
    }

    /// How long something takes that usually takes milliseconds; `None`: it never ends.
    pub fn latency(&self, rng: &mut Rng, may_hang: bool) -> Option<Duration> {
        if may_hang && rng.per_mille(self.stuck) {
            return if rng.per_mille(300) { None } else { Some(rng.millis(60_000..=900_000)) };
        }
        if rng.per_mille(self.slow) {
            return Some(rng.millis(100..=60_000));
        }
        Some(rng.millis(0..=20))
    }

    /// An error in the place of an ioctl's success.
    pub fn dm_error(&self, rng: &mut Rng) -> Option<Errno> {
        rng.per_mille(self.dm_error).then(|| {
            rng.weighted(&[(3, Errno::EBUSY), (3, Errno::EINVAL), (3, Errno(12)), (1, Errno::ENXIO)])
        })
    }

    /// An error in the place of how a map is after an operation.
    pub fn dm_unread(&self, rng: &mut Rng) -> Option<Errno> {
        rng.per_mille(self.dm_unread).then_some(Errno::ENOMEM)
    }

    /// How long udev's rules run for one event.
    pub fn udev_latency(&self, rng: &mut Rng) -> Duration {
        if rng.per_mille(self.udev_slow) { rng.millis(500..=30_000) } else { rng.millis(5..=150) }
    }

    /// How much later than asked for the daemon is woken.
    pub fn wake_delay(&self, rng: &mut Rng) -> Duration {
        if rng.per_mille(self.wake_late) { rng.millis(1..=400) } else { Duration::ZERO }
    }
}
