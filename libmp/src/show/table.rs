//! Tables and single lines from a format.
//!
//! A format is text with wildcards. An unknown wildcard (`%%` among them) prints nothing, and so
//! does a `%` at the end.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::native::{namespace_cell, path_cell};
use super::view::{MapView, View};
use super::wildcards::{MAP, PATH, Wildcard};
use crate::ctl::wire::MAX_REPLY_BYTES;

/// `show paths`.
pub const PATHS: &str = "%i %d %D %p %t %T %o %C";
/// `show maps`.
pub const MAPS: &str = "%n %d %w";
/// `show maps status`.
pub const MAPS_STATUS: &str = "%n %F %Q %N %t %r";
/// `show maps stats`.
pub const MAPS_STATS: &str = "%n %0 %1 %2 %3 %4";

/// A short format can ask for rows without end.
const TOO_LONG: &str = "fail\nthe reply would be too long\n";

/// A piece of a format.
enum Piece<'a, T: 'static> {
    Text(&'a str),
    Value(&'static Wildcard<T>),
}

/// A format made ready: its pieces, and the width of each column (0: no padding).
pub struct Layout<'a, T: 'static> {
    pieces: Vec<Piece<'a, T>>,
    widths: Vec<usize>,
    /// Cells are measured here.
    cell: String,
}

impl<'a, T> Layout<'a, T> {
    /// Cuts a format into its pieces. No column is padded yet.
    pub fn new(wildcards: &'static [Wildcard<T>], format: &'a str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = format;
        while let Some((text, after)) = rest.split_once('%') {
            pieces.push(Piece::Text(text));
            let mut chars = after.chars();
            if let Some(letter) = chars.next() {
                pieces.extend(wildcards.iter().find(|w| w.letter == letter).map(Piece::Value));
            }
            rest = chars.as_str();
        }
        pieces.push(Piece::Text(rest));
        let columns = pieces.iter().filter(|piece| matches!(piece, Piece::Value(_))).count();
        Self { pieces, widths: vec![0; columns], cell: String::new() }
    }

    /// Makes columns at least as wide as these cells, and counts their bytes.
    fn widen(&mut self, put: impl Fn(&'static Wildcard<T>, &mut String)) -> usize {
        let values = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Value(wildcard) => Some(*wildcard),
        });
        let mut bytes = 0;
        for (wildcard, width) in values.zip(&mut self.widths) {
            self.cell.clear();
            put(wildcard, &mut self.cell);
            *width = (*width).max(self.cell.chars().count());
            bytes += self.cell.len();
        }
        bytes
    }

    /// Makes columns at least as wide as they must be for this item, and counts its cells' bytes.
    pub fn fit(&mut self, item: &T) -> usize {
        self.widen(|wildcard, out| (wildcard.value)(item, out))
    }

    /// The same for what is no such item, but has the same columns.
    pub fn fit_to(&mut self, cell: impl Fn(char) -> String) -> usize {
        self.widen(|wildcard, out| out.push_str(&cell(wildcard.letter)))
    }

    /// Writes one row; cells shorter than their column are padded, the last one too.
    fn write(&self, out: &mut String, put: impl Fn(&'static Wildcard<T>, &mut String)) {
        let mut widths = self.widths.iter();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value(wildcard) => {
                    let begin = out.len();
                    put(wildcard, out);
                    let width = out[begin..].chars().count();
                    out.extend((width..widths.next().copied().unwrap_or(0)).map(|_| ' '));
                }
            }
        }
        out.push('\n');
    }

    /// Writes the line of what is no such item, but has the same columns.
    pub fn write_of(&self, out: &mut String, cell: impl Fn(char) -> String) {
        self.write(out, |wildcard, out| out.push_str(&cell(wildcard.letter)));
    }

    /// Writes the line of one item.
    pub fn write_line(&self, out: &mut String, item: &T) {
        self.write(out, |wildcard, out| (wildcard.value)(item, out));
    }
}

/// The wildcards of a format, in their order, each once: they are the keys of an object.
pub(super) fn columns<T>(wildcards: &'static [Wildcard<T>], format: &str) -> Vec<&'static Wildcard<T>> {
    let mut columns: Vec<&'static Wildcard<T>> = Vec::new();
    for piece in Layout::new(wildcards, format).pieces {
        if let Piece::Value(wildcard) = piece
            && columns.iter().all(|column| column.letter != wildcard.letter)
        {
            columns.push(wildcard);
        }
    }
    columns
}

/// A table with a header and padded columns, or, `raw`, without both. Nothing for no items.
///
/// The last rows are of what is no such item, but has the same columns.
fn table<'i, T, C: Fn(char) -> String>(
    wildcards: &'static [Wildcard<T>],
    format: &str,
    raw: bool,
    items: impl Iterator<Item = &'i T> + Clone,
    others: impl Iterator<Item = C> + Clone,
) -> String {
    let mut layout = Layout::new(wildcards, format);
    let mut out = String::new();
    if !raw {
        // No cell is kept for the second time: all of them together take several times the reply.
        let mut bytes = 0;
        let mut is_too_long = |cells: usize| {
            bytes += format.len() + cells;
            bytes >= MAX_REPLY_BYTES
        };
        if items.clone().any(|item| is_too_long(layout.fit(item)))
            || others.clone().any(|cell| is_too_long(layout.fit_to(cell)))
        {
            return TOO_LONG.into();
        }
        layout.widen(|wildcard, cell| cell.push_str(wildcard.header));
        layout.write(&mut out, |wildcard, out| out.push_str(wildcard.header));
    }
    let header = out.len();
    for item in items {
        layout.write_line(&mut out, item);
        if out.len() >= MAX_REPLY_BYTES {
            return TOO_LONG.into();
        }
    }
    for cell in others {
        layout.write_of(&mut out, cell);
        if out.len() >= MAX_REPLY_BYTES {
            return TOO_LONG.into();
        }
    }
    if out.len() == header { String::new() } else { out }
}

/// `show paths [[raw] format F]`.
pub fn paths(view: &View, format: Option<&str>, raw: bool) -> String {
    let others = view.native.iter().flat_map(|space| space.paths.iter().map(move |path| (space, path)));
    let others = others.map(|(space, path)| move |letter| path_cell(space, path, letter));
    table(PATH, format.unwrap_or(PATHS), raw, view.paths.iter(), others)
}

/// `show maps [[raw] format F]`, and the tables with a format of their own.
pub fn maps(view: &View, format: &str, raw: bool) -> String {
    let others = view.native.iter().map(|space| move |letter| namespace_cell(space, letter));
    table(MAP, format, raw, view.maps.iter(), others)
}

/// One line, without padding.
pub fn line<T>(wildcards: &'static [Wildcard<T>], format: &str, item: &T) -> String {
    let mut out = String::new();
    Layout::new(wildcards, format).write_line(&mut out, item);
    out
}

/// The line that a map would have in the table of all maps.
pub fn padded_map(view: &View, format: &str, map: &MapView) -> String {
    let mut layout = Layout::new(MAP, format);
    layout.widen(|wildcard, cell| cell.push_str(wildcard.header));
    for map in &view.maps {
        layout.fit(map);
    }
    let mut out = String::new();
    layout.write_line(&mut out, map);
    out
}
