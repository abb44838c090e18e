//! The scripts, built in.

/// All scripts there are, by name.
pub const SCRIPTS: &[(&str, &str)] = &[
    ("01-last-path-lost-deferred", include_str!("../scripts/01-last-path-lost-deferred.txt")),
    ("01-last-path-lost", include_str!("../scripts/01-last-path-lost.txt")),
    ("02-failed-flush-keeps-queueing", include_str!("../scripts/02-failed-flush-keeps-queueing.txt")),
    ("02-queueing-comes-back", include_str!("../scripts/02-queueing-comes-back.txt")),
    ("03-shutdown-keeps-queues", include_str!("../scripts/03-shutdown-keeps-queues.txt")),
    ("03-shutdown-with-queues", include_str!("../scripts/03-shutdown-with-queues.txt")),
    ("04-foreign-path", include_str!("../scripts/04-foreign-path.txt")),
    ("05-wwid-changes", include_str!("../scripts/05-wwid-changes.txt")),
    ("09-reinstated-stays", include_str!("../scripts/09-reinstated-stays.txt")),
    ("11-killed-before-load", include_str!("../scripts/11-killed-before-load.txt")),
    ("11-killed-while-suspended", include_str!("../scripts/11-killed-while-suspended.txt")),
    ("12-foreign-devices", include_str!("../scripts/12-foreign-devices.txt")),
    ("12-swapped-aliases", include_str!("../scripts/12-swapped-aliases.txt")),
    ("12-uuid-under-another-name", include_str!("../scripts/12-uuid-under-another-name.txt")),
    ("13-one-alias-for-two", include_str!("../scripts/13-one-alias-for-two.txt")),
    ("15-reads-fail", include_str!("../scripts/15-reads-fail.txt")),
    ("17-everything-hangs", include_str!("../scripts/17-everything-hangs.txt")),
    ("20-another-size", include_str!("../scripts/20-another-size.txt")),
    ("20-no-serial", include_str!("../scripts/20-no-serial.txt")),
    ("21-bindings-not-saved", include_str!("../scripts/21-bindings-not-saved.txt")),
    ("21-killed-at-any-instant", include_str!("../scripts/21-killed-at-any-instant.txt")),
    ("22-no-paths", include_str!("../scripts/22-no-paths.txt")),
];
