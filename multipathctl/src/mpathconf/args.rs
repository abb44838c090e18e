//! The command line of mpathconf(8), and what becomes of a configuration by it.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};
use libmp::config::edit;
use libmp::config::options::{Key, Section};

/// What `-h` prints.
pub const USAGE: &str = "\
usage: mpathconf [COMMAND...] [OPTION...]      changes /etc/multipath.conf; without a command, shows how things are

Commands:
  --enable                           take out the rule that excludes every disk (devnode .*); the file is made if it is missing
  --disable                          every disk is excluded
  --find_multipaths MODE             yes, no, or strict, on, off, greedy, smart
  --user_friendly_names y|n          mpatha, mpathb, ... as names
  --property_blacklist y|n           write the built-in rule on udev's properties into the file, or take it out: it holds either way
  --enable_foreign y|n               show the kernel's own NVMe multipathing
  --recheck_wwid y|n                 ask paths that come back who they are
  --option NAME:VALUE                a keyword of the section `defaults`; NAME: takes it out
  --allow DEVICE                     only these: MAJOR:MINOR, a WWID, or a device on maps; several times; needs --outfile

Options:
  --with_module y|n                  on --enable, load dm-multipath (y)
  --with_multipathd y|n              start, reload or stop the daemon (n)
  --with_chkconfig y|n               have it started with the machine, or not (y)
  --outfile FILE                     write this one instead; nothing is loaded or started
";

/// A whole command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Args {
    /// `--enable` is true, `--disable` false.
    pub enable: Option<bool>,
    /// What becomes of keywords, in this order; no value takes one out.
    pub settings: Vec<(Key, Option<String>)>,
    /// `--property_blacklist`
    pub property_blacklist: Option<bool>,
    /// `--allow`
    pub allow: Vec<String>,
    /// `--with_module`
    pub with_module: Option<bool>,
    /// `--with_multipathd`
    pub with_multipathd: Option<bool>,
    /// `--with_chkconfig`
    pub with_chkconfig: Option<bool>,
    /// `--outfile`
    pub outfile: Option<PathBuf>,
    /// `--help`
    pub help: bool,
}

impl Args {
    /// Is there anything to change?
    pub const fn is_command(&self) -> bool {
        self.enable.is_some()
            || !self.settings.is_empty()
            || self.property_blacklist.is_some()
            || !self.allow.is_empty()
    }
}

/// Reads the arguments after the program's name. The error is a line.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Args, String> {
    let mut parser = Parser::from_args(arguments);
    let mut args = Args::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Arg::Long(name) => name.to_string(),
            Arg::Short('h') => "help".into(),
            other => return Err(other.unexpected().to_string()),
        };
        match name.as_str() {
            "enable" => args.enable = Some(true),
            "disable" => args.enable = Some(false),
            "help" => args.help = true,
            _ => valued(&mut args, &name, &mut parser)?,
        }
    }
    if !args.allow.is_empty() && args.outfile.is_none() {
        return Err("--allow needs --outfile FILE: it could not be taken back".into());
    }
    Ok(args)
}

fn valued(args: &mut Args, name: &str, parser: &mut Parser) -> Result<(), String> {
    let mut value = || {
        let value = parser.value().map_err(|error| error.to_string())?;
        value.string().map_err(|_| format!("--{name}: its value is not UTF-8"))
    };
    let yes_or_no = |value: String| match value.as_str() {
        "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err(format!("--{name} takes y or n, not '{value}'")),
    };
    let word = |yes| Some(if yes { "yes" } else { "no" }.to_string());
    match name {
        "find_multipaths" => {
            let mode = match value()?.as_str() {
                "y" | "yes" => "yes".to_string(),
                "n" | "no" => "no".to_string(),
                mode @ ("strict" | "on" | "off" | "greedy" | "smart") => mode.to_string(),
                other => {
                    return Err(format!(
                        "--find_multipaths takes yes, no, strict, on, off, greedy or smart, not '{other}'"
                    ));
                }
            };
            args.settings.push((Key::FindMultipaths, Some(mode)));
        }
        "user_friendly_names" => args.settings.push((Key::UserFriendlyNames, word(yes_or_no(value()?)?))),
        "recheck_wwid" => args.settings.push((Key::RecheckWwid, word(yes_or_no(value()?)?))),
        "enable_foreign" => {
            let pattern = if yes_or_no(value()?)? { ".*" } else { "NONE" };
            args.settings.push((Key::EnableForeign, Some(pattern.into())));
        }
        "property_blacklist" => args.property_blacklist = Some(yes_or_no(value()?)?),
        "option" => args.settings.push(option(&value()?)?),
        "allow" => args.allow.push(value()?),
        "with_module" => args.with_module = Some(yes_or_no(value()?)?),
        "with_multipathd" => args.with_multipathd = Some(yes_or_no(value()?)?),
        "with_chkconfig" => args.with_chkconfig = Some(yes_or_no(value()?)?),
        "outfile" => args.outfile = Some(value()?.into()),
        _ => return Err(format!("there is no --{name}")),
    }
    Ok(())
}

