//! The configuration as a whole: layers, precedence, couplings, dumps.

use core::time::Duration;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::settings::*;
use super::*;

const NETAPP: DeviceId<'static> =
    DeviceId { vendor: b"NETAPP", product: b"LUN C-Mode", revision: b"9111", protocol: "scsi:iscsi" };
const OTHER: DeviceId<'static> =
    DeviceId { vendor: b"Proware", product: b"proIPS", revision: b"R001", protocol: "scsi:iscsi" };

#[test]
fn a_revision_is_compared_with_that_of_scsi_only() {
    let text = "devices {\ndevice {\nvendor ACME\nproduct DISK\nrevision \"^1\"\nno_path_retry 7\n}\n}\n";
    let (config, _) = Config::load(&[Source { name: "f", text }]);
    for (protocol, matches) in [("scsi:fcp", false), ("nvme:tcp", true), ("ccw", true), ("scsi:fcp", false)] {
        let device = DeviceId { vendor: b"ACME", product: b"DISK", revision: b"2.0", protocol };
        assert_eq!(config.knows(&device), matches, "{protocol}");
    }
}

#[test]
fn what_was_found_for_a_device_is_found_again() {
    let config = Config::load(&[]).0;
    let revisions: Vec<String> = (0..40).map(|number| format!("{number:04}")).collect();
    let vendors = [("NETAPP", "LUN C-Mode"), ("DGC", "VRAID"), ("IBM", "2145"), ("", "")];
    for _ in 0..2 {
        for revision in &revisions {
            for (vendor, product) in vendors {
                let (vendor, product) = (vendor.as_bytes(), product.as_bytes());
                let device = DeviceId { vendor, product, revision: revision.as_bytes(), ..OTHER };
                // A copy knows nothing yet.
                let id = PathId { device, devnode: None, wwid: None };
                assert_eq!(
                    config.path_settings_for(&id),
                    config.clone().path_settings_for(&id),
                    "{device:?}"
                );
            }
        }
    }
}

#[test]
fn a_delimiter_of_partitions_can_be_the_word_for_none() {
    let read = |value: &str| {
        let text = format!("defaults {{\n\tpartition_delimiter {value}\n}}\n");
        let (config, said) = Config::load(&[Source { name: "f", text: &text }]);
        (config.globals().partition_delimiter.clone(), said.len())
    };
    assert_eq!(read("-part"), (Some("-part".into()), 0));
    assert_eq!(read("\"\""), (Some(String::new()), 0));
    assert_eq!(read("/UNSET/"), (None, 0));
    assert_eq!(read("a/b"), (None, 1));
}

/// The file of the walkthrough.
const WALKTHROUGH: &str = r#"defaults {
    udev_dir                /dev
    polling_interval        5
    selector                "round-robin 0"
    path_grouping_policy    multibus
    getuid_callout          "/lib/udev/scsi_id --whitelisted --device=/dev/%n"
    prio_callout            /bin/true
    path_checker            directio
    prio                    const
    rr_min_io               100
    rr_weight               priorities
    failback                immediate
    no_path_retry           fail
    user_friendly_names     yes
}
blacklist {
    devnode "^(ram|sda|raw|loop|fd|md|dm-|sr|scd|st)[0-9]*"
    devnode "^hd[a-z][[0-9]*]"
    devnode "^vd[a-z]"
    devnode "^cciss!c[0-9]d[0-9]*[p[0-9]*]"
}
multipaths {
    multipath {
        wwid    32017001378a8a9ff
        alias   iscsi_data
    }
}
"#;

fn load(text: &str) -> (Config, Vec<Diagnostic>) {
    Config::load(&[Source { name: "f", text }])
}

/// The configuration of a text that nothing is wrong with.
fn good(text: &str) -> Config {
    let (config, diagnostics) = load(text);
    assert!(diagnostics.is_empty(), "{}", diagnostics[0]);
    config
}

fn map(config: &Config, device: &DeviceId<'_>) -> MapSettings {
    config.map_settings(device, &Wwid::from("w"))
}

