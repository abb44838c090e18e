//! The one table of options: a row per keyword of multipath.conf.
//!
//! Parser, merge, `show config`, diagnostics, provenance and the manual come from it: adding a
//! keyword is adding a row. Defaults are written as a file would write them.

use super::kind::{INT_MAX, INT_MIN, Kind, NumberKind, UINT_MAX, Word};
use super::sorted;
use super::words::{
    CHECKER_ERRORS, CHECKERS, FAILBACK_WORDS, FIND, FLUSH, MARGINAL_GROUPS, NO_NUMBER, OFF_NUMBER, POLICIES,
    PRIOS, PROTOCOLS, RESIZE, RETRY_WORDS, RR_WEIGHTS, VPD_VENDORS, YES_NO, word,
};

/// Where a keyword may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// `defaults { }`
    Defaults,
    /// `blacklist { }`
    Blacklist,
    /// `blacklist { device { } }`
    BlacklistDevice,
    /// `blacklist_exceptions { }`
    Exceptions,
    /// `blacklist_exceptions { device { } }`
    ExceptionsDevice,
    /// `devices { }`
    Devices,
    /// `devices { device { } }`
    Device,
    /// `overrides { }`
    Overrides,
    /// `overrides { protocol { } }`
    Protocol,
    /// `multipaths { }`
    Multipaths,
    /// `multipaths { multipath { } }`
    Multipath,
}

impl Section {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Defaults,
        Self::Blacklist,
        Self::BlacklistDevice,
        Self::Exceptions,
        Self::ExceptionsDevice,
        Self::Devices,
        Self::Device,
        Self::Overrides,
        Self::Protocol,
        Self::Multipaths,
        Self::Multipath,
    ];

    /// The section that it stands in; `None`: it stands alone.
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::BlacklistDevice => Some(Self::Blacklist),
            Self::ExceptionsDevice => Some(Self::Exceptions),
            Self::Device => Some(Self::Devices),
            Self::Protocol => Some(Self::Overrides),
            Self::Multipath => Some(Self::Multipaths),
            _ => None,
        }
    }

    /// The word before its brace.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Defaults => "defaults",
            Self::Blacklist => "blacklist",
            Self::Exceptions => "blacklist_exceptions",
            Self::BlacklistDevice | Self::ExceptionsDevice | Self::Device => "device",
            Self::Devices => "devices",
            Self::Overrides => "overrides",
            Self::Protocol => "protocol",
            Self::Multipaths => "multipaths",
            Self::Multipath => "multipath",
        }
    }

    /// With the section around it: `devices/device`.
    pub const fn path(self) -> &'static str {
        match self {
            Self::BlacklistDevice => "blacklist/device",
            Self::ExceptionsDevice => "blacklist_exceptions/device",
            Self::Device => "devices/device",
            Self::Protocol => "overrides/protocol",
            Self::Multipath => "multipaths/multipath",
            _ => self.word(),
        }
    }

    /// The section that `word` opens inside `parent` (`None`: outside of any).
    pub fn open(parent: Option<Self>, word: &str) -> Option<Self> {
        let word = if parent.is_none() && word == "devnode_blacklist" { "blacklist" } else { word };
        Self::ALL.into_iter().find(|section| section.parent() == parent && section.word() == word)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sections(u16);

impl Sections {
    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Is `section` one of them?
    pub const fn contains(self, section: Section) -> bool {
        self.0 & section.bit() != 0
    }
    /// The sections, in the order of [`Section::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Section> {
        Section::ALL.into_iter().filter(move |section| self.contains(*section))
    }
}

