//! What is shown of the kernel's own NVMe multipathing. No column has two meanings, so most have none here.

use ::core::fmt::Write as _;
use alloc::format;
use alloc::string::{String, ToString};

use super::table::Layout;
use super::view::{MapView, PathView};
use super::wildcards::MAP;
use crate::native::{Namespace, NamespacePath};

/// What there is not.
const NOT_AVAILABLE: &str = "n/a";
/// What INQUIRY would say.
const VENDOR: &str = "NVMe";
/// Which library of the reference it would come from.
const LIBRARY: &str = "nvme";

/// A column of the table of maps.
pub fn namespace_cell(space: &Namespace, letter: char) -> String {
    match letter {
        'd' => space.name.to_string(),
        'n' => format!("{}:nsid.{}", space.nqn, space.nsid),
        'w' => space.wwid.clone(),
        'N' => space.paths.iter().filter(|path| path.state.as_deref() == Some("live")).count().to_string(),
        'S' => space.sectors.to_string(),
        'v' => VENDOR.into(),
        'p' => space.model.clone(),
        's' => format!("{VENDOR},{},{}", space.model, space.firmware),
        'e' => space.firmware.clone(),
        'r' => space.read_only.map_or("undef", |is| if is { "ro" } else { "rw" }).into(),
        'G' => LIBRARY.into(),
        'h' if space.paths.iter().any(|path| path.access.is_some()) => "ANA".into(),
        _ => NOT_AVAILABLE.into(),
    }
}

/// A column of the table of paths.
pub fn path_cell(space: &Namespace, path: &NamespacePath, letter: char) -> String {
    let text = match letter {
        'w' => &path.wwid,
        'd' => path.name.as_str(),
        'i' => return address(path.name.as_str()),
        'D' => return path.devt.to_string(),
        'o' => path.state.as_deref().unwrap_or(NOT_AVAILABLE),
        'T' => path.access.as_deref().unwrap_or(NOT_AVAILABLE),
        'p' => match path.access.as_deref() {
            None => NOT_AVAILABLE,
            Some("optimized") => "50",
            Some("non-optimized") => "10",
            Some(_) => "0",
        },
        's' => return format!("{VENDOR},{},{}", path.model, path.firmware),
        'S' => return path.sectors.to_string(),
        'z' => &path.serial,
        'm' => space.name.as_str(),
        'N' | 'R' => return format!("{}:{}", path.transport, path.address),
        'G' => return format!("[{LIBRARY}]"),
        'a' if path.transport == "pcie" => return format!("PCI:{}", path.address),
        _ => NOT_AVAILABLE,
    };
    text.into()
}

/// `nvme0c1n2` → `0:1:2`: subsystem, controller, namespace.
fn address(name: &str) -> String {
    let numbers = name.strip_prefix("nvme").and_then(|rest| {
        let (subsystem, rest) = rest.split_once('c')?;
        let (controller, space) = rest.split_once('n')?;
        let is_number = |text: &&str| text.parse::<u32>().is_ok();
        [subsystem, controller, space].iter().all(is_number).then_some([subsystem, controller, space])
    });
    numbers.map_or_else(|| format!("(ERR:{name})"), |numbers| numbers.join(":"))
}

