//! A map is made of requests or of bios, once and for all. The queue of a path over TCP sleeps where device-mapper's requests must
//! not: a new map with one is made of bios, and one that is made of requests already takes none. Once it has been removed, the next map
//! of its LUN is made with all of them.

use alloc::string::String;
use alloc::vec::Vec;

use crate::core::Core;
use crate::core::effect::Outbox;
use crate::core::map::{Map, MapId, Observed};
use crate::core::path::{Exclusion, Path, PathId};
use crate::core::refused::is_live;
use crate::types::Instant;

/// Can no map that is made of requests have it?
pub(super) fn needs_bios(path: &Path) -> bool {
    path.facts.as_ref().is_some_and(|facts| facts.protocol == "nvme:tcp")
}

/// What the mode of a map says against its having this path. One in the live table is not torn out of it.
pub(super) fn another_mode(path: &Path, map: &Map) -> Option<String> {
    let table = map.observed.as_ref().and_then(Observed::table)?;
    (needs_bios(path) && !table.is_bio_based() && !is_live(map, path)).then(|| {
        "it is reached over TCP, and the map is made of requests, which such a path can't serve; the next map of its LUN is made of bios, \
         once this one has been removed"
            .into()
    })
}

impl Core {
    /// Members that came before it was known how their map is made leave it; those that it has kept out join the one that is to be
    /// made in its place.
    pub(super) fn review_mode(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get(&id) else { return };
        let wwid = map.wwid.clone();
        if map.observed.is_none() {
            if map.members.is_empty() || map.orders.stay_away {
                return;
            }
            let kept_out = |path: &&Path| needs_bios(path) && path.shown_wwid() == Some(&wwid);
            let contradicting = self.contradicting.iter().filter_map(|path| self.paths.get(path));
            let again: Vec<PathId> = contradicting.filter(kept_out).map(|path| path.id).collect();
            return again.into_iter().for_each(|path| self.place(now, path, wwid.clone(), out));
        }
        let refused = |path: &&Path| Some((path.id, another_mode(path, map)?));
        let refused: Vec<_> = self.members(map).iter().filter_map(refused).collect();
        for (path, reason) in refused {
            self.exclude(now, path, Exclusion::Contradicts { wwid: wwid.clone(), reason }, out);
            self.moved_from(path, id);
        }
    }
}
