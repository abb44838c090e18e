//! The multipath target (dm-mpath.c): tables, messages, status, choice of a path.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use libmp::dm::table::Table;
use libmp::types::{DevT, Errno};

/// A block device that a table refers to: its number, and which device of that number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DiskRef {
    pub devt: DevT,
    pub generation: u64,
}

/// What the kernel finds under a device number when a table is loaded.
#[derive(Debug, Clone)]
pub struct Found {
    pub generation: u64,
    pub sectors: u64,
    pub read_only: bool,
    /// Name of the attached hardware handler.
    pub handler: Option<&'static str>,
}

/// Finds block devices by number.
pub type Lookup<'a> = &'a dyn Fn(DevT) -> Result<Found, Errno>;

/// `ST_MAX_RELATIVE_THROUGHPUT`
const MOST_THROUGHPUT: u32 = 100;

/// Path selectors that this kernel has (the module of `historical-service-time` is not there).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    RoundRobin,
    ServiceTime,
    QueueLength,
}

impl Selector {
    fn named(name: &str) -> Option<Self> {
        [Self::RoundRobin, Self::ServiceTime, Self::QueueLength].into_iter().find(|one| one.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::ServiceTime => "service-time",
            Self::QueueLength => "queue-length",
        }
    }

    /// Arguments a path in tables and in the status.
    const fn args(self) -> (usize, usize) {
        match self {
            Self::RoundRobin => (1, 0),
            Self::ServiceTime => (2, 2),
            Self::QueueLength => (1, 1),
        }
    }
}

/// Hardware handlers that it has.
const HANDLERS: &[&str] = &["alua", "emc", "hp_sw", "rdac"];

/// Modules that a table needs and this kernel has not; of the handler, which comes last, nothing is known before the selectors are there.
pub fn missing_modules(params: &str) -> Vec<String> {
    let Ok(table) = params.parse::<Table>() else { return Vec::new() };
    let selectors: BTreeSet<&str> = table.groups.iter().map(|group| group.selector.name.as_str()).collect();
    let missing = selectors.into_iter().filter(|name| Selector::named(name).is_none());
    let missing: Vec<String> = missing.map(|name| format!("dm-{name}")).collect();
    let handler =
        table.handler.first().filter(|name| missing.is_empty() && !HANDLERS.contains(&name.as_str()));
    missing.into_iter().chain(handler.map(|name| format!("scsi_dh_{name}"))).collect()
}

/// A path of a group.
#[derive(Debug, Clone)]
pub struct Path {
    pub disk: DiskRef,
    pub active: bool,
    pub fail_count: u32,
    throughput: u32,
    /// The disk's length; 0: nobody knows.
    sectors: u64,
}

/// A path group.
#[derive(Debug, Clone)]
pub struct Group {
    selector: Selector,
    pub bypassed: bool,
    pub paths: Vec<Path>,
    turn: usize,
}

/// An instance of the target.
#[derive(Debug, Clone, Default)]
pub struct Mpath {
    pub queue_if_no_path: bool,
    /// What it was before a flushing suspend switched it off.
    saved_queueing: Option<bool>,
    retain_handler: bool,
    pub pg_init_retries: u32,
    pg_init_delay_ms: Option<u32>,
    queue_mode: Option<String>,
    handler: Option<String>,
    pub groups: Vec<Group>,
    pub current: Option<usize>,
    next: Option<usize>,
    /// No I/O has come yet (`MPATHF_QUEUE_IO`), as the status says.
    untouched: bool,
    /// Its handler was asked to make a group ready, which takes no time here.
    made_ready: bool,
}

/// What a message or an I/O error did, as the kernel announces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The event counter moves and udev hears of it.
    PathFailed(DevT),
    PathReinstated(DevT),
    /// The event counter moves.
    Group,
    /// Nobody is told.
    Silent,
}

struct Args<'a>(std::str::SplitAsciiWhitespace<'a>);

