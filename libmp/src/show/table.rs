//! Tables and single lines from a format.
//!
//! A format is text with wildcards. An unknown wildcard (`%%` among them) prints nothing, and so
//! does a `%` at the end.

use alloc::string::String;
use alloc::vec::Vec;
use core::iter::repeat;

use super::native::{namespace_cell, path_cell};
use super::view::{MapView, PathView, View};
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
        Self { pieces, widths: Vec::new() }
    }

    /// One row's cells, one a wildcard of the format.
    fn cells(&self, cell: impl Fn(&Wildcard<T>) -> String) -> Vec<String> {
        let values = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Value(wildcard) => Some(cell(wildcard)),
        });
        values.collect()
    }

    fn values(&self, item: &T) -> Vec<String> {
        self.cells(|wildcard| (wildcard.value)(item))
    }

    fn headers(&self) -> Vec<String> {
        self.cells(|wildcard| wildcard.header.into())
    }

    /// Makes columns at least as wide as these cells.
    fn widen(&mut self, cells: &[String]) {
        self.widths.resize(cells.len(), 0);
        for (width, cell) in self.widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }

    /// Makes columns at least as wide as they must be for this item.
    pub fn fit(&mut self, item: &T) {
        let cells = self.values(item);
        self.widen(&cells);
    }

    /// Makes columns at least as wide as they must be for what is no such item, but has the same columns.
    pub fn fit_to(&mut self, cell: impl Fn(char) -> String) {
        let cells = self.cells(|wildcard| cell(wildcard.letter));
        self.widen(&cells);
    }

    /// Writes one row; cells shorter than their column are padded, the last one too.
    fn write(&self, out: &mut String, cells: &[String]) {
        let mut columns = cells.iter().zip(self.widths.iter().chain(repeat(&0)));
        for piece in &self.pieces {
            if let Piece::Text(text) = piece {
                out.push_str(text);
            } else if let Some((cell, width)) = columns.next() {
                out.push_str(cell);
                out.extend((cell.chars().count()..*width).map(|_| ' '));
            }
        }
        out.push('\n');
    }

    /// The line of what is no such item, but has the same columns.
    pub fn line_of(&self, cell: impl Fn(char) -> String) -> String {
        let mut out = String::new();
        self.write(&mut out, &self.cells(|wildcard| cell(wildcard.letter)));
        out
    }

    /// The line of one item.
    pub fn line(&self, item: &T) -> String {
        let mut out = String::new();
        self.write(&mut out, &self.values(item));
        out
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
    items: impl Iterator<Item = &'i T>,
    others: impl Iterator<Item = C>,
) -> String {
    let mut layout = Layout::new(wildcards, format);
    let own = items.map(|item| layout.values(item));
    let others = others.map(|cell| layout.cells(|wildcard| cell(wildcard.letter)));
    let (mut rows, mut bytes) = (Vec::new(), 0);
    for row in own.chain(others) {
        bytes += format.len() + row.iter().map(String::len).sum::<usize>();
        if bytes > MAX_REPLY_BYTES {
            return TOO_LONG.into();
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return String::new();
    }
    if !raw {
        rows.insert(0, layout.headers());
        for row in &rows {
            layout.widen(row);
        }
        if rows.len() * layout.widths.iter().sum::<usize>() > MAX_REPLY_BYTES {
            return TOO_LONG.into();
        }
    }
    let mut out = String::new();
    for row in &rows {
        layout.write(&mut out, row);
    }
    out
}

/// `show paths [[raw] format F]`.
pub fn paths(view: &View, format: Option<&str>, raw: bool) -> String {
    let own = view.paths.iter().filter(|path: &&PathView| !path.excluded);
    let others = view.native.iter().flat_map(|space| space.paths.iter().map(move |path| (space, path)));
    let others = others.map(|(space, path)| move |letter| path_cell(space, path, letter));
    table(PATH, format.unwrap_or(PATHS), raw, own, others)
}

/// `show maps [[raw] format F]`, and the tables with a format of their own.
pub fn maps(view: &View, format: &str, raw: bool) -> String {
    let others = view.native.iter().map(|space| move |letter| namespace_cell(space, letter));
    table(MAP, format, raw, view.maps.iter(), others)
}

/// One line, without padding.
pub fn line<T>(wildcards: &'static [Wildcard<T>], format: &str, item: &T) -> String {
    Layout::new(wildcards, format).line(item)
}

/// The line that a map would have in the table of all maps.
pub fn padded_map(view: &View, format: &str, map: &MapView) -> String {
    let mut layout = Layout::new(MAP, format);
    let headers = layout.headers();
    layout.widen(&headers);
    view.maps.iter().for_each(|map| layout.fit(map));
    layout.line(map)
}
