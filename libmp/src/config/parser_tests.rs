//! What is wrong in a file is said at its place, and what is good is kept.

use crate::config::{Config, Severity, Source};

/// `line:column severity code` of each diagnostic, and the dump of what was kept.
fn check(text: &str) -> (Vec<String>, String) {
    let (config, diagnostics) = Config::load(&[Source { name: "f", text }]);
    let found =
        diagnostics.iter().map(|d| format!("{}:{} {} {}", d.line, d.column, d.severity, d.code)).collect();
    (found, config.dump())
}

fn help(text: &str) -> String {
    let (_, diagnostics) = Config::load(&[Source { name: "f", text }]);
    diagnostics[0].help.clone().unwrap_or_default()
}

#[test]
fn unknown_keywords_are_guessed() {
    let (found, kept) = check("defaults {\n\tpoling_interval 5\n\tprio alua\n}\n");
    assert_eq!(found, ["2:2 error unknown-keyword"]);
    assert!(kept.contains("\tprio \"alua\"\n"));
    assert_eq!(help("defaults {\n poling_interval 5\n}\n"), "did you mean `polling_interval`?");
    assert_eq!(help("default {\n prio alua\n}\n"), "did you mean `defaults`?");
    assert_eq!(help("defaults {\n alias x\n}\n"), "it goes into `multipaths/multipath`");
    assert_eq!(
        help("device {\n}\n"),
        "it goes inside `blacklist { }` or `blacklist_exceptions { }` or `devices { }`"
    );
    assert_eq!(
        help("blacklist {\n devnode !^sd\n}\n"),
        "`!` begins a comment; in quotes it doesn't: write `devnode \"!^sd\"`"
    );
    assert_eq!(help("defaults {\n path_selector round-robin 0\n}\n"), "write `\"round-robin 0\"`");
}

#[test]
fn missing_braces_are_made_up_for() {
    let (found, kept) = check("defaults {\n prio alua\nblacklist {\n devnode ^sda$\n}\n");
    assert_eq!(found, ["3:1 error missing-brace"]);
    assert!(kept.contains("\tprio \"alua\"\n") && kept.contains("\tdevnode \"^sda$\"\n"));

    let (found, kept) =
        check("devices {\n device {\n vendor A\n product B\n device {\n vendor C\n product D\n }\n}\n");
    assert_eq!(found, ["5:2 error missing-brace"]);
    assert!(kept.contains("vendor \"A\"") && kept.contains("vendor \"C\""));

    let (found, kept) = check("defaults {\n prio alua\n");
    assert_eq!(found, ["1:1 error missing-brace"]);
    assert!(kept.contains("\tprio \"alua\"\n"));

    let (found, kept) = check("defaults\n{\n prio alua\n}\n");
    assert_eq!(found, [""; 0]);
    assert!(kept.contains("\tprio \"alua\"\n"));

    assert_eq!(check("}\n").0, ["1:1 error stray-brace"]);
    assert_eq!(check("{\n prio alua\n}\n").0, ["1:1 error stray-brace"]);
}

#[test]
fn one_line_sections_are_read() {
    let (found, kept) = check("devices { device { vendor A product \"B C\" no_path_retry 3 } }\n");
    assert_eq!(found, [""; 0]);
    assert!(kept.contains("\t\tvendor \"A\"\n\t\tproduct \"B C\"\n\t\tno_path_retry 3\n"));
}

#[test]
fn unknown_sections_are_skipped_whole() {
    let (found, kept) = check("bogus {\n prio alua\n device {\n x y\n }\n}\ndefaults {\n prio sysfs\n}\n");
    assert_eq!(found, ["1:1 error unknown-section"]);
    assert!(kept.contains("\tprio \"sysfs\"\n"));
}

#[test]
fn bad_values_are_ignored_and_said() {
    let (found, kept) = check("defaults {\n polling_interval 5s\n prio nosuch\n uxsock_timeout 5\n}\n");
    assert_eq!(found, ["2:19 error bad-value", "3:7 error bad-value", "4:17 warning bad-value"]);
    assert!(kept.contains("\tpolling_interval 5\n") && kept.contains("uxsock_timeout 4000\n"));
    let (found, kept) = check("blacklist {\n devnode \"[a\"\n devnode \"b\"\n}\n");
    assert_eq!(found, ["2:10 error bad-value"]);
    assert!(kept.contains("\tdevnode \"b\"\n"));
}