#[test]
fn nothing_written_means_the_defaults() {
    let config = good("");
    let globals = config.globals();
    assert_eq!(globals.polling_interval, Duration::from_secs(5));
    assert_eq!(globals.max_polling_interval, Duration::from_secs(20));
    assert_eq!(globals.find_multipaths, FindMultipaths::Strict);
    assert_eq!(globals.verbosity, 2);
    assert_eq!(globals.uxsock_timeout, Duration::from_secs(4));
    assert_eq!(globals.max_fds, None);
    let path = config.path_settings(&OTHER);
    assert_eq!(path.uid, UidSource::Udev("ID_SERIAL".into()));
    assert_eq!((path.checker, path.prio), (Checker::Tur, Prioritizer::Const));
    assert!(path.detect_checker && path.detect_prio && path.checker_timeout.is_none());
    let map = map(&config, &OTHER);
    assert_eq!((map.selector.as_str(), map.features.as_str()), ("service-time 0", "0"));
    assert_eq!((map.grouping, map.failback), (GroupingPolicy::Failover, Failback::Manual));
    assert_eq!((map.no_path_retry, map.flush_on_last_del), (NoPathRetry::Undef, FlushOnLastDel::Unused));
    assert_eq!((map.hardware_handler.as_str(), map.alias_prefix.as_str()), ("0", "mpath"));
    assert!(!map.user_friendly_names && map.alias.is_none());
}

#[test]
fn a_limit_of_open_files_is_one_that_a_file_sets() {
    let limit = |value: &str| good(&format!("defaults {{\n max_fds {value}\n}}\n")).globals().max_fds;
    assert_eq!(["4096", "max", "0"].map(limit), [Some(MaxFds::Number(4096)), Some(MaxFds::OfSystem), None]);
}

#[test]
fn what_is_for_reservations_is_kept_and_said_to_do_nothing() {
    let text = "defaults {\n reservation_key 0xabc\n all_tg_pt no\n}\ndevices {\n device {\n vendor V\n product P\n all_tg_pt yes\n }\n}\n";
    let (config, found) = load(text);
    let said: Vec<(Severity, &str, u32)> = found.iter().map(|d| (d.severity, d.code, d.line)).collect();
    assert_eq!(said, [(Severity::Warning, "unsupported", 2), (Severity::Warning, "unsupported", 9)]);
    let why =
        "`all_tg_pt` has no effect: persistent reservations are not supported yet, and no key is registered";
    assert_eq!((found[1].message.as_str(), found[1].stops_reconfigure()), (why, false));
    let dump = config.dump();
    for line in ["\treservation_key 0xabc\n", "\tall_tg_pt \"no\"\n", "\t\tall_tg_pt \"yes\"\n"] {
        assert!(dump.contains(line), "{line}");
    }
}

#[test]
fn the_walkthrough_works_in_full_with_a_note_each() {
    let (config, diagnostics) = load(WALKTHROUGH);
    let mut noted: Vec<String> =
        diagnostics.iter().map(|d| d.message.split('`').nth(1).unwrap().into()).collect();
    noted.sort();
    assert_eq!(
        noted,
        [
            "find_multipaths",
            "getuid_callout",
            "prio_callout",
            "rr_min_io",
            "rr_weight",
            "selector",
            "udev_dir"
        ]
    );
    assert!(diagnostics.iter().all(|d| d.severity == Severity::Note));
    assert_eq!(config.globals().find_multipaths, FindMultipaths::Greedy);
    let wwid = Wwid::from("32017001378a8a9ff");
    let path = config.path_settings(&OTHER);
    assert_eq!(
        (path.uid, path.checker, path.prio),
        (UidSource::ScsiId, Checker::DirectIo, Prioritizer::Const)
    );
    let map = config.map_settings(&OTHER, &wwid);
    assert_eq!((map.selector.as_str(), map.grouping), ("round-robin 0", GroupingPolicy::Multibus));
    assert_eq!((map.failback, map.no_path_retry), (Failback::Immediate, NoPathRetry::Fail));
    assert!(map.user_friendly_names);
    assert_eq!(map.alias, Some(MapName::from("iscsi_data")));
    assert!(config.has_multipath_entry(&wwid));
    assert_eq!(config.aliases(), [(wwid, MapName::from("iscsi_data"))]);
    for (devnode, excluded) in [
        ("sda", true),
        ("sdb", false),
        ("sdc", false),
        ("hda", true),
        ("vda", true),
        ("dm-0", true),
        ("sdaa", true),
    ] {
        let verdict = config.blacklist(&devnode_only(devnode));
        assert_eq!(verdict != BlacklistVerdict::Allowed, excluded, "{devnode}: {verdict:?}");
    }
}