impl<'a> Args<'a> {
    fn word(&mut self) -> Result<&'a str, Errno> {
        self.0.next().ok_or(Errno::EINVAL)
    }
    fn number(&mut self, most: u32) -> Result<u32, Errno> {
        self.word()?.parse().ok().filter(|n| *n <= most).ok_or(Errno::EINVAL)
    }
}

impl Mpath {
    pub const fn is_bio_based(&self) -> bool {
        self.queue_mode.is_some()
    }

    /// Reads a table's parameters as `multipath_ctr` does.
    pub fn parse(params: &str, read_only: bool, lookup: Lookup<'_>) -> Result<Self, Errno> {
        let mut args = Args(params.split_ascii_whitespace());
        let mut target = Self { untouched: true, ..Self::default() };
        target.parse_features(&mut args)?;
        target.parse_handler(&mut args)?;
        let groups = args.number(1024)?;
        let first = args.number(1024)?;
        if (groups == 0) != (first == 0) {
            return Err(Errno::EINVAL);
        }
        for _ in 0..groups {
            let group = target.parse_group(&mut args, read_only, lookup)?;
            target.groups.push(group);
        }
        target.next =
            usize::try_from(first).ok().and_then(|n| n.checked_sub(1)).filter(|n| *n < target.groups.len());
        if args.0.next().is_some() {
            return Err(Errno::EINVAL);
        }
        Ok(target)
    }