#[test]
fn a_rule_with_a_bad_line_does_not_grow_wider() {
    for line in ["product \"[a\"", "prodct LUNZ", "product", "product !x", "prio alua"] {
        let text = format!("blacklist {{\n device {{\n vendor EMC\n {line}\n }}\n}}\n");
        let (found, kept) = check(&text);
        assert_eq!(found.len(), 2, "{line}: {found:?}");
        assert_eq!(found[0], "2:2 error broken-device", "{line}");
        assert_eq!(
            kept.matches("vendor \"EMC\"\n\t\tproduct \"LUNZ\"").count(),
            1,
            "the built-in rule is left"
        );
        assert!(!kept.contains("vendor \"EMC\"\n\t}"), "{line}");
    }
    let (found, kept) =
        check("devices {\n device {\n vendor A\n product B\n revision \"(\"\n prio alua\n }\n}\n");
    assert_eq!(found, ["2:2 error broken-device", "5:11 error bad-value"]);
    assert!(!kept.contains("vendor \"A\""));
}

#[test]
fn a_rule_with_both_its_patterns_stays_whatever_else_is_in_it() {
    for line in ["prio alua", "revison 1", "features"] {
        let text = format!("blacklist {{\n device {{\n vendor ZZ\n {line}\n product P\n }}\n}}\n");
        let (found, kept) = check(&text);
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert!(kept.contains("\t\tvendor \"ZZ\"\n\t\tproduct \"P\"\n"), "{line}");
    }
}

#[test]
fn braces_of_a_value_without_quotes_close_nothing() {
    let (found, kept) =
        check("blacklist {\n wwid 36001405{3}\n devnode ^sda$\n}\ndefaults {\n prio alua\n}\n");
    assert_eq!(found, ["2:15 warning extra-words"]);
    assert!(kept.contains("devnode \"^sda$\"") && kept.contains("\tprio \"alua\"\n"), "{kept}");
}

#[test]
fn a_stray_brace_costs_its_line_only() {
    let (found, kept) = check("defaults {\n {\n prio alua\n}\noverrides {\n prio sysfs\n}\n");
    assert_eq!(found, ["2:2 error stray-brace"]);
    assert!(kept.contains("\tprio \"alua\"\n") && kept.contains("overrides {\n\tprio \"sysfs\"\n"));
}

#[test]
fn a_later_zero_takes_an_earlier_section_s_value_away() {
    let (_, kept) = check("defaults {\n failback 7\n}\ndefaults {\n failback 0\n}\n");
    assert!(kept.contains("\tfailback \"manual\"\n"));
    let (_, kept) = check("overrides {\n failback 7\n}\noverrides {\n failback -3\n}\n");
    assert!(kept.contains("overrides {\n}\n"));
}

#[test]
fn the_largest_dev_loss_tmo_is_infinity() {
    for value in ["infinity", "4294967295", "99999999999"] {
        let (_, kept) = check(&format!("defaults {{\n dev_loss_tmo {value}\n}}\n"));
        assert!(kept.contains("\tdev_loss_tmo \"infinity\"\n"), "{value}");
    }
    let (_, kept) = check("defaults {\n uid_attrs \"\"\n}\n");
    assert!(!kept.contains("uid_attrs"), "an empty list is none");
}

#[test]
fn leftovers_and_quotes() {
    let (found, kept) = check("multipaths {\n multipath {\n wwid w\n alias my disk\n }\n}\n");
    assert_eq!(found, ["4:11 warning extra-words"]);
    assert!(kept.contains("alias \"my\"\n"));
    let (found, kept) = check("defaults {\n prio \"alua\n}\n");
    assert_eq!(found, ["2:7 warning missing-quote"]);
    assert!(kept.contains("\tprio \"alua\"\n"));
    assert_eq!(check("defaults {\n \"prio\" alua\n}\n").0, ["2:2 error quoted-keyword"]);
    assert_eq!(check("prio alua\n").0, ["1:1 error wrong-section"]);
}