fn devnode_only(devnode: &str) -> BlacklistSubject<'_> {
    BlacklistSubject { devnode, properties: None, device: None, wwid: None, uid_attribute: "ID_SERIAL" }
}

#[test]
fn the_strongest_layer_wins() {
    let defaults = "defaults {\n no_path_retry 1\n}\n";
    let device = "devices {\n device {\n vendor NETAPP\n product LUN\n no_path_retry 2\n }\n}\n";
    let device_later = "devices {\n device {\n vendor NET\n product L\n no_path_retry 3\n }\n}\n";
    let overrides = "overrides {\n no_path_retry 4\n}\n";
    let multipath = "multipaths {\n multipath {\n wwid w\n no_path_retry 5\n }\n}\n";
    let retry = |texts: &[&str]| map(&good(&texts.concat()), &NETAPP).no_path_retry;
    assert_eq!(retry(&[defaults]), NoPathRetry::Queue, "the built-in table is stronger than defaults");
    assert_eq!(map(&good(defaults), &OTHER).no_path_retry, NoPathRetry::Checks(1));
    assert_eq!(retry(&[defaults, device]), NoPathRetry::Checks(2));
    assert_eq!(retry(&[device, device_later]), NoPathRetry::Checks(3));
    assert_eq!(retry(&[device_later, device]), NoPathRetry::Checks(2));
    assert_eq!(retry(&[overrides, device]), NoPathRetry::Checks(4));
    assert_eq!(retry(&[multipath, overrides, device, defaults]), NoPathRetry::Checks(5));
    let config = good(&[multipath, overrides, device, defaults].concat());
    let chain = config.resolve(Key::NoPathRetry, Some(&NETAPP), Some(&Wwid::from("w")));
    let origins: Vec<String> = chain.iter().map(|r| config.origin_text(r.origin)).collect();
    assert_eq!(
        origins,
        ["f:4", "f:8", "f:14", "f:18"],
        "an entry for the same device takes the built-in one's place"
    );
}

#[test]
fn an_entry_for_the_same_device_is_merged_over_the_built_in_one() {
    let config = good("devices {\n device {\n vendor NETAPP\n product LUN\n no_path_retry 7\n }\n}\n");
    let map = map(&config, &NETAPP);
    assert_eq!(map.no_path_retry, NoPathRetry::Checks(7));
    assert_eq!((map.grouping, map.features.as_str()), (GroupingPolicy::ByPrio, "2 pg_init_retries 50"));
    assert_eq!(config.dump().matches("\t\tvendor \"NETAPP\"\n\t\tproduct \"LUN\"\n").count(), 1);
}

#[test]
fn protocol_beats_overrides() {
    let text =
        "overrides {\n fast_io_fail_tmo 9\n protocol {\n type scsi:iscsi\n fast_io_fail_tmo 7\n }\n}\n";
    let config = good(text);
    let value = |protocol| {
        let device = DeviceId { protocol, ..OTHER };
        config.resolve(Key::FastIoFailTmo, Some(&device), None)[0].value.clone()
    };
    assert_eq!((value("scsi:iscsi"), value("scsi:fcp")), (Value::Number(7), Value::Number(9)));
}

#[test]
fn later_sources_are_stronger() {
    let sources = [
        Source { name: "a", text: "defaults {\n prio alua\n polling_interval 7\n}\n" },
        Source { name: "b", text: "defaults {\n prio sysfs\n}\n" },
    ];
    let (config, diagnostics) = Config::load(&sources);
    assert!(diagnostics.is_empty());
    assert_eq!(config.path_settings(&OTHER).prio, Prioritizer::Sysfs);
    assert_eq!(config.globals().polling_interval, Duration::from_secs(7));
}

