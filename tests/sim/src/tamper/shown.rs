//! What a daemon with a defect shows of itself.

use libmp::show::view::View;

use super::Defect;

/// The picture that it gives.
pub(super) fn bend(defect: Defect, mut view: View) -> View {
    match defect {
        Defect::SameName | Defect::SameWwid => {
            if let [first, second, ..] = &mut *view.maps {
                if defect == Defect::SameName {
                    second.name = first.name.clone();
                } else {
                    second.wwid = first.wwid.clone();
                }
            }
        }
        Defect::PathNowhere => {
            if let Some(map) = view.paths.iter_mut().find_map(|path| path.map.as_mut()) {
                *map = "nowhere".into();
            }
        }
        Defect::PathTwice => {
            let path =
                view.maps.iter().flat_map(|map| &map.groups).flat_map(|group| &group.paths).next().cloned();
            let last = view.maps.iter_mut().flat_map(|map| &mut map.groups).next_back();
            if let (Some(path), Some(last)) = (path, last) {
                last.paths.push(path);
            }
        }
        _ => {}
    }
    view
}