#[test]
fn duplicates_and_old_names() {
    let (found, kept) = check("defaults {\n prio alua\n prio sysfs\n}\n");
    assert_eq!(found, ["3:7 warning duplicate"]);
    assert!(kept.contains("\tprio \"sysfs\"\n"));
    // Today's name wins over the old one, wherever it stands.
    let old_first = "defaults {\n prio_callout /sbin/mpath_prio_sysfs\n prio alua\n}\n";
    let new_first = "defaults {\n prio alua\n prio_callout /sbin/mpath_prio_sysfs\n}\n";
    for text in [old_first, new_first] {
        let (found, kept) = check(text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(kept.contains("\tprio \"alua\"\n"));
    }
    let (found, kept) = check("devnode_blacklist {\n devnode ^sdz\n}\n");
    assert_eq!(found, ["1:1 note old-name"]);
    assert!(kept.contains("\tdevnode \"^sdz\"\n"));
    // Repeated sections are one.
    assert_eq!(check("defaults {\n prio alua\n}\ndefaults {\n prio sysfs\n}\n").0, [""; 0]);
}

#[test]
fn a_long_bad_file_costs_linear_time() {
    let many = "defaults {\n bogus bogus { } x\n".repeat(20_000);
    let (_, diagnostics) = Config::load(&[Source { name: "f", text: &many }]);
    assert_eq!(diagnostics.len(), 501);
    let line = format!("defaults {{ {}", "bogus 1 ".repeat(100_000));
    assert!(Config::load(&[Source { name: "f", text: &line }]).1.len() > 500);
    assert!(diagnostics.iter().any(|d| d.severity == Severity::Error));
}

#[test]
fn a_star_alone_stands_for_everything() {
    let rules = "blacklist {\n wwid \"*\"\n devnode \"*\"\n device {\n vendor ATA\n product \"*\"\n }\n}\n";
    let (found, kept) = check(&format!("{rules}blacklist_exceptions {{\n wwid 1IET_00010001\n}}\n"));
    assert_eq!(found, ["2:7 note bad-value", "3:10 note bad-value", "6:10 note bad-value"]);
    for rule in ["\twwid \".*\"\n", "\tdevnode \".*\"\n", "\t\tvendor \"ATA\"\n\t\tproduct \".*\"\n"] {
        assert!(kept.contains(rule), "{rule}");
    }
    let entry = "vendor ZZ\n product *\n revision *\n product_blacklist *";
    let (found, kept) = check(&format!("devices {{\n device {{\n {entry}\n }}\n}}\n"));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(kept.contains("product \".*\"\n\t\trevision \".*\"\n\t\tproduct_blacklist \".*\"\n"), "{kept}");
    assert_eq!(
        help("blacklist {\n wwid *a\n}\n"),
        "a regular expression, not a shell pattern: write `\".*a\"`"
    );
}

#[test]
fn an_old_file_that_lost_a_rule_does_not_take_every_disk() {
    let set = |blacklist: &str| {
        let text = format!("defaults {{\n udev_dir /dev\n}}\nblacklist {{\n {blacklist}\n}}\n");
        let (found, kept) = check(&text);
        (kept.contains("find_multipaths \"greedy\""), found.iter().any(|one| one == "2:2 warning old-rules"))
    };
    let misspelt = "device {\n vendor ATA\n prodct \"x\"\n }";
    for lost in ["devnode \"[a\"", "wwid !x", "device {\n vendor ATA\n product \"*a\"\n }", misspelt] {
        assert_eq!(set(lost), (false, true), "{lost}");
    }
    for good in ["wwid \"*\"", "devnode ^sda", "bogus x"] {
        assert_eq!(set(good), (true, false), "{good}");
    }
}

#[test]
fn what_nothing_needs_is_said_to_have_no_effect() {
    for line in ["force_sync yes", "strict_timing yes", "missing_uev_wait_timeout 60"] {
        let found = check(&format!("defaults {{\n {line}\n}}\n")).0;
        assert_eq!(found, ["2:2 note no-effect"], "{line}");
    }
    for line in ["force_sync no", "strict_timing no", "missing_uev_wait_timeout 30"] {
        assert_eq!(check(&format!("defaults {{\n {line}\n}}\n")).0, [""; 0], "{line}");
    }
}

#[test]
fn names_that_were_kept_elsewhere_are_warned_of() {
    for (line, severity) in [
        ("bindings_file /etc/multipath/bindings", "note"),
        ("bindings_file \"/srv/mp/bindings\"", "warning"),
        ("wwids_file /etc/multipath/wwids", "note"),
        ("wwids_file /srv/mp/wwids", "warning"),
        ("prkeys_file /srv/mp/prkeys", "note"),
    ] {
        let found = check(&format!("defaults {{\n {line}\n}}\n")).0;
        assert_eq!(found, [format!("2:2 {severity} no-effect")], "{line}");
    }
    assert_eq!(help("defaults {\n wwids_file /x\n}\n"), "copy what is there to /etc/multipath/wwids");
}