#[test]
fn queue_if_no_path_is_no_path_retry() {
    let features = "defaults {\n features \"1 queue_if_no_path\"\n}\n";
    let settings = map(&good(features), &OTHER);
    assert_eq!((settings.no_path_retry, settings.features.as_str()), (NoPathRetry::Queue, "0"));
    let both = "defaults {\n features \"3 queue_if_no_path queue_mode bio\"\n no_path_retry fail\n}\n";
    let settings = map(&good(both), &OTHER);
    assert_eq!((settings.no_path_retry, settings.features.as_str()), (NoPathRetry::Fail, "2 queue_mode bio"));
    let config = good(features);
    assert_eq!(config.resolve(Key::NoPathRetry, Some(&OTHER), None)[0].origin, Origin::Implied("features"));
}

#[test]
fn polling_intervals_complete_each_other() {
    for (text, expected) in [
        ("polling_interval 3", (3, 12)),
        ("max_polling_interval 40", (10, 40)),
        ("max_polling_interval 2", (1, 2)),
        ("polling_interval 30\nmax_polling_interval 20", (20, 20)),
    ] {
        let config = good(&format!("defaults {{\n{text}\n}}\n"));
        let globals = config.globals();
        assert_eq!(
            (globals.polling_interval.as_secs(), globals.max_polling_interval.as_secs()),
            expected,
            "{text}"
        );
    }
}

#[test]
fn prio_args_come_with_their_prio() {
    let qsan = DeviceId { vendor: b"Qsan", product: b"x", revision: b"", protocol: "scsi:fcp" };
    let path = good("defaults {\n prio alua\n prio_args \" exclusive_pref_bit\"\n}\n").path_settings(&qsan);
    assert_eq!((path.prio, path.prio_args.as_str()), (Prioritizer::Alua, " exclusive_pref_bit"));
    let text = "devices {\n device {\n vendor Qsan\n product x\n prio alua\n }\n}\n";
    assert_eq!(good(text).path_settings(&qsan).prio_args, "exclusive_pref_bit");
    assert_eq!(good("overrides {\n prio alua\n}\n").path_settings(&qsan).prio_args, "");
}

#[test]
fn uid_attrs_go_by_kernel_name() {
    let config = good("defaults {\n uid_attrs \"sd:ID_A nvme:ID_B\"\n uid_attribute ID_C\n}\n");
    let uid = |devnode| config.path_settings_for(&PathId { device: OTHER, devnode, wwid: None }).uid;
    assert_eq!(uid(Some("sdb")), UidSource::Udev("ID_A".into()));
    assert_eq!(uid(Some("nvme0n1")), UidSource::Udev("ID_B".into()));
    assert_eq!(uid(Some("dasda")), UidSource::Udev("ID_C".into()));
    assert_eq!(uid(None), UidSource::Udev("ID_C".into()));
}

#[test]
fn an_alias_belongs_to_one_map() {
    let text = "multipaths {\n multipath {\n wwid b\n alias x\n }\n multipath {\n wwid a\n alias x\n }\n}\n";
    let (config, diagnostics) = load(text);
    assert_eq!(diagnostics.len(), 1);
    assert_eq!((diagnostics[0].code, diagnostics[0].line), ("alias-twice", 8));
    assert_eq!(config.aliases(), [(Wwid::from("b"), MapName::from("x"))]);
    let with =
        |alias: &str| load(&format!("multipaths {{\n multipath {{\n wwid w\n alias \"{alias}\"\n }}\n}}\n"));
    for bad in ["a/b", "..", "", r"a\x20 b", &format!("x{}y", " ".repeat(32))] {
        let (config, diagnostics) = with(bad);
        assert_eq!((diagnostics.len(), config.aliases().len()), (1, 0), "{bad}");
    }
    for same in ["my disk(1)", r"my\x20disk\x281\x29"] {
        let (config, diagnostics) = with(same);
        assert_eq!(diagnostics, []);
        assert_eq!(config.aliases(), [(Wwid::from("w"), MapName::from("my disk(1)"))]);
        let map = config.map_settings(&OTHER, &"w".into());
        assert_eq!(map.alias, Some(MapName::from("my disk(1)")));
    }
}

