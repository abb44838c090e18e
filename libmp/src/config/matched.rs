//! Which entries of the hardware table match a device: a host has hundreds of paths and few kinds of disks, and every
//! path is asked for several times.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use once_cell::race::OnceBox;

use super::settings::DeviceId;

/// So many kinds of disks are kept, the first ones met. Those of any other are looked for each time.
const KINDS: usize = 16;

/// What was found for some kinds of disks. It is no part of what a table says.
#[derive(Default)]
pub struct Matched([OnceBox<Kind>; KINDS]);

/// What the patterns of the entries are matched against, and the places of those that match.
struct Kind {
    vendor: Box<[u8]>,
    product: Box<[u8]>,
    revision: Option<Box<[u8]>>,
    entries: Vec<usize>,
}

impl Kind {
    fn is_of(&self, device: &DeviceId<'_>, revision: Option<&[u8]>) -> bool {
        *self.product == *device.product
            && *self.vendor == *device.vendor
            && self.revision.as_deref() == revision
    }
}

impl Matched {
    /// The places of the entries that match, as found before or found now.
    pub fn get(
        &self,
        device: &DeviceId<'_>,
        revision: Option<&[u8]>,
        find: impl FnOnce() -> Vec<usize>,
    ) -> Cow<'_, [usize]> {
        let known = self.0.iter().map_while(OnceBox::get).find(|kind| kind.is_of(device, revision));
        if let Some(kind) = known {
            return Cow::Borrowed(&kind.entries);
        }
        let entries = find();
        if let Some(free) = self.0.iter().find(|kind| kind.get().is_none()) {
            let DeviceId { vendor, product, .. } = *device;
            let entries = entries.clone();
            let kind = Kind {
                vendor: vendor.into(),
                product: product.into(),
                revision: revision.map(Into::into),
                entries,
            };
            let _ = free.set(Box::new(kind)); // another thread may have been faster
        }
        Cow::Owned(entries)
    }
}

impl Clone for Matched {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Matched {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Matched {}

impl ::core::fmt::Debug for Matched {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        let known = self.0.iter().map_while(OnceBox::get).count();
        write!(f, "{known} kinds of devices")
    }
}
