//! `--watch=false` and `-w=true`: switches with a value, as users of kubectl write them.
//!
//! clap knows switches without a value. One with an optional value would show that in every help text, and would be there,
//! for what it conflicts with and requires, though it says `=false`. So what is written is made plain before clap sees it:
//! a switch that is on stands without a value, and one that is off is left out.

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, Command};

/// The command line, its first word being the program, with switches that have no values.
pub(super) fn plain(words: impl IntoIterator<Item = OsString>, root: &Command) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut plain: Vec<OsString> = words.next().into_iter().collect();
    let mut command = root;
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        if text == "--" {
            plain.push(word);
            break;
        }
        let known = Known { root, command };
        match known.switch(text) {
            Some((name, true)) => {
                plain.retain(|before| before != OsStr::new(name));
                plain.push(name.into());
                continue;
            }
            Some((name, false)) => {
                plain.retain(|before| before != OsStr::new(name));
                continue;
            }
            None => {}
        }
        let takes_next = known.takes_next(text);
        if let Some(next) = command.find_subcommand(text) {
            command = next;
        }
        plain.push(word);
        if takes_next {
            plain.extend(words.next());
        }
    }
    plain.extend(words);
    plain
}

/// The flags that are known at a place: those of the command, and those of every command.
struct Known<'a> {
    root: &'a Command,
    command: &'a Command,
}

impl Known<'_> {
    /// The switch in `--watch=false`, as it is written without a value, and whether it is on.
    fn switch<'w>(&self, word: &'w str) -> Option<(&'w str, bool)> {
        let (name, value) = word.split_once('=')?;
        let is_on = match value {
            "1" | "t" | "T" | "true" | "True" | "TRUE" => true,
            "0" | "f" | "F" | "false" | "False" | "FALSE" => false,
            _ => return None,
        };
        let arg = self.arg(name)?;
        matches!(arg.get_action(), ArgAction::SetTrue).then_some((name, is_on))
    }

    /// Whether the next word is the flag's value, whatever it looks like.
    fn takes_next(&self, word: &str) -> bool {
        let takes = |arg: &Arg| {
            let is_optional = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
            arg.get_action().takes_values() && !is_optional
        };
        self.arg(word).is_some_and(takes)
    }

    /// The flag of a name, `--watch` or `-w`.
    fn arg(&self, name: &str) -> Option<&Arg> {
        let long = name.strip_prefix("--");
        let mut letters = name.strip_prefix('-').unwrap_or_default().chars();
        let short = letters.next().filter(|_| letters.next().is_none());
        let is_meant = |arg: &&Arg| match (long, short) {
            (Some(long), _) => arg.get_long() == Some(long),
            (None, Some(short)) => arg.get_short() == Some(short),
            (None, None) => false,
        };
        let all = self.command.get_arguments().chain(self.root.get_arguments());
        all.into_iter().find(is_meant)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn a_switch_with_a_value_is_on_or_left_out() {
        for (line, expected) in [
            ("get teams --watch=true", "get teams --watch"),
            ("get teams --watch=false", "get teams"),
            ("get teams -w=0 --show-managed-fields=False", "get teams"),
            ("get teams --watch --watch=false", "get teams"),
            ("get teams --watch=false --watch=T", "get teams --watch"),
            ("-A=false get teams", "get teams"),
            ("get teams -A=true", "get teams -A"),
            ("apply -f x --force-conflicts=false --prune=false", "apply -f x"),
            ("config list --no-headers=true", "config list --no-headers=true"),
            ("delete team x --wait=false", "delete team x --wait=false"),
            ("apply -f x --wait=false", "apply -f x"),
            ("-n get get teams --watch=false", "-n get get teams"),
            ("get teams -l --watch=false", "get teams -l --watch=false"),
            ("get teams --watch=perhaps", "get teams --watch=perhaps"),
            ("get teams --output=true", "get teams --output=true"),
            (
                "label team/x -- a=false --all=false",
                "label team/x -- a=false --all=false",
            ),
            ("label team/x all=false", "label team/x all=false"),
            ("token list --no-headers=false", "token list"),
        ] {
            let words = |line: &str| -> Vec<OsString> {
                let words = line.split(' ').map(OsString::from);
                [OsString::from("whoosh")].into_iter().chain(words).collect()
            };
            assert_eq!(plain(words(line), &Cli::command()), words(expected), "{line}");
        }
    }
}