#[test]
fn arguments_of_prioritizers_are_read_with_the_file() {
    let (config, diagnostics) = load(
        "defaults {\n prio path_latency\n}\noverrides {\n prio weightedpath\n prio_args \"hctl x 1\"\n}\n\
         devices {\n device {\n vendor A\n product B\n prio iet\n }\n}\n",
    );
    let said: Vec<(&str, u32)> = diagnostics.iter().map(|d| (d.code, d.line)).collect();
    assert_eq!(said, [("prio-args", 2), ("prio-args", 6)]);
    assert_eq!(
        diagnostics[1].message,
        "`prio weightedpath`: prio_args: `hctl` is not one of hbtl, devname, serial, wwn"
    );
    assert_eq!(config.path_settings(&OTHER).prio, Prioritizer::WeightedPath);
    good("defaults {\n prio iet\n prio_args preferredip=10.0.0.0/8\n}\n");
}

#[test]
fn every_checker_and_prioritizer_is_here() {
    for (key, names) in [
        (Key::PathChecker, Checker::ALL.map(Checker::as_str).to_vec()),
        (Key::Prio, Prioritizer::ALL.map(Prioritizer::as_str).to_vec()),
    ] {
        let kind::Kind::Words(words) = key.row().kind else { panic!() };
        let mut taken: Vec<&str> = words.iter().map(|word| word.means).collect();
        let mut names = names;
        taken.sort_unstable();
        names.sort_unstable();
        taken.dedup();
        assert_eq!(taken, names);
    }
    let rdac = DeviceId { vendor: b"LSI", product: b"INF-01-00", revision: b"", protocol: "scsi:fcp" };
    let config = good("overrides {\n path_checker directio\n}\n");
    let path = config.path_settings(&rdac);
    assert_eq!((path.checker, path.device_checker), (Checker::DirectIo, Some(Checker::Rdac)));
    assert_eq!(config.path_settings(&OTHER).device_checker, None);
}

fn verdict(config: &Config, subject: &BlacklistSubject<'_>) -> String {
    match config.blacklist(subject) {
        BlacklistVerdict::Allowed => "allowed".into(),
        BlacklistVerdict::Excluded(BlacklistReason { kind, rule, origin }) => {
            format!("{kind} {rule} {origin}")
        }
    }
}

#[test]
fn blacklist_rules_and_exceptions() {
    let text = "blacklist {\n devnode .*\n wwid ^bad\n protocol fcp\n device {\n vendor EVIL\n }\n}\nblacklist_exceptions {\n devnode ^sd\n wwid badbutgood\n}\n";
    let config = good(text);
    let ok = devnode_only("sda");
    assert_eq!(verdict(&config, &ok), "allowed");
    assert_eq!(verdict(&config, &devnode_only("nvme0n1")), "devnode .* f:2");
    assert_eq!(
        verdict(&good(""), &devnode_only("loop0")),
        "devnode !^(sd[a-z]|dasd[a-z]|nvme[0-9]) built-in"
    );
    let bad = Wwid::from("bad1");
    assert_eq!(verdict(&config, &BlacklistSubject { wwid: Some(&bad), ..ok }), "wwid ^bad f:3");
    let good_wwid = Wwid::from("badbutgood");
    assert_eq!(verdict(&config, &BlacklistSubject { wwid: Some(&good_wwid), ..ok }), "allowed");
    let device = |vendor, product, protocol| Some(DeviceId { vendor, product, revision: b"", protocol });
    let fcp = device(b"X", b"Y", "scsi:fcp");
    assert_eq!(verdict(&config, &BlacklistSubject { device: fcp, ..ok }), "protocol fcp f:4");
    let evil = device(b"EVIL", b"Y", "scsi:sas");
    assert_eq!(verdict(&config, &BlacklistSubject { device: evil, ..ok }), "device EVIL:(null) f:5");
    let xport = device(b"IBM", b"Universal Xport", "scsi:sas");
    assert_eq!(
        verdict(&config, &BlacklistSubject { device: xport, ..ok }),
        "device IBM:Universal Xport built-in"
    );
}