/// Its tree: each path is a group of its own.
pub fn write_tree(out: &mut String, space: &Namespace, columns: &Layout<'_, PathView>) {
    for format in ["%w [%G]:%d %s", "size=%S features='%f' hwhandler='%h' wp=%r"] {
        Layout::<MapView>::new(MAP, format).write_of(out, |letter| namespace_cell(space, letter));
    }
    for (index, path) in space.paths.iter().enumerate() {
        let (branch, trunk) = if index + 1 == space.paths.len() { ('`', ' ') } else { ('|', '|') };
        let cell = |letter| path_cell(space, path, letter);
        let (priority, status) = (cell('p'), cell('T'));
        let _ = writeln!(out, "{branch}-+- policy='{NOT_AVAILABLE}' prio={priority} status={status}");
        let _ = write!(out, "{trunk} `- ");
        columns.write_of(out, cell);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{show, tests};
    use super::*;
    use crate::ctl::Show;
    use crate::types::DevT;

    /// A path; one without asymmetric access through PCI.
    fn path(controller: u32, access: Option<&str>) -> NamespacePath {
        let on_pci = access.is_none();
        NamespacePath {
            name: format!("nvme0c{controller}n1").as_str().into(),
            wwid: "uuid.1".into(),
            devt: DevT::default(),
            sectors: 131_072,
            access: access.map(ToString::to_string),
            state: Some(if controller == 0 { "live" } else { "connecting" }.into()),
            transport: if on_pci { "pcie" } else { "tcp" }.into(),
            address: if on_pci { "0000:00:04.0" } else { "traddr=127.0.0.1,trsvcid=4421" }.into(),
            model: "Linux".into(),
            firmware: "6.1.0".into(),
            serial: "5e51".into(),
        }
    }

    fn space(paths: Vec<NamespacePath>) -> Namespace {
        Namespace {
            name: "nvme0n1".into(),
            wwid: "uuid.1".into(),
            nsid: 1,
            sectors: 131_072,
            read_only: Some(false),
            nqn: "lab".into(),
            model: "Linux".into(),
            firmware: "6.1.0".into(),
            paths,
        }
    }

    fn shown(what: &Show) -> String {
        let native = vec![space(vec![path(0, Some("optimized")), path(1, Some("inaccessible"))])];
        show(&super::super::view::View { native, maps: Vec::new(), ..tests::view() }, what).expect("shown")
    }

    #[test]
    fn each_path_is_a_group_and_lines_up_with_those_of_maps() {
        let tree = shown(&Show::MapsTopology);
        let lines: Vec<&str> = tree.lines().collect();
        assert_eq!(lines[0], "uuid.1 [nvme]:nvme0n1 NVMe,Linux,6.1.0");
        assert_eq!(lines[1], "size=131072 features='n/a' hwhandler='ANA' wp=rw");
        assert_eq!(lines[2], "|-+- policy='n/a' prio=50 status=optimized");
        let cells = |line: &str| line.split_ascii_whitespace().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(cells(lines[3]), ["|", "`-", "0:0:1", "nvme0c0n1", "0:0", "n/a", "optimized", "live"]);
        assert_eq!(lines[4], "`-+- policy='n/a' prio=0 status=inaccessible");
        assert_eq!(cells(lines[5])[1..], ["0:1:1", "nvme0c1n1", "0:0", "n/a", "inaccessible", "connecting"]);
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn rows_follow_those_of_maps_and_paths() {
        let maps = shown(&Show::Maps { format: Some("%n|%w|%d|%N|%S|%h|%G|%F".into()), raw: true });
        assert_eq!(maps, "lab:nsid.1|uuid.1|nvme0n1|1|131072|ANA|nvme|n/a\n");
        let paths = shown(&Show::Paths { format: Some("%d %m %i %p %N %G %a %c".into()), raw: true });
        let last = "nvme0c1n1 nvme0n1 0:1:1 0 tcp:traddr=127.0.0.1,trsvcid=4421 [nvme] n/a n/a";
        assert_eq!(paths.lines().last(), Some(last));
    }

    #[test]
    fn what_has_no_groups_of_access_has_no_priority() {
        let space = space(vec![path(3, None)]);
        let cell = |letter| path_cell(&space, &space.paths[0], letter);
        assert_eq!(['p', 'T', 'a'].map(cell), ["n/a", "n/a", "PCI:0000:00:04.0"]);
        assert_eq!(namespace_cell(&space, 'h'), "n/a");
        assert_eq!(address("nvme0n1"), "(ERR:nvme0n1)");
    }
}
