//! Settings with their places, and layers of them.

use alloc::vec::Vec;

use super::diag::Span;
use super::kind::Value;
use super::options::Key;

/// One line of a file: a keyword with its value, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The keyword.
    pub key: Key,
    /// Its value.
    pub value: Value,
    /// Where the value stands.
    pub span: Span,
}

/// What one block says: each keyword at most once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer {
    /// Sorted by key.
    settings: Vec<Setting>,
}

impl Layer {
    /// What a block says; of a keyword that stands there twice, the last.
    pub(super) fn of(mut settings: Vec<Setting>) -> Self {
        settings.reverse();
        settings.sort_by_key(|setting| setting.key);
        settings.dedup_by_key(|setting| setting.key);
        Self { settings }
    }

    /// The setting of a keyword.
    pub fn get(&self, key: Key) -> Option<&Setting> {
        self.find(key).ok().map(|at| &self.settings[at])
    }

    /// Its value.
    pub fn value(&self, key: Key) -> Option<&Value> {
        self.get(key).map(|setting| &setting.value)
    }

    /// Adds or replaces a setting.
    pub fn set(&mut self, setting: Setting) {
        match self.find(setting.key) {
            Ok(at) => self.settings[at] = setting,
            Err(at) => self.settings.insert(at, setting),
        }
    }

    /// Takes a setting away.
    pub fn unset(&mut self, key: Key) {
        if let Ok(at) = self.find(key) {
            self.settings.remove(at);
        }
    }

    /// Takes over all of a stronger layer, which may take settings away too.
    pub fn override_with(&mut self, stronger: Self, unset: &[Key]) {
        for key in unset {
            self.unset(*key);
        }
        stronger.settings.into_iter().for_each(|setting| self.set(setting));
    }

    /// Takes from a weaker layer what is not set here. Empty text is as good as nothing.
    pub fn fill_from(&mut self, weaker: Self) {
        for setting in weaker.settings {
            if self.get(setting.key).is_none() && !setting.value.is_empty_text() {
                self.set(setting);
            }
        }
    }

    /// The settings in the order of the option table.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter()
    }

    fn find(&self, key: Key) -> Result<usize, usize> {
        self.settings.binary_search_by_key(&key, |setting| setting.key)
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// No file sets it.
    Default,
    /// The built-in hardware table.
    BuiltIn,
    /// A line of a file.
    File {
        /// Index of the source; [`super::Config::origin_text`] knows its name.
        source: u16,
        /// Line, from 1.
        line: u32,
    },
    /// It follows from another setting.
    Implied(&'static str),
}

impl From<Span> for Origin {
    fn from(span: Span) -> Self {
        match (span.source, span.line) {
            (_, 0) => Self::Default,
            (0, _) => Self::BuiltIn,
            (source, line) => Self::File { source, line },
        }
    }
}