#[test]
fn properties_must_speak_for_a_disk() {
    let config = good("");
    let check = |config: &Config, names: &[&str], uid_attribute: &str| {
        let properties = names.iter().map(|name| ((*name).into(), String::new())).collect();
        let subject =
            BlacklistSubject { properties: Some(&properties), uid_attribute, ..devnode_only("sda") };
        verdict(config, &subject)
    };
    assert_eq!(check(&config, &["ID_SERIAL", "ID_WWN"], "ID_SERIAL"), "allowed");
    assert_eq!(
        check(&config, &["ID_SERIAL", "ID_USB"], "ID_SERIAL"),
        "property (no matching property) built-in"
    );
    assert_eq!(check(&config, &["ID_USB"], "ID_SERIAL"), "allowed", "udev could not read the device");
    assert_eq!(check(&config, &["ID_SERIAL"], ""), "allowed", "the WWID is not udev's");
    let config = good("blacklist {\n property ID_ATA\n}\n");
    assert_eq!(check(&config, &["ID_ATA", "ID_SERIAL", "ID_WWN"], "ID_SERIAL"), "property ID_ATA f:2");
    assert_eq!(
        check(&config, &["ID_SERIAL", "ID_WWN", "ZID_ATA"], "ID_SERIAL"),
        "allowed",
        "the first by name decides"
    );
}

#[test]
fn native_nvme_multipath_is_left_alone() {
    let environment = Environment { native_nvme_multipath: true, ..Environment::default() };
    let (config, _) = Config::load_in(&[], &environment);
    assert_eq!(verdict(&config, &devnode_only("nvme0n1")), "devnode !^(sd[a-z]|dasd[a-z]) built-in");
    assert_eq!(verdict(&config, &devnode_only("sda")), "allowed");
}

#[test]
fn the_built_in_table_is_written_as_it_is_read() {
    let dump = good("").dump();
    let devices = &hwtable::TEXT[hwtable::TEXT.find("devices {").unwrap()..];
    assert!(dump.contains(devices));
    assert!(dump.starts_with(
        "defaults {\n\tverbosity 2\n\tpolling_interval 5\n\tmax_polling_interval 20\n\treassign_maps \"no\"\n"
    ));
    assert!(dump.ends_with("overrides {\n}\n"));
}

#[test]
fn the_local_dump_holds_what_is_there() {
    let text = "multipaths {\n multipath {\n wwid w1\n alias data\n }\n multipath {\n wwid gone\n }\n}\n";
    let config = good(text);
    let maps = [(Wwid::from("w1"), MapName::from("data")), (Wwid::from("w0"), MapName::from("mpatha"))];
    let dump = config.dump_local(&[("Linux".into(), "scsi_debug".into())], &maps);
    assert!(dump.ends_with(
        "devices {\n}\noverrides {\n}\nmultipaths {\n\tmultipath {\n\t\twwid \"w1\"\n\t\talias \"data\"\n\t\t# alias \"data\"\n\t}\n\tmultipath {\n\t\twwid \"w0\"\n\t\t# alias \"mpatha\"\n\t}\n}\n"
    ));
    let dump = config.dump_local(&[("NETAPP".into(), "LUN".into())], &[]);
    assert_eq!(dump.matches("\tdevice {\n\t\tvendor \"NETAPP\"").count(), 1);
}

#[test]
fn the_blacklist_report() {
    let report = good("blacklist {\n devnode ^sda$\n}\n").dump_blacklist();
    assert!(report.starts_with(
        "device node rules:\n- blacklist:\n        (config file rule) ^sda$\n        (default rule)     !^(sd[a-z]|dasd[a-z]|nvme[0-9])\n- exceptions:\n        <empty>\nudev property rules:\n"
    ));
    assert!(report.contains("        (default rule)     Quantum:cvfsctl\n- exceptions:\n"));
}