/// Is a keyword still one to write?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Yes.
    Current,
    /// Works, and the note says what to write today.
    Deprecated(&'static str),
    /// Yes, but what it asks for is not there yet: it is shown, and said to do nothing where it asks for more than its default.
    Unsupported(&'static str),
    /// Yes, but nothing here needs it: it is shown, and said to do nothing where it is another than its default.
    Needless(&'static str),
    /// Read and without effect; the note says why.
    Ignored(&'static str),
    /// Works by setting another keyword; the note says what to write today.
    PrioCallout(&'static str),
}

impl Status {
    /// Is it a keyword of today, whatever it does here?
    pub const fn is_current(self) -> bool {
        matches!(self, Self::Current | Self::Unsupported(_) | Self::Needless(_))
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct OptionRow {
    /// Which one it is.
    pub key: Key,
    /// The keyword.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    /// Sections that take it.
    pub sections: Sections,
    /// What it takes.
    pub kind: Kind,
    /// The value if nothing sets it, as a file would write it; `None`: then it is not set.
    pub default: Option<&'static str>,
    /// Is it still one to write?
    pub status: Status,
    /// What it is for.
    pub doc: &'static str,
}

impl OptionRow {
    /// May a block of this section hold it several times?
    pub const fn is_list_in(&self, section: Section) -> bool {
        matches!(section, Section::Blacklist | Section::Exceptions)
    }

    /// What it takes in this section: `!` inverts in blacklists only, a map's WWID is no pattern.
    pub const fn kind_in(&self, section: Section) -> Kind {
        match (self.key, section) {
            (Key::Vendor | Key::Product, Section::Device) => Kind::Pattern,
            (Key::Wwid, Section::Multipath) => Kind::Text,
            _ => self.kind,
        }
    }
}

impl Key {
    /// Its row.
    pub fn row(self) -> &'static OptionRow {
        &OPTIONS[self as usize]
    }

    /// The row of a keyword, by its name or an alias of it.
    pub fn find(name: &str) -> Option<&'static OptionRow> {
        static BY_NAME: [u8; NAMES.len()] = sorted::order(NAMES);
        match BY_NAME.binary_search_by_key(&name, |row| OPTIONS[usize::from(*row)].name) {
            Ok(at) => Some(&OPTIONS[usize::from(BY_NAME[at])]),
            Err(_) => OPTIONS.iter().find(|row| row.aliases.contains(&name)),
        }
    }
}

/// Aliases that are as good as the name.
pub fn is_quiet_alias(name: &str) -> bool {
    name == "checker"
}

macro_rules! options {
    ($($key:ident $name:literal $aliases:tt $sections:ident $kind:expr, $default:expr, $status:expr, $doc:literal;)*) => {
        /// A keyword of multipath.conf.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Key {
            $(#[doc = $doc] $key,)*
        }

        /// Every keyword, in the order in which `show config` writes the `defaults` section.
        pub static OPTIONS: &[OptionRow] = &[
            $(OptionRow {
                key: Key::$key, name: $name, aliases: &$aliases, sections: $sections,
                kind: $kind, default: $default, status: $status, doc: $doc,
            },)*
        ];

        /// Their names.
        pub(in crate::config) const NAMES: &[&str] = &[$($name,)*];
        /// The keywords themselves.
        pub(in crate::config) const KEYS: &[Key] = &[$(Key::$key,)*];
    };
}

const D: Sections = Sections(Section::Defaults.bit());
const B: Sections = Sections(Section::Blacklist.bit() | Section::Exceptions.bit());
const BD: Sections = Sections(Section::BlacklistDevice.bit() | Section::ExceptionsDevice.bit());
const V: Sections = Sections(Section::Device.bit());
const O: Sections = Sections(Section::Overrides.bit());
const P: Sections = Sections(Section::Protocol.bit());
const M: Sections = Sections(Section::Multipath.bit());
const DM: Sections = D.and(M);
const DV: Sections = D.and(V);
const DVM: Sections = DV.and(M);
const DVO: Sections = DV.and(O);
const DVOM: Sections = DVO.and(M);
const DVOP: Sections = DVO.and(P);
const BV: Sections = BD.and(V);
const BM: Sections = B.and(M);

const fn number(min: i64, max: i64) -> Kind {
    Kind::Number(NumberKind { min, max, words: &[], zero_unsets: false })
}
const fn number_or(min: i64, max: i64, words: &'static [Word]) -> Kind {
    Kind::Number(NumberKind { min, max, words, zero_unsets: false })
}
const fn nonzero(max: i64, words: &'static [Word]) -> Kind {
    nonzero_from(0, max, words)
}
const fn nonzero_from(min: i64, max: i64, words: &'static [Word]) -> Kind {
    Kind::Number(NumberKind { min, max, words, zero_unsets: true })
}

use Status::{Current, Deprecated, Ignored, Needless, PrioCallout, Unsupported};

const RR: Status = Ignored("the kernel chooses the next path for each request, so this counts nothing");
const NO_RESERVATIONS: Status =
    Unsupported("persistent reservations are not supported yet, and no key is registered");
const MERGED: Status = Ignored(
    "an entry is merged with the built-in one of exactly the same vendor, product and revision, and adds to all others that match",
);
const FIXED_FILE: Status = Ignored("the file is always in /etc/multipath");
const MARGINAL: Status = Deprecated("the marginal_path_* keywords replace it");

// One row each; the sections are D defaults, V devices/device, O overrides, P overrides/protocol,
// M multipaths/multipath, B blacklist and its exceptions, BD their device subsections.
#[rustfmt::skip]
mod table {
    #![allow(clippy::wildcard_imports)] // of the names above, which the rows are written with
    use super::*;
options! {
    Verbosity "verbosity" [] D number(0, 4), Some("2"), Current,
        "How much is logged, each level with those before it: 0 errors, 1 warnings, 2 notices, 3 information, 4 everything.";
    PollingInterval "polling_interval" [] D number(1, UINT_MAX - 1), Some("5"), Current,
        "Shortest time between two checks of a path, in seconds. Where only max_polling_interval is set, it is a quarter of that.";
    MaxPollingInterval "max_polling_interval" [] D nonzero(UINT_MAX, &[]), None, Current,
        "Longest time between two checks of a path, in seconds; four times polling_interval if not set.";
    ReassignMaps "reassign_maps" [] D YES_NO, Some("no"), Current,
        "Move device-mapper devices that stand on a path directly over to its map.";
    MultipathDir "multipath_dir" [] D Kind::Text, None, Ignored("checkers and prioritizers are part of the program"),
        "Where checkers and prioritizers were loaded from.";
    PathSelector "path_selector" ["selector"] DVOM Kind::Counted(1), Some("service-time 0"), Current,
        "How the kernel chooses the next path in a group, with the count of its arguments.";
    PathGroupingPolicy "path_grouping_policy" [] DVOM POLICIES, Some("failover"), Current,
        "How paths are put into groups. While detect_pgpolicy is on and the priorities of all paths of a map come from `alua` \
         or `sysfs`, it is overruled, in `multipaths` too.";
    UidAttrs "uid_attrs" [] D Kind::UidAttrs, None, Current,
        "Property of udev that holds the WWID, by the beginning of the kernel's name of the device.";
    UidAttribute "uid_attribute" [] DVO Kind::Text, Some("ID_SERIAL"), Current,
        "Property of udev that holds the WWID. Empty: no property is asked, and the disk is known by what it says itself.";
    GetuidCallout "getuid_callout" [] DVO Kind::UidCallout, None,
        Deprecated("the WWID is read as scsi_id would give it, without running a program; uid_attribute replaces it"),
        "Command that printed the WWID.";
    Prio "prio" [] DVOM PRIOS, Some("const"), Current,
        "Where a path's priority comes from.";
    PrioArgs "prio_args" [] DVOM Kind::Text, Some(""), Current,
        "Text for the prioritizer, in the form that is told at prio. It counts beside the prio that holds only, in the same \
         section: with a prio of `multipaths`, that of the same entry; with one of `overrides`, that of `overrides`; with one \
         of `devices`, that of any entry for the device; else that of `defaults`. What stands elsewhere is passed over. For \
         what detect_prio finds it counts, too.";
    PrioCallout "prio_callout" [] DVOM Kind::Text, None, PrioCallout("no program is run for a priority; prio replaces it"),
        "Command that printed a path's priority.";
    Features "features" [] DVOM Kind::Counted(0), Some("0"), Current,
        "Features of the kernel's target, with their count.";
    PathChecker "path_checker" ["checker", "checker_name"] DVO CHECKERS, Some("tur"), Current,
        "How it is found out whether a path works.";
    AliasPrefix "alias_prefix" [] DVO Kind::Name, Some("mpath"), Current,
        "Beginning of the names that user_friendly_names makes.";
    Failback "failback" [] DVOM nonzero(INT_MAX, FAILBACK_WORDS), Some("manual"), Current,
        "When I/O goes back to a better group; a number is the seconds from when it has become the better one.";
    RrMinIo "rr_min_io" [] DVOM number(0, INT_MAX), None, RR,
        "Requests before the next path is taken.";
    RrMinIoRq "rr_min_io_rq" [] DVOM number(0, INT_MAX), None, RR,
        "Requests before the next path is taken.";
    MaxFds "max_fds" [] D number_or(0, INT_MAX, &[word("max")]), Some("max"), Current,
        "How many files the daemon may have open: the limit is raised to that, never lowered. With `max` in a file it \
         is the system's, fs.nr_open; where no file sets it, 1048576 or what the daemon was started with.";
    RrWeight "rr_weight" [] DVOM RR_WEIGHTS, None, RR,
        "Whether rr_min_io is multiplied with the priority.";
    NoPathRetry "no_path_retry" [] DVOM
        number_or(1, INT_MAX, RETRY_WORDS), None, Current,
        "What happens to I/O without a working path; with a number it waits for so many checks.";
    QueueWithoutDaemon "queue_without_daemon" [] D YES_NO, Some("no"), Current,
        "Keep I/O waiting for a path when the daemon stops.";
    CheckerTimeout "checker_timeout" [] D nonzero(INT_MAX, &[]), None, Current,
        "Give up a check after so many seconds; the kernel's SCSI timeout if not set.";
    AllowUsbDevices "allow_usb_devices" [] D YES_NO, Some("no"), Current,
        "Take paths on USB too.";
    PgTimeout "pg_timeout" [] DVM Kind::Text, None, Ignored("the kernel has no such timeout"),
        "Time limit of a group's initialisation.";
    FlushOnLastDel "flush_on_last_del" [] DVOM FLUSH, Some("unused"), Current,
        "Whether waiting I/O fails when the last path of a map is deleted.";
    UserFriendlyNames "user_friendly_names" [] DVOM YES_NO, Some("no"), Current,
        "Name maps mpatha, mpathb, … and remember the names in the bindings file.";
    Mode "mode" [] DM Kind::Mode, None, Current,
        "Permissions of the map's device node.";
    Uid "uid" [] DM Kind::User, None, Current,
        "Owner of the map's device node.";
    Gid "gid" [] DM Kind::Group, None, Current,
        "Group of the map's device node.";
    FastIoFailTmo "fast_io_fail_tmo" [] DVOP OFF_NUMBER, Some("5"), Current,
        "Seconds after which the transport fails I/O to a lost remote port.";
    DevLossTmo "dev_loss_tmo" [] DVOP nonzero(UINT_MAX, &[word("infinity")]), None, Current,
        "Seconds after which the transport removes a lost remote port.";
    EhDeadline "eh_deadline" [] DVOP OFF_NUMBER, None, Current,
        "Longest time for the SCSI error handler, in seconds, before the host is reset.";
    MaxRetries "max_retries" [] D number_or(1, 5, &[word("off"), word("0")]), None, Current,
        "How often the SCSI layer repeats a failed command.";
    BindingsFile "bindings_file" [] D Kind::Text, None, FIXED_FILE,
        "Where the names of user_friendly_names were kept.";
    WwidsFile "wwids_file" [] D Kind::Text, None, FIXED_FILE,
        "Where the WWIDs of known maps were kept.";
    PrkeysFile "prkeys_file" [] D Kind::Text, None, FIXED_FILE,
        "Where reservation keys were kept.";
    LogCheckerErr "log_checker_err" [] D CHECKER_ERRORS, Some("always"), Current,
        "Say a checker's error at its first occurrence only, or each time.";
    ReservationKey "reservation_key" [] DM Kind::ReservationKey, None, NO_RESERVATIONS,
        "Key of the persistent reservations of a map, or `file`.";
    AllTgPt "all_tg_pt" [] DVO YES_NO, Some("no"), NO_RESERVATIONS,
        "Registering a key on one target port registers it on all of them.";
    RetainAttachedHwHandler "retain_attached_hw_handler" [] DVO YES_NO, Some("yes"), Current,
        "Keep the hardware handler that the kernel has attached to a path. Kernels since 4.3 always do.";
    DetectPrio "detect_prio" [] DVO YES_NO, Some("yes"), Current,
        "Ask the device which prioritizer fits it.";
    DetectChecker "detect_checker" ["detect_path_checker"] DVO YES_NO, Some("yes"), Current,
        "Ask the device which checker fits it.";
    DetectPgpolicy "detect_pgpolicy" [] DVO YES_NO, Some("yes"), Current,
        "Group by priority where the priorities of all paths of a map come from `alua` or `sysfs`, whatever \
         path_grouping_policy says, in `multipaths` too; multipath-tools 0.9.4 has no such keyword. `no` has \
         path_grouping_policy hold.";
    DetectPgpolicyUseTpg "detect_pgpolicy_use_tpg" [] DVO YES_NO, Some("no"), Current,
        "detect_pgpolicy groups by target port group and not by priority.";
    ForceSync "force_sync" [] D YES_NO, Some("no"), Needless("no check waits for another"),
        "Checkers run one after the other.";
    StrictTiming "strict_timing" [] D YES_NO, Some("no"), Needless("each path has a timer of its own, which never drifts"),
        "Checks keep to their second.";
    DeferredRemove "deferred_remove" [] DVOM YES_NO, Some("no"), Current,
        "A map in use whose last path has been deleted is removed at its last close.";
    PartitionDelimiter "partition_delimiter" [] D Kind::Delimiter, None, Current,
        "Text between a map's name and a partition's number.";
    ConfigDir "config_dir" [] D Kind::Text, None, Ignored("further files are always in /etc/multipath/conf.d"),
        "Where further configuration files were.";
    DelayWatchChecks "delay_watch_checks" [] DVOM NO_NUMBER, Some("no"), MARGINAL,
        "Checks for which a path that came back is watched.";
    DelayWaitChecks "delay_wait_checks" [] DVOM NO_NUMBER, Some("no"), MARGINAL,
        "Checks that a path must pass before it is used, if it failed while it was watched.";
    SanPathErrThreshold "san_path_err_threshold" [] DVOM NO_NUMBER, Some("no"), MARGINAL,
        "Failures after which a path is not used for a while.";
    SanPathErrForgetRate "san_path_err_forget_rate" [] DVOM NO_NUMBER, Some("no"), MARGINAL,
        "Good checks that make up for one failure.";
    SanPathErrRecoveryTime "san_path_err_recovery_time" [] DVOM NO_NUMBER, Some("no"), MARGINAL,
        "Seconds for which a path that failed too often is not used.";
    MarginalPathErrSampleTime "marginal_path_err_sample_time" [] DVOM NO_NUMBER, Some("no"), Current,
        "Seconds for which a suspicious path is tested with I/O, 120 at least: what is below is taken as 120. Nothing is tested \
         unless marginal_path_double_failed_time, marginal_path_err_rate_threshold and \
         marginal_path_err_recheck_gap_time are set, too.";
    MarginalPathErrRateThreshold "marginal_path_err_rate_threshold" [] DVOM NO_NUMBER, Some("no"), Current,
        "Errors in a thousand requests above which a path is marginal. Without effect unless all four are set: see \
         marginal_path_err_sample_time.";
    MarginalPathErrRecheckGapTime "marginal_path_err_recheck_gap_time" [] DVOM NO_NUMBER, Some("no"), Current,
        "Seconds before a marginal path is tested again. Without effect unless all four are set: see \
         marginal_path_err_sample_time.";
    MarginalPathDoubleFailedTime "marginal_path_double_failed_time" [] DVOM NO_NUMBER, Some("no"), Current,
        "Two failures within so many seconds make a path suspicious. Without effect unless all four are set: see \
         marginal_path_err_sample_time.";
    FindMultipaths "find_multipaths" [] D FIND, Some("strict"), Current,
        "Which disks become multipath devices.";
    UxsockTimeout "uxsock_timeout" [] D number(4000, INT_MAX), Some("4000"), Current,
        "Milliseconds that a client waits for the daemon's answer.";
    RetriggerTries "retrigger_tries" [] D number(0, INT_MAX), Some("3"), Current,
        "How often udev is asked again for a WWID that is missing. A disk that it has not even looked at by then is \
         known by what it says itself, where both would agree.";
    RetriggerDelay "retrigger_delay" [] D number(0, INT_MAX), Some("10"), Current,
        "Seconds between two of these.";
    MissingUevWaitTimeout "missing_uev_wait_timeout" [] D number(0, INT_MAX), Some("30"),
        Needless("udev's rules have finished with a new map, or had ten seconds for it, before it is reloaded"),
        "Seconds that a new map waits for udev before it is reloaded.";
    SkipKpartx "skip_kpartx" [] DVOM YES_NO, Some("no"), Current,
        "No partition devices on the map.";
    PurgeDisconnected "purge_disconnected" [] DVOM YES_NO, Some("no"), Current,
        "Delete paths whose storage says that they are gone for good.";
    DisableChangedWwids "disable_changed_wwids" [] D Kind::Text, None, Ignored("a path whose WWID changed is never used"),
        "Whether a path whose WWID changed was taken out of use.";
    RemoveRetries "remove_retries" [] D number(0, INT_MAX), Some("0"), Current,
        "How often the removal of a busy map is tried again.";
    MaxSectorsKb "max_sectors_kb" [] DVOM nonzero(INT_MAX, &[]), None, Current,
        "Largest request on the paths, in KiB; the kernel's if not set.";
    GhostDelay "ghost_delay" [] DVOM NO_NUMBER, Some("no"), Current,
        "Seconds that a new map with passive paths only waits for an active one.";
    AutoResize "auto_resize" [] D RESIZE, Some("never"), Current,
        "Whether a map follows the size of its paths.";
    FindMultipathsTimeout "find_multipaths_timeout" [] D nonzero_from(INT_MIN, INT_MAX, &[]), Some("-10"), Current,
        "Seconds that `find_multipaths smart` waits for a second path; negative: 1 second for unknown hardware.";
    EnableForeign "enable_foreign" [] D Kind::Pattern, Some("NONE"), Current,
        "Other multipath implementations that are shown, as a regular expression; there is one, `nvme`: the kernel's own.";
    MarginalPathgroups "marginal_pathgroups" [] D MARGINAL_GROUPS, Some("off"), Current,
        "What becomes of marginal paths.";
    RecheckWwid "recheck_wwid" [] DVO YES_NO, Some("no"), Current,
        "Read a path's WWID again when it comes back.";

    Devnode "devnode" [] B Kind::Rule, None, Current,
        "Rule on the kernel's name of a device.";
    Wwid "wwid" [] BM Kind::Rule, None, Current,
        "In a blacklist a rule on WWIDs; in multipaths the WWID of the map.";
    Property "property" [] B Kind::Rule, None, Current,
        "Rule on the names of udev's properties of a device, as it comes and on a reconfigure.";
    BlacklistProtocol "protocol" [] B Kind::Rule, None, Current,
        "Rule on a path's protocol, like scsi:fcp.";
    Vendor "vendor" [] BV Kind::Rule, None, Current,
        "Vendor of a device, as a regular expression.";
    Product "product" [] BV Kind::Rule, None, Current,
        "Product of a device, as a regular expression.";
    Revision "revision" [] V Kind::Pattern, None, Current,
        "Revision of a device's product, as a regular expression.";
    ProductBlacklist "product_blacklist" [] V Kind::Rule, None, Current,
        "Products of the same vendor that are blacklisted.";
    HardwareHandler "hardware_handler" [] V Kind::Counted(0), Some("0"), Current,
        "Module of the kernel that handles the array's peculiarities, with the count of its arguments.";
    VpdVendor "vpd_vendor" [] V VPD_VENDORS, None, Current,
        "Vendor-specific page of a device that `%g` shows.";
    Type "type" [] P PROTOCOLS, None, Current,
        "The protocol that this subsection is for.";
    Alias "alias" [] M Kind::Name, None, Current,
        "Name of the map.";

    UdevDir "udev_dir" [] D Kind::Text, None, Ignored("device nodes are always in /dev"),
        "Where device nodes are.";
    MultipathTool "multipath_tool" [] D Kind::Text, None, Ignored("the daemon runs no program to make maps"),
        "Command that makes maps.";
    PgPrioCalc "pg_prio_calc" [] DVOM Kind::Text, None, Ignored("a group's priority is the average of its working paths'"),
        "How a group's priority is computed.";
    HwtableRegexMatch "hwtable_regex_match" [] D Kind::Text, None, MERGED,
        "How entries of devices met the built-in ones.";
    HwStrMatch "hw_str_match" [] D Kind::Text, None, MERGED,
        "How entries of devices met the built-in ones.";
    NewBindingsInBoot "new_bindings_in_boot" [] D Kind::Text, None, Ignored("the bindings file is written when it can be"),
        "Whether names were made in the initramfs.";
    IgnoreNewBootDevs "ignore_new_boot_devs" [] D Kind::Text, None, Ignored("find_multipaths decides at boot too"),
        "Whether new devices were ignored in the initramfs.";
    AllDevs "all_devs" [] V YES_NO, None, Deprecated("the section `overrides` is for every device, and `devices` for one kind"),
        "The entry is for all devices of the built-in hardware table, and stronger than that.";
    ReloadReadwrite "reload_readwrite" [] D Kind::Text, None, Ignored("a map is as writable as its paths"),
        "Whether maps were made writable again.";
    UnprivSgio "unpriv_sgio" [] DVOM Kind::Text, None, Ignored("the kernel has no such setting"),
        "Whether unprivileged SG_IO was allowed.";

    FlapDampening "flap_dampening" [] DVOM YES_NO, None, Current,
        "A path that fails three times in a row within five minutes of being used again waits before the next time, each time twice as long, up to five minutes, unless it is the last one or its map does not queue; yes if not set.";
}
}
pub(super) use table::{KEYS, NAMES};
pub use table::{Key, OPTIONS};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::kind::RootOnly;

    #[test]
    fn rows_are_where_their_keys_say_and_names_are_unique() {
        let mut names: Vec<&str> = Vec::new();
        for (at, row) in OPTIONS.iter().enumerate() {
            assert_eq!(row.key as usize, at, "{}", row.name);
            assert!(row.doc.ends_with('.'), "{}", row.name);
            names.push(row.name);
            names.extend(row.aliases);
        }
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }

    #[test]
    fn defaults_are_values_of_their_kind() {
        for row in OPTIONS {
            if let Some(default) = row.default {
                let reading = row.kind.read(default, &RootOnly);
                assert!(reading.value.is_some() && reading.remark.is_none(), "{}: {reading:?}", row.name);
            }
        }
    }
}
