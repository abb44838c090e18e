//! The words of the control language, their other names, and how far they may be shortened.

/// Keywords by meaning: aliases are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Add,
    All,
    Blacklist,
    Config,
    Daemon,
    Del,
    Devices,
    DisableQueueing,
    Events,
    Explain,
    Fail,
    File,
    Follow,
    ForceQueueing,
    Format,
    GetPrHold,
    GetPrKey,
    GetPrStatus,
    Group,
    Json,
    Key,
    Local,
    Map,
    Maps,
    Path,
    PathList,
    Paths,
    Plan,
    Quit,
    Raw,
    Reconfigure,
    Reinstate,
    Reload,
    Replies,
    Reset,
    Resize,
    RestoreQueueing,
    Resume,
    SetMarginal,
    SetPrHold,
    SetPrKey,
    SetPrStatus,
    Show,
    Shutdown,
    Stats,
    Status,
    Suspend,
    Switch,
    Topology,
    UnsetMarginal,
    UnsetPrHold,
    UnsetPrKey,
    UnsetPrStatus,
    Wildcards,
    Wwid,
    Wwids,
}

impl Word {
    /// Is the next word its argument?
    pub(super) const fn takes_argument(self) -> bool {
        use Word::{Explain, File, Format, Group, Key, Map, Path, PathList, Wwid};
        matches!(self, Path | Map | Group | Format | Key | PathList | Explain | File | Wwid)
    }

    /// Its usual name.
    pub(super) fn name(self) -> &'static str {
        let named = KEYWORDS.iter().chain(OURS).find(|(_, word)| *word == self);
        named.map_or("", |(name, _)| name)
    }
}

/// The usual name of a word comes first.
const KEYWORDS: &[(&str, Word)] = &[
    ("show", Word::Show),
    ("list", Word::Show),
    ("add", Word::Add),
    ("del", Word::Del),
    ("remove", Word::Del),
    ("switch", Word::Switch),
    ("switchgroup", Word::Switch),
    ("suspend", Word::Suspend),
    ("resume", Word::Resume),
    ("reinstate", Word::Reinstate),
    ("fail", Word::Fail),
    ("resize", Word::Resize),
    ("reset", Word::Reset),
    ("reload", Word::Reload),
    ("forcequeueing", Word::ForceQueueing),
    ("disablequeueing", Word::DisableQueueing),
    ("restorequeueing", Word::RestoreQueueing),
    ("reconfigure", Word::Reconfigure),
    ("quit", Word::Quit),
    ("exit", Word::Quit),
    ("shutdown", Word::Shutdown),
    ("getprstatus", Word::GetPrStatus),
    ("setprstatus", Word::SetPrStatus),
    ("unsetprstatus", Word::UnsetPrStatus),
    ("getprkey", Word::GetPrKey),
    ("setprkey", Word::SetPrKey),
    ("unsetprkey", Word::UnsetPrKey),
    ("getprhold", Word::GetPrHold),
    ("setprhold", Word::SetPrHold),
    ("unsetprhold", Word::UnsetPrHold),
    ("setmarginal", Word::SetMarginal),
    ("unsetmarginal", Word::UnsetMarginal),
    ("paths", Word::Paths),
    ("path", Word::Path),
    ("maps", Word::Maps),
    ("multipaths", Word::Maps),
    ("map", Word::Map),
    ("multipath", Word::Map),
    ("group", Word::Group),
    ("daemon", Word::Daemon),
    ("status", Word::Status),
    ("stats", Word::Stats),
    ("topology", Word::Topology),
    ("config", Word::Config),
    ("blacklist", Word::Blacklist),
    ("devices", Word::Devices),
    ("raw", Word::Raw),
    ("wildcards", Word::Wildcards),
    ("format", Word::Format),
    ("json", Word::Json),
    ("key", Word::Key),
    ("local", Word::Local),
    ("all", Word::All),
    ("pathlist", Word::PathList),
];

/// Keywords that the reference does not have. They are taken whole only: a word that is short for one of
/// the others stays so.
const OURS: &[(&str, Word)] = &[
    ("events", Word::Events),
    ("explain", Word::Explain),
    ("follow", Word::Follow),
    ("plan", Word::Plan),
    ("replies", Word::Replies),
    ("file", Word::File),
    ("wwid", Word::Wwid),
    ("wwids", Word::Wwids),
];

/// The keyword that `text` is, or is the beginning of; none where several begin so.
pub(super) fn keyword(text: &str) -> Option<Word> {
    if text.is_empty() {
        return None;
    }
    if let Some((_, word)) = OURS.iter().find(|(name, _)| *name == text) {
        return Some(*word);
    }
    let mut found = None;
    for &(name, word) in KEYWORDS {
        if name == text {
            return Some(word);
        }
        if name.starts_with(text) {
            if found.is_some() {
                found = Some(None);
            } else {
                found = Some(Some(word));
            }
        }
    }
    found.flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_prefix_of_two_keywords_is_taken_for_one() {
        for (name, word) in KEYWORDS {
            assert_eq!(keyword(name), Some(*word));
            for end in 1..name.len() {
                let prefix = &name[..end];
                let whole = KEYWORDS.iter().any(|(other, _)| *other == prefix);
                let begun = KEYWORDS.iter().filter(|(other, _)| other.starts_with(prefix)).count();
                assert_eq!(keyword(prefix).is_some(), whole || begun == 1, "{prefix}");
            }
        }
    }
}
