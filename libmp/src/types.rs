//! The words of the domain as types: a WWID is not an alias, a kernel name is not a number.
//!
//! A name is in many places and does not change: its copies share the text.

use ::core::borrow::Borrow;
use ::core::fmt;
use ::core::ops::{Add, Sub};
use ::core::str::FromStr;
use ::core::time::Duration;
use alloc::sync::Arc;

/// A value could not be read as one of the types of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}")]
pub struct ParseError {
    /// What was expected ("device number", "SCSI address").
    pub what: &'static str,
}

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

text_newtype!(
    /// The kernel's name of a path: `sda`, `nvme0n1`, `dasda`.
    PathName
);
text_newtype!(
    /// World Wide ID of a LUN: two paths with the same one lead to the same storage.
    ///
    /// It comes from a device: never use it as a file name without checking it.
    Wwid
);
text_newtype!(
    /// The device-mapper name of a map: its alias, or its WWID where it has none.
    MapName
);

/// Device number of a block device, as dm-mpath's tables and `/sys/block/*/dev` write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DevT {
    /// Number of the driver.
    pub major: u32,
    /// Number of the device within the driver.
    pub minor: u32,
}

impl DevT {
    /// From the two numbers.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for DevT {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl FromStr for DevT {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        const ERR: ParseError = ParseError { what: "device number (MAJOR:MINOR)" };
        let (major, minor) = text.split_once(':').ok_or(ERR)?;
        Ok(Self { major: decimal(major).ok_or(ERR)?, minor: decimal(minor).ok_or(ERR)? })
    }
}

/// Digits only: `parse` alone would take `+1`.
fn decimal<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// SCSI address of a path: host, channel, target, LUN (the name of its sysfs device).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hctl {
    /// SCSI host number.
    pub host: u32,
    /// Channel (bus) on the host.
    pub channel: u32,
    /// Target on the channel.
    pub target: u32,
    /// Logical unit number, as the kernel's 64-bit integer.
    pub lun: u64,
}

impl fmt::Display for Hctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.host, self.channel, self.target, self.lun)
    }
}

impl FromStr for Hctl {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        const ERR: ParseError = ParseError { what: "SCSI address (HOST:CHANNEL:TARGET:LUN)" };
        let mut parts = text.split(':');
        let mut next = || parts.next().ok_or(ERR);
        let (host, channel, target, lun) = (next()?, next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(ERR);
        }
        Ok(Self {
            host: decimal(host).ok_or(ERR)?,
            channel: decimal(channel).ok_or(ERR)?,
            target: decimal(target).ok_or(ERR)?,
            lun: decimal(lun).ok_or(ERR)?,
        })
    }
}

/// Priority of a path: higher is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub i32);

impl Priority {
    /// Not known (yet).
    pub const UNDEF: Self = Self(-1);
    /// Is it known?
    pub const fn is_known(self) -> bool {
        self.0 >= 0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment on the caller's monotonic clock, in microseconds since its arbitrary start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// From microseconds since the clock's start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }
    /// Microseconds since the clock's start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }
    /// Time since `earlier`; zero where `earlier` is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, rhs: Self) -> Duration {
        self.saturating_since(rhs)
    }
}

/// Names one effect that will be answered; an answer whose token is no longer awaited is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// An errno of the kernel, as a positive number. `sys/` reports it, the core judges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(pub i32);

impl Errno {
    /// `ENOENT`: no such file.
    pub const ENOENT: Self = Self(2);
    /// `ENXIO`: no such device or address.
    pub const ENXIO: Self = Self(6);
    /// `EIO`: input/output error.
    pub const EIO: Self = Self(5);
    /// `EAGAIN`: not now.
    pub const EAGAIN: Self = Self(11);
    /// `EACCES`: permission denied (read-only).
    pub const EACCES: Self = Self(13);
    /// `EBUSY`: in use.
    pub const EBUSY: Self = Self(16);
    /// `ENODEV`: no such device.
    pub const ENODEV: Self = Self(19);
    /// `EINVAL`: refused as malformed.
    pub const EINVAL: Self = Self(22);
    /// `ENOTTY`: not a device that takes this `ioctl`.
    pub const ENOTTY: Self = Self(25);
    /// `ENOBUFS`: no room left.
    pub const ENOBUFS: Self = Self(105);
    /// `ENOMEM`: out of memory.
    pub const ENOMEM: Self = Self(12);
    /// `ENFILE`: the system has too many files open.
    pub const ENFILE: Self = Self(23);
    /// `EMFILE`: the process has too many files open.
    pub const EMFILE: Self = Self(24);

    /// Is this host itself short of memory or files? That says nothing of a device.
    pub const fn is_shortage(self) -> bool {
        matches!(self, Self::ENOMEM | Self::ENFILE | Self::EMFILE)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "EPERM: operation not permitted",
            2 => "ENOENT: no such file or device",
            5 => "EIO: input/output error",
            6 => "ENXIO: no such device or address",
            11 => "EAGAIN: try again",
            12 => "ENOMEM: out of memory",
            13 => "EACCES: permission denied",
            16 => "EBUSY: in use",
            17 => "EEXIST: exists already",
            19 => "ENODEV: no such device",
            22 => "EINVAL: invalid argument",
            23 => "ENFILE: too many open files in the system",
            24 => "EMFILE: too many open files",
            28 => "ENOSPC: no space left",
            95 => "EOPNOTSUPP: not supported",
            105 => "ENOBUFS: no room left",
            110 => "ETIMEDOUT: timed out",
            n => return write!(f, "errno {n}"),
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_round_trip_and_refuse_the_rest() {
        assert_eq!("8:16".parse(), Ok(DevT::new(8, 16)));
        assert_eq!(DevT::new(8, 16).to_string(), "8:16");
        for bad in ["", "8", "8:", ":1", "8:1:2", "+8:1", "8:-1", "a:b", "8:99999999999"] {
            assert!(bad.parse::<DevT>().is_err(), "{bad}");
        }
    }

    #[test]
    fn scsi_addresses_round_trip_and_refuse_the_rest() {
        let address = Hctl { host: 1, channel: 0, target: 2, lun: 16_640 };
        assert_eq!("1:0:2:16640".parse(), Ok(address));
        assert_eq!(address.to_string(), "1:0:2:16640");
        for bad in ["", "1:0:0", "1:0:0:0:0", "1:0:0:x", "1: 0:0:0"] {
            assert!(bad.parse::<Hctl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn time_saturates() {
        let now = Instant::from_micros(5);
        assert_eq!(now - Instant::from_micros(9), Duration::ZERO);
        assert_eq!(now + Duration::MAX, Instant::from_micros(u64::MAX));
    }
}
