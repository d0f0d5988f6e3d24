//! Progress of long work on standard error: one line an object, redrawn on a terminal, appended in a pipe.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use crate::resource::escape;

/// Shows how far each of several things is.
pub(crate) struct Progress {
    screen: Option<Screen>,
    lines: BTreeMap<String, String>,
    drawn: usize,
}

#[derive(Clone, Copy)]
struct Screen {
    columns: usize,
    rows: usize,
}

impl Progress {
    /// On standard error.
    pub(super) fn start() -> Self {
        Self {
            screen: Screen::of_stderr(),
            lines: BTreeMap::new(),
            drawn: 0,
        }
    }

    /// Says how one thing stands.
    pub(super) fn set(&mut self, name: &str, state: &str) {
        let line = escape::line(&format!("{name}: {state}")).into_owned();
        if self.lines.get(name) == Some(&line) {
            return;
        }
        if self.screen.is_none() {
            super::talk::say(&line);
        }
        self.lines.insert(name.to_owned(), line);
        self.redraw();
    }

    /// One thing is done, and what is printed of it stands above the others.
    pub(super) fn done<E>(&mut self, name: &str, print: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        self.lines.remove(name);
        self.erase();
        let printed = print();
        self.redraw();
        printed
    }

    /// Takes the lines off the terminal.
    pub(super) fn finish(&mut self) {
        self.lines.clear();
        self.erase();
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            write(&format!("\u{1b}[{}A\u{1b}[J", self.drawn));
            self.drawn = 0;
        }
    }

    fn redraw(&mut self) {
        let Some(screen) = self.screen else { return };
        self.erase();
        let shown = frame(self.lines.values(), screen);
        self.drawn = shown.len();
        write(&shown.concat());
    }
}

impl Screen {
    fn of_stderr() -> Option<Self> {
        let stderr = std::io::stderr();
        if !stderr.is_terminal() || std::env::var_os("TERM").is_none_or(|term| term == "dumb") {
            return None;
        }
        let size = rustix::termios::tcgetwinsize(&stderr).ok()?;
        // A terminal that does not know its size says 0.
        let or = |size: u16, usual: u16| usize::from(if size == 0 { usual } else { size });
        Some(Self {
            columns: or(size.ws_col, 80).max(20),
            rows: or(size.ws_row, 24).max(4),
        })
    }
}

/// The lines that fit the screen, each cut to its width.
fn frame<'a>(lines: impl ExactSizeIterator<Item = &'a String>, screen: Screen) -> Vec<String> {
    let room = screen.rows - 2;
    let hidden = lines.len().saturating_sub(room);
    let mut shown: Vec<String> = lines
        .take(room)
        .map(|line| {
            let mut cut: String = line.chars().take(screen.columns - 1).collect();
            cut.push('\n');
            cut
        })
        .collect();
    if hidden > 0 {
        shown.push(format!("and {hidden} more\n"));
    }
    shown
}

fn write(text: &str) {
    // Progress that cannot be shown is no reason to fail.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_never_exceeds_the_screen() {
        let lines: Vec<String> = (0..9)
            .map(|n| format!("team/t{n}: waits for its agents"))
            .collect();
        let screen = Screen { columns: 12, rows: 5 };
        assert_eq!(
            frame(lines.iter(), screen).concat(),
            "team/t0: wa\nteam/t1: wa\nteam/t2: wa\nand 6 more\n"
        );
        assert_eq!(frame(lines[..1].iter(), screen).concat(), "team/t0: wa\n");
    }
}