    fn parse_features(&mut self, args: &mut Args<'_>) -> Result<(), Errno> {
        let mut left = args.number(8)?;
        while left > 0 {
            let feature = args.word()?;
            left -= 1;
            let takes_one = matches!(feature, "pg_init_retries" | "pg_init_delay_msecs" | "queue_mode");
            if takes_one {
                left = left.checked_sub(1).ok_or(Errno::EINVAL)?;
            }
            match feature {
                "queue_if_no_path" => self.queue_if_no_path = true,
                "retain_attached_hw_handler" => self.retain_handler = true,
                "pg_init_retries" => self.pg_init_retries = args.number(50)?,
                "pg_init_delay_msecs" => self.pg_init_delay_ms = Some(args.number(60_000)?),
                "queue_mode" => {
                    let mode = args.word()?;
                    match mode {
                        "bio" => self.queue_mode = Some(mode.to_owned()),
                        "rq" | "mq" => self.queue_mode = None,
                        _ => return Err(Errno::EINVAL),
                    }
                }
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(())
    }

    fn parse_handler(&mut self, args: &mut Args<'_>) -> Result<(), Errno> {
        let count = args.number(1024)?;
        if count > 0 {
            self.handler = Some(args.word()?.to_owned());
            for _ in 1..count {
                args.word()?;
            }
        }
        // One made of bios only takes over what is attached.
        if self.is_bio_based() {
            self.retain_handler = true;
            self.handler = None;
        }
        Ok(())
    }

    fn parse_group(
        &mut self,
        args: &mut Args<'_>,
        read_only: bool,
        lookup: Lookup<'_>,
    ) -> Result<Group, Errno> {
        let selector = Selector::named(args.word()?).ok_or(Errno::EINVAL)?;
        // None of these selectors looks at what it is given.
        for _ in 0..args.number(1024)? {
            args.word()?;
        }
        let (paths, per_path) = (args.number(1024)?, args.number(1024)?);
        if paths == 0 {
            return Err(Errno::EINVAL);
        }
        if usize::try_from(per_path).expect("32 bits") > selector.args().0 {
            return Err(Errno::EINVAL);
        }
        let mut group = Group { selector, bypassed: false, paths: Vec::new(), turn: 0 };
        for _ in 0..paths {
            let devt: DevT = args.word()?.parse().map_err(|_| Errno::ENODEV)?;
            let mut extra = Vec::new();
            for at in 0..per_path {
                extra.push(args.number(if at == 0 { u32::MAX } else { MOST_THROUGHPUT })?);
            }
            let found = lookup(devt)?;
            if found.read_only && !read_only {
                return Err(Errno(30)); // EROFS
            }
            self.attach(found.handler)?;
            let throughput = extra.get(1).copied().unwrap_or(1);
            let disk = DiskRef { devt, generation: found.generation };
            let sectors = found.sectors;
            group.paths.push(Path { disk, active: true, fail_count: 0, throughput, sectors });
        }
        Ok(group)
    }

    /// A path with this handler comes in. Asked for another, the kernel says EBUSY to itself and keeps the one that is attached
    /// (`setup_scsi_dh`). One that it has not got is not asked for where the attached one is retained anyway.
    fn attach(&mut self, attached: Option<&str>) -> Result<(), Errno> {
        let unknown = self.handler.as_deref().is_some_and(|name| !HANDLERS.contains(&name));
        let retained = self.retain_handler && attached.is_some();
        if unknown && !retained {
            return Err(Errno::EINVAL);
        }
        if let Some(name) = attached.filter(|_| retained || self.handler.is_some()) {
            self.handler = Some(name.to_owned());
        }
        Ok(())
    }

    /// All its paths.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.groups.iter().flat_map(|group| &group.paths)
    }

    /// Is each of its disks as long as that (`device_area_is_invalid`)?
    pub fn reaches(&self, sectors: u64) -> bool {
        self.paths().all(|path| path.sectors == 0 || sectors <= path.sectors)
    }

    /// How many paths it may use.
    pub fn valid_paths(&self) -> usize {
        self.paths().filter(|path| path.active).count()
    }

    fn path_mut(&mut self, devt: DevT) -> Option<&mut Path> {
        self.groups.iter_mut().flat_map(|group| &mut group.paths).find(|path| path.disk.devt == devt)
    }

    /// A message to the running target.
    pub fn message(&mut self, text: &str) -> Result<Change, Errno> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        match words[..] {
            ["queue_if_no_path"] => {
                self.queue_if_no_path = true;
                Ok(Change::Silent)
            }
            ["fail_if_no_path"] => {
                self.queue_if_no_path = false;
                Ok(Change::Silent)
            }
            ["disable_group", number] => self.bypass(number, true),
            ["enable_group", number] => self.bypass(number, false),
            ["switch_group", number] => {
                let group = self.group_number(number)?;
                // Of all groups, whichever is meant (`switch_pg_num`).
                self.groups.iter_mut().for_each(|group| group.bypassed = false);
                self.current = None;
                self.next = Some(group);
                Ok(Change::Group)
            }
            ["fail_path", devt] => self.fail(devt.parse().map_err(|_| Errno::EINVAL)?),
            ["reinstate_path", devt] => {
                let devt = devt.parse().map_err(|_| Errno::EINVAL)?;
                let path = self.path_mut(devt).ok_or(Errno::EINVAL)?;
                if path.active {
                    return Ok(Change::Silent);
                }
                path.active = true;
                Ok(Change::PathReinstated(devt))
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// The kernel or somebody says that a path is not to be used.
    pub fn fail(&mut self, devt: DevT) -> Result<Change, Errno> {
        let path = self.path_mut(devt).ok_or(Errno::EINVAL)?;
        if !path.active {
            return Ok(Change::Silent);
        }
        path.active = false;
        path.fail_count += 1;
        Ok(Change::PathFailed(devt))
    }

    fn group_number(&self, text: &str) -> Result<usize, Errno> {
        let number: usize = text.parse().map_err(|_| Errno::EINVAL)?;
        number.checked_sub(1).filter(|n| *n < self.groups.len()).ok_or(Errno::EINVAL)
    }

    fn bypass(&mut self, number: &str, bypassed: bool) -> Result<Change, Errno> {
        let group = self.group_number(number)?;
        self.groups[group].bypassed = bypassed;
        self.current = None;
        Ok(Change::Group)
    }

    /// `choose_pgpath`: which path the next I/O takes.
    pub fn choose(&mut self) -> Option<DiskRef> {
        self.untouched = false;
        if self.valid_paths() == 0 {
            self.current = None;
            return None;
        }
        if let Some(path) = self.next.take().and_then(|group| self.choose_in(group)) {
            return Some(path);
        }
        if let Some(path) = self.current.and_then(|group| self.choose_in(group)) {
            return Some(path);
        }
        for bypassed in [false, true] {
            for group in 0..self.groups.len() {
                if self.groups[group].bypassed == bypassed
                    && let Some(path) = self.choose_in(group)
                {
                    return Some(path);
                }
            }
        }
        self.current = None;
        None
    }

    fn choose_in(&mut self, number: usize) -> Option<DiskRef> {
        let group = &mut self.groups[number];
        let count = group.paths.len();
        let at = (0..count).map(|i| (group.turn + i) % count).find(|i| group.paths[*i].active)?;
        group.turn = (at + 1) % count;
        let disk = group.paths[at].disk;
        self.current = Some(number);
        self.made_ready |= self.handler.is_some();
        Some(disk)
    }

    /// A suspend that flushes ends queueing for its time (`multipath_presuspend`).
    pub fn presuspend(&mut self, noflush: bool) {
        if !noflush || self.queue_mode.is_some() {
            self.saved_queueing.get_or_insert(self.queue_if_no_path);
            self.queue_if_no_path = false;
        }
    }

    /// `multipath_resume`: queueing is as it was.
    pub fn resume(&mut self) {
        if let Some(saved) = self.saved_queueing.take() {
            self.queue_if_no_path = saved;
        }
    }

    fn next_group(&self) -> usize {
        match self.next.or(self.current) {
            Some(group) => group + 1,
            None => usize::from(!self.groups.is_empty()),
        }
    }

    /// The table as the kernel prints it, blanks at its end.
    pub fn table(&self) -> String {
        let mut features = Vec::new();
        if self.queue_if_no_path {
            features.push("queue_if_no_path".to_owned());
        }
        if self.pg_init_retries > 0 {
            features.push(format!("pg_init_retries {}", self.pg_init_retries));
        }
        if let Some(delay) = self.pg_init_delay_ms {
            features.push(format!("pg_init_delay_msecs {delay}"));
        }
        if self.retain_handler {
            features.push("retain_attached_hw_handler".to_owned());
        }
        if let Some(mode) = &self.queue_mode {
            features.push(format!("queue_mode {mode}"));
        }
        let words: usize = features.iter().map(|f| f.split(' ').count()).sum();
        let mut out = format!("{words} ");
        for feature in features {
            let _ = write!(out, "{feature} ");
        }
        match &self.handler {
            Some(handler) => {
                let _ = write!(out, "1 {handler} ");
            }
            None => out.push_str("0 "),
        }
        let _ = write!(out, "{} {} ", self.groups.len(), self.next_group());
        for group in &self.groups {
            let (args, _) = group.selector.args();
            let _ = write!(out, "{} 0 {} {args} ", group.selector.name(), group.paths.len());
            for path in &group.paths {
                let _ = write!(out, "{} ", path.disk.devt);
                match group.selector {
                    Selector::ServiceTime => {
                        let _ = write!(out, "1 {} ", path.throughput);
                    }
                    Selector::RoundRobin | Selector::QueueLength => out.push_str("1 "),
                }
            }
        }
        out
    }

    /// The status line as the kernel prints it.
    pub fn status(&self) -> String {
        let (waits, tries) = (u8::from(self.untouched), u8::from(self.made_ready));
        let mut out = format!("2 {waits} {tries} 0 {} {} ", self.groups.len(), self.next_group());
        for (number, group) in self.groups.iter().enumerate() {
            let state = match (group.bypassed, self.current == Some(number)) {
                (true, _) => 'D',
                (false, true) => 'A',
                (false, false) => 'E',
            };
            let (_, args) = group.selector.args();
            let _ = write!(out, "{state} 0 {} {args} ", group.paths.len());
            for path in &group.paths {
                let flag = if path.active { 'A' } else { 'F' };
                let _ = write!(out, "{} {flag} {} ", path.disk.devt, path.fail_count);
                match group.selector {
                    Selector::ServiceTime => {
                        let _ = write!(out, "0 {} ", path.throughput);
                    }
                    Selector::QueueLength => out.push_str("0 "),
                    Selector::RoundRobin => {}
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(devt: DevT) -> Result<Found, Errno> {
        (devt.major == 8)
            .then_some(Found { generation: 1, sectors: 100, read_only: false, handler: Some("alua") })
            .ok_or(Errno::ENXIO)
    }

    fn load(params: &str) -> Result<Mpath, Errno> {
        Mpath::parse(params, false, &find)
    }

    #[test]
    fn tables_come_back_as_the_kernel_writes_them() {
        let target = load("1 queue_if_no_path 0 2 1 round-robin 0 1 1 8:0 1000 round-robin 0 1 0 8:16")
            .expect("valid");
        assert_eq!(
            target.table(),
            "1 queue_if_no_path 0 2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1 "
        );
        assert_eq!(target.status(), "2 1 0 0 2 1 E 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
        let target =
            load("1 retain_attached_hw_handler 0 1 1 service-time 0 2 1 8:0 1 8:16 1").expect("valid");
        assert_eq!(
            target.table(),
            "1 retain_attached_hw_handler 1 alua 1 1 service-time 0 2 2 8:0 1 1 8:16 1 1 "
        );
        assert_eq!(load("0 0 0 0").expect("an empty map is valid").table(), "0 0 0 0 ");
    }

    #[test]
    fn what_the_kernel_refuses() {
        for (bad, errno) in [
            ("", Errno::EINVAL),
            ("0 0 1 0", Errno::EINVAL),
            ("1 bogus 0 0 0", Errno::EINVAL),
            ("0 0 1 1 service-time 0 1 1 9:0 1", Errno::ENXIO),
            ("0 0 1 1 service-time 0 2 1 8:0 1", Errno::EINVAL),
            ("0 0 1 1 historical-service-time 0 1 1 8:0 1", Errno::EINVAL),
            ("0 0 1 1 service-time 0 1 1 8:0 1 trailing", Errno::EINVAL),
        ] {
            assert_eq!(load(bad).map(|t| t.table()), Err(errno), "{bad}");
        }
    }

    #[test]
    fn groups_are_left_when_their_last_path_fails_and_switched_to_on_demand() {
        let mut target = load("0 0 2 1 service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1").expect("valid");
        assert_eq!(target.choose().map(|d| d.devt), Some(DevT::new(8, 0)));
        assert_eq!(target.fail(DevT::new(8, 0)), Ok(Change::PathFailed(DevT::new(8, 0))));
        assert_eq!(target.fail(DevT::new(8, 0)), Ok(Change::Silent));
        assert_eq!(target.choose().map(|d| d.devt), Some(DevT::new(8, 16)));
        assert_eq!(target.message("reinstate_path 8:0"), Ok(Change::PathReinstated(DevT::new(8, 0))));
        assert_eq!(target.choose().map(|d| d.devt), Some(DevT::new(8, 16)), "it stays where it is");
        assert_eq!(target.message("switch_group 1"), Ok(Change::Group));
        assert_eq!(target.choose().map(|d| d.devt), Some(DevT::new(8, 0)));
        assert_eq!(target.message("switch_group 3"), Err(Errno::EINVAL));
        assert_eq!(target.message("reinstate_path 8:32"), Err(Errno::EINVAL));
    }
}
