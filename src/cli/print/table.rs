//! Tables: columns as wide as their widest cell, three spaces apart, nothing after the last cell.

use unicode_width::UnicodeWidthStr;

use super::paint::{Paint, Tone};
use crate::resource::escape;

const GAP: usize = 3;

/// One cell: text and how it is coloured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell that is coloured if the reader's terminal shows colours.
    pub(crate) fn toned(text: &str, tone: Tone) -> Self {
        Self {
            // A cell is one line.
            text: escape::line(&text.replace('\n', "; ")).into_owned(),
            tone,
        }
    }

    /// The text, or `<none>` when there is none.
    pub(crate) fn or_none(text: &str) -> Self {
        Self::from(if text.is_empty() { "<none>" } else { text })
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text.as_ref(), Tone::Plain)
    }
}

/// Lays rows out. It remembers widths, so that rows which come later stand under the first ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    widths: Vec<usize>,
    pending: Vec<Vec<Cell>>,
}

impl Table {
    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<Cell>>) {
        let cells: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        self.widths.resize(self.widths.len().max(cells.len()), 0);
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = (*width).max(cell.text.width());
        }
        self.pending.push(cells);
    }

    /// The rows that were added since the last call, as lines.
    pub(crate) fn take(&mut self, paint: Paint) -> String {
        let mut text = String::new();
        for row in std::mem::take(&mut self.pending) {
            let mut line = String::new();
            let mut owed = 0;
            for (cell, width) in row.iter().zip(&self.widths) {
                if !cell.text.is_empty() {
                    line.extend(std::iter::repeat_n(' ', owed));
                    owed = 0;
                    line.push_str(&paint.tone(&cell.text, cell.tone));
                }
                owed += (width + GAP).saturating_sub(cell.text.width());
            }
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_with_text() {
        let mut table = Table::default();
        table.row(["NAME", "READY", "NOTE"]);
        table.row(["payments", "3/4", ""]);
        table.row(["日本", "1/1", "tab\there\nand there"]);
        assert_eq!(
            table.take(Paint::never()),
            "NAME       READY   NOTE\n\
             payments   3/4\n\
             日本       1/1     tab\\there; and there\n"
        );
        table.row(["a", "b", "c"]);
        assert_eq!(table.take(Paint::never()), "a          b       c\n");
    }

    #[test]
    fn colour_does_not_count_as_width() {
        let mut table = Table::default();
        table.row([Cell::toned("Ready", Tone::Good), Cell::from("x")]);
        table.row([Cell::from("Progressing"), Cell::from("y")]);
        assert_eq!(
            table.take(Paint::always()),
            "\u{1b}[32mReady\u{1b}[0m         x\nProgressing   y\n"
        );
    }
}