fn option(text: &str) -> Result<(Key, Option<String>), String> {
    let Some((name, value)) = text.split_once(':') else {
        return Err(format!("--option takes NAME:VALUE, not '{text}'"));
    };
    let row = Key::find(name).filter(|row| row.sections.contains(Section::Defaults));
    let Some(key) = row.map(|row| row.key) else {
        return Err(format!(
            "--option: '{name}' is no keyword of the section defaults: see multipath.conf(5)"
        ));
    };
    Ok((key, (!value.is_empty()).then(|| value.to_string())))
}

/// Excludes every disk by the name of its node.
pub fn excludes_all(pattern: &str) -> bool {
    matches!(pattern, "*" | ".*" | "^.*" | ".*$" | "^.*$")
}

/// By what udev knows of it.
pub const PROPERTIES: &str = "(SCSI_IDENT_|ID_WWN)";

/// What a file that is not there begins with.
pub const NEW: &str =
    "# See multipath.conf(5).\n\ndefaults {\n\tuser_friendly_names yes\n\tfind_multipaths yes\n}\n";

/// The configuration with what is asked for. `allowed` are WWIDs.
pub fn change(text: &str, args: &Args, allowed: &[String]) -> String {
    let mut text = text.to_string();
    match args.enable {
        Some(true) => text = edit::remove(&text, Section::Blacklist, Key::Devnode, excludes_all),
        Some(false)
            if !edit::values(&text, Section::Blacklist, Key::Devnode).iter().any(|one| excludes_all(one)) =>
        {
            text = edit::add(&text, Section::Blacklist, Key::Devnode, ".*");
        }
        _ => {}
    }
    for (key, value) in &args.settings {
        text = match value {
            Some(value) => edit::set(&text, Section::Defaults, *key, value),
            None => edit::remove(&text, Section::Defaults, *key, |_| true),
        };
    }
    match args.property_blacklist {
        Some(true) => text = edit::set(&text, Section::Exceptions, Key::Property, PROPERTIES),
        Some(false) => {
            text = edit::remove(&text, Section::Exceptions, Key::Property, |value| value == PROPERTIES);
        }
        None => {}
    }
    if !allowed.is_empty() {
        text = edit::add(&text, Section::Blacklist, Key::Wwid, ".*");
    }
    for wwid in allowed {
        text = edit::add(&text, Section::Exceptions, Key::Wwid, &format!("^{wwid}$"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Args, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn changed(text: &str, line: &str) -> String {
        change(text, &parsed(line).expect(line), &[])
    }

    #[test]
    fn what_installers_call() {
        let line = "--enable --find_multipaths yes --with_module y --with_multipathd y";
        let args = parsed(line).expect("known");
        assert_eq!(
            (args.enable, args.with_module, args.with_multipathd),
            (Some(true), Some(true), Some(true))
        );
        assert_eq!(change(NEW, &args, &[]), NEW);
        let line =
            "--enable --user_friendly_names n --find_multipaths n --with_multipathd y --with_chkconfig y";
        assert_eq!(changed(NEW, line), NEW.replace("names yes", "names no").replace("paths yes", "paths no"));
    }

    #[test]
    fn disabled_and_enabled_is_as_before() {
        let text = format!("{NEW}blacklist {{\n\tdevnode \"^sda$\" # the system's\n}}\n");
        let off = changed(&text, "--disable");
        assert_eq!(off, text.replace("blacklist {\n", "blacklist {\n\tdevnode \".*\"\n"));
        assert_eq!(changed(&off, "--disable"), off);
        assert_eq!(changed(&off, "--enable"), text);
        assert_eq!(changed("blacklist {\n\tdevnode \"*\"\n}\n", "--enable"), "blacklist {\n}\n");
    }

    #[test]
    fn settings_come_change_and_go() {
        let text = changed(NEW, "--option reservation_key:file --recheck_wwid y --enable_foreign y");
        for line in ["\treservation_key file\n", "\trecheck_wwid yes\n", "\tenable_foreign \".*\"\n"] {
            assert!(text.contains(line), "{text}");
        }
        let text =
            changed(&text, "--option reservation_key: --option recheck_wwid: --option enable_foreign:");
        assert_eq!(text, NEW);
        let with = changed(NEW, "--property_blacklist y");
        assert!(with.ends_with("blacklist_exceptions {\n\tproperty \"(SCSI_IDENT_|ID_WWN)\"\n}\n"), "{with}");
        assert_eq!(
            changed(&with, "--property_blacklist n"),
            with.replace("\tproperty \"(SCSI_IDENT_|ID_WWN)\"\n", "")
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, said) in [
            ("--enable --find_multipaths maybe", "takes yes, no, strict, on, off, greedy or smart"),
            ("--user_friendly_names 1", "takes y or n"),
            ("--option nosuch:1", "'nosuch' is no keyword"),
            ("--option nosuch", "NAME:VALUE"),
            ("--bogus x", "there is no --bogus"),
            ("--allow 8:0", "--outfile"),
            ("sda", "sda"),
        ] {
            let error = parsed(line).expect_err(line);
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
