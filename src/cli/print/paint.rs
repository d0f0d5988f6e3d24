//! Colour: only on a terminal that shows it, and only for the words that say how things are.

use std::io::IsTerminal;

/// What a word says about the state of things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// On its way.
    Busy,
    /// Needs a look.
    Bad,
}

impl Tone {
    /// The tone of a state word of any kind.
    pub(crate) fn of_state(word: &str) -> Self {
        match word {
            "Ready" | "running" => Tone::Good,
            "Progressing" | "Starting" | "Updating" | "Pending" | "Suspended" | "Deleting" => Tone::Busy,
            "Degraded" | "Stalled" | "Failed" | "Missing" | "Warning" => Tone::Bad,
            _ => Tone::Plain,
        }
    }
}

/// Whether colours are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint {
    colours: bool,
}

impl Paint {
    /// For standard output, after the terminal, `TERM` and `NO_COLOR`.
    pub(crate) fn for_stdout() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            colours: std::io::stdout().is_terminal()
                && set("NO_COLOR").is_none()
                && set("TERM").is_some_and(|term| term != "dumb"),
        }
    }

    /// Without colours.
    #[cfg(test)]
    pub(crate) fn never() -> Self {
        Self { colours: false }
    }

    /// With colours, wherever it goes.
    #[cfg(test)]
    pub(super) fn always() -> Self {
        Self { colours: true }
    }

    /// The text, coloured where that is wanted.
    pub(crate) fn tone(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Good if self.colours => 32,
            Tone::Busy if self.colours => 33,
            Tone::Bad if self.colours => 31,
            _ => return text.to_owned(),
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