#[test]
fn the_walkthroughs_dump_reads_back() {
    let (config, _) = load(WALKTHROUGH);
    let (again, diagnostics) = load(&config.dump());
    let codes: BTreeSet<&str> = diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), ["deprecated"]);
    assert_eq!(again.dump(), config.dump());
    assert_eq!(again.path_settings(&OTHER), config.path_settings(&OTHER));
}

/// A line that means something in some section, or nothing at all.
fn line() -> impl Strategy<Value = String> {
    let names: Vec<&str> = OPTIONS.iter().map(|row| row.name).collect();
    let opens = vec![
        "defaults {",
        "blacklist {",
        "blacklist_exceptions {",
        "devices {",
        "device {",
        "overrides {",
        "protocol {",
        "multipaths {",
        "multipath {",
        "}",
        "}",
        "}",
        "bogus {",
        "defaults",
        "{",
        "",
    ];
    let values = vec![
        "yes",
        "no",
        "0",
        "1",
        "5",
        "100000000000",
        "-3",
        "off",
        "infinity",
        "fail",
        "queue",
        "immediate",
        "tur",
        "alua",
        "\"round-robin 0\"",
        "\"1 queue_if_no_path\"",
        "\"2 pg_init_retries 50\"",
        "multibus",
        "NETAPP",
        "LUN",
        "\"a \"\"b\"",
        "\"^sd[a-z]\"",
        "\"!x\"",
        "\"[\"",
        "\"\"",
        "# c",
        "scsi:fcp",
        "0xabc",
        "file",
        "0660",
        "\u{e9}",
        "\"\u{e9}\"",
        "w1",
        "w2",
        "\"sd:ID_X y\"",
        "\"/sbin/mpath_prio_alua\"",
        "scsi_id",
        "\"x",
        "strict",
    ];
    prop_oneof![
        proptest::sample::select(opens).prop_map(str::to_owned),
        (proptest::sample::select(names), proptest::sample::select(values))
            .prop_map(|(name, value)| format!("{name} {value}")),
        "[ -~\u{e9}\t\r\0]{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let (config, diagnostics) = load(&String::from_utf8_lossy(&bytes));
        let _: Vec<String> = diagnostics.iter().map(Diagnostic::render).collect();
        config.dump();
    }

    #[test]
    fn what_is_written_reads_back(lines in proptest::collection::vec(line(), 0..40)) {
        let (config, diagnostics) = load(&lines.join("\n"));
        let _: Vec<String> = diagnostics.iter().flat_map(|d| [d.render(), d.one_line()]).collect();
        let dump = config.dump();
        let (again, complaints) = load(&dump);
        let meant = |d: &Diagnostic| {
            d.severity == Severity::Note || matches!(d.code, "stand-in" | "unsupported")
        };
        prop_assert!(complaints.iter().all(meant), "{}\n{}", complaints[0], dump);
        prop_assert_eq!(again.dump(), dump);
        for device in [&NETAPP, &OTHER] {
            prop_assert_eq!(again.path_settings(device), config.path_settings(device));
            for wwid in ["w1", "w2"] {
                let wwid = Wwid::from(wwid);
                prop_assert_eq!(again.map_settings(device, &wwid), config.map_settings(device, &wwid));
            }
        }
    }
}

#[test]
fn an_old_file_that_says_which_disks_to_take_is_obeyed() {
    let (config, _) =
        load("defaults {\n getuid_callout \"/lib/udev/scsi_id -g\"\n find_multipaths strict\n}\n");
    assert_eq!(config.globals().find_multipaths, FindMultipaths::Strict);
    assert_eq!(load("").0.globals().find_multipaths, FindMultipaths::Strict);
    for line in ["udev_dir /dev", "prio_callout /bin/true"] {
        let (config, diagnostics) = load(&format!("defaults {{\n {line}\n}}\n"));
        assert_eq!(config.globals().find_multipaths, FindMultipaths::Greedy, "{line}");
        assert!(diagnostics.iter().any(|d| d.code == "old-file" && d.column == 2), "{line}");
    }
}
