//! Words that keywords take, and what each of them means.

use super::kind::{INT_MAX, Kind, NumberKind, Word};

/// One whose name says what it does, where its keyword is known.
pub(super) const fn word(text: &'static str) -> Word {
    says(text, "")
}
/// One that needs to be explained.
pub(super) const fn says(text: &'static str, doc: &'static str) -> Word {
    Word { text, means: text, old: false, doc }
}
pub(super) const fn same(text: &'static str, means: &'static str) -> Word {
    Word { text, means, old: false, doc: "" }
}
pub(super) const fn old(text: &'static str, means: &'static str) -> Word {
    Word { text, means, old: true, doc: "" }
}

/// 0 is a value of its own here: what is below 1 otherwise becomes 1.
pub(super) const OFF_NUMBER: Kind = from_one(&[word("off"), word("0")]);
pub(super) const NO_NUMBER: Kind = from_one(&[word("no"), same("0", "no")]);

const fn from_one(words: &'static [Word]) -> Kind {
    Kind::Number(NumberKind { min: 1, max: INT_MAX, words, zero_unsets: false })
}

pub(super) const YES_NO_WORDS: &[Word] = &[word("yes"), word("no"), same("1", "yes"), same("0", "no")];
pub(super) const YES_NO: Kind = Kind::Words(YES_NO_WORDS);

pub(super) const FIND: Kind = Kind::Words(&[
    says("off", "every disk that is not excluded; `multipath -u` says yes to those that `strict` takes"),
    says("on", "those that `strict` takes, and disks whose WWID a second one shows"),
    says("strict", "disks whose WWID is in /etc/multipath/wwids, and those of which there is a map already"),
    says("greedy", "every disk that is not excluded, and `multipath -u` says yes to it"),
    says(
        "smart",
        "as `on`; a disk that comes alone is kept from others by udev's rules until a second one comes, or \
         find_multipaths_timeout is over",
    ),
    same("no", "off"),
    same("0", "off"),
    same("yes", "on"),
    same("1", "on"),
]);

pub(super) const MARGINAL_GROUPS: Kind = Kind::Words(&[
    says("off", "a marginal path is not used until it is good again"),
    says("on", "marginal paths go to groups of their own, which are used last"),
    says(
        "fpin",
        "the same, and which paths are marginal is told by the Fibre Channel fabric (FPIN); marginal_path_*, \
         san_path_err_* and delay_* do nothing then",
    ),
    same("no", "off"),
    same("0", "off"),
    same("yes", "on"),
    same("1", "on"),
]);

pub(super) const FLUSH: Kind = Kind::Words(&[
    says("never", "it goes on waiting"),
    says("always", "it fails"),
    says("unused", "it fails, if nobody has the map open"),
    old("yes", "always"),
    old("1", "always"),
    old("no", "unused"),
    old("0", "unused"),
]);

pub(super) const RESIZE: Kind = Kind::Words(&[
    says("never", "not by itself: `resize map` does it"),
    says("grow_only", "when they have become larger"),
    says("grow_shrink", "when they have become larger or smaller"),
]);

pub(super) const CHECKER_ERRORS: Kind =
    Kind::Words(&[says("once", "at its first occurrence only"), says("always", "each time")]);

pub(super) const RR_WEIGHTS: Kind =
    Kind::Words(&[says("priorities", "it was multiplied"), says("uniform", "it was not")]);

pub(super) const VPD_VENDORS: Kind = Kind::Words(&[says("hp3par", "the volume's name, of HP 3PAR")]);

pub(super) const FAILBACK_WORDS: &[Word] = &[
    says("manual", "never by itself"),
    says("immediate", "at once"),
    says(
        "followover",
        "when the first path of that group comes back, not when it only has become the better one",
    ),
];

pub(super) const RETRY_WORDS: &[Word] =
    &[says("fail", "it fails at once"), says("queue", "it waits for ever"), same("0", "fail")];

pub(super) const CHECKERS: Kind = Kind::Words(&[
    says("tur", "TEST UNIT READY"),
    says("directio", "a read of one block, past every cache of the host"),
    says("readsector0", "READ of the first sector, as a SCSI command"),
    says("none", "nothing is asked: the state that the kernel shows in sysfs"),
    says("rdac", "page C9h of LSI's and NetApp's arrays with RDAC"),
    says("emc_clariion", "page C0h of CLARiiON, VNX and Unity"),
    says("hp_sw", "INQUIRY and TEST UNIT READY of HP's arrays with a standby controller (HSG, MSA, HSV)"),
    says("cciss_tur", "TEST UNIT READY, for HP's Smart Array controllers"),
    old("hp_tur", "tur"),
]);

pub(super) const PRIOS: Kind = Kind::Words(&[
    says("const", "1 for every path"),
    says("alua", "asymmetric access of SCSI: REPORT TARGET PORT GROUPS, asked through the path"),
    says("sysfs", "asymmetric access of SCSI, as the kernel's hardware handler shows it in sysfs"),
    says("ana", "asymmetric access of NVMe"),
    says("emc", "page C0h of CLARiiON, VNX and Unity"),
    says("rdac", "page C9h of LSI's and NetApp's arrays with RDAC"),
    says("hp_sw", "TEST UNIT READY of HP's arrays with a standby controller"),
    says("hds", "controller and LUN of Hitachi's modular arrays"),
    says("ontap", "port of NetApp's filers"),
    says("random", "from 1 to 10, another one each time"),
    says("weightedpath", "what prio_args say of the address, name, serial number or port; 0 for all others"),
    says("path_latency", "how long reads of the path take"),
    says("datacore", "whether the path leads to the storage server that prio_args name"),
    says("iet", "20 through the iSCSI portal that prio_args name, 10 through all others"),
    old("none", "const"),
    old("netapp", "ontap"),
    old("tpc", "rdac"),
    old("weighted", "weightedpath"),
]);

pub(super) const POLICIES: Kind = Kind::Words(&[
    says("failover", "a group for each path"),
    says("multibus", "one group with all paths"),
    says("group_by_serial", "a group for each serial number"),
    says("group_by_prio", "a group for each priority"),
    says("group_by_node_name", "a group for each node name of a target"),
    says("group_by_tpg", "a group for each target port group; a path that tells of none is alone"),
]);

pub(super) const PROTOCOLS: Kind = Kind::Words(&[
    says("scsi:fcp", "Fibre Channel"),
    says("scsi:spi", "parallel SCSI"),
    says("scsi:ssa", "Serial Storage Architecture"),
    says("scsi:sbp", "FireWire"),
    says("scsi:srp", "RDMA (SRP)"),
    says("scsi:iscsi", "iSCSI"),
    says("scsi:sas", "SAS"),
    says("scsi:adt", "Automation/Drive Interface"),
    says("scsi:ata", "ATA"),
    says("scsi:usb", "USB"),
    says("scsi:unspec", "any other SCSI"),
    says("ccw", "DASD"),
    says("cciss", "HP's Smart Array controllers"),
    says("nvme:pcie", "NVMe on PCI Express"),
    says("nvme:rdma", "NVMe over RDMA"),
    says("nvme:fc", "NVMe over Fibre Channel"),
    says("nvme:tcp", "NVMe over TCP"),
    says("nvme:loop", "NVMe of the same machine's target"),
    says("nvme:apple-nvme", "NVMe of Apple's own controllers"),
    says("nvme:unspec", "any other NVMe"),
    says("undef", "none of these"),
]);
