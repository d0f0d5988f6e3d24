//! Reads environment variables and keeps every problem, so that all are told at once.

use std::collections::BTreeMap;
use std::fmt;

/// Environment variables by name.
pub type Environment = BTreeMap<String, String>;

/// Every variable that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct EnvironmentError(Vec<Problem>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    variable: &'static str,
    problem: String,
}

/// A pass over the environment. An empty value counts as absent.
pub(super) struct Reader<'a> {
    environment: &'a Environment,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            problems: Vec::new(),
        }
    }

    pub(super) fn text(&self, variable: &'static str) -> Option<&'a str> {
        self.environment
            .get(variable)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn owned(&self, variable: &'static str) -> Option<String> {
        self.text(variable).map(str::to_owned)
    }

    pub(super) fn list(&self, variable: &'static str) -> Vec<String> {
        let items = self.text(variable).unwrap_or_default().split(',').map(str::trim);
        items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// The value of a variable that must be there; a stand-in after noting the problem.
    pub(super) fn required(&mut self, variable: &'static str) -> String {
        self.owned(variable).unwrap_or_else(|| {
            self.problem(variable, "is missing");
            String::new()
        })
    }

    /// Parses a variable that may be absent. `parse` says what is wrong without quoting a secret.
    pub(super) fn parsed<T, E: fmt::Display>(
        &mut self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.text(variable).map(parse)? {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(variable, error);
                None
            }
        }
    }

    /// The same of a variable that may hold a secret, and may stand in the file that `in_file` names instead.
    pub(super) fn secret<T, E: fmt::Display>(
        &mut self,
        variable: &'static str,
        in_file: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Some(path) = self.text(in_file) else {
            return self.parsed(variable, parse);
        };
        if self.text(variable).is_some() {
            self.problem(
                in_file,
                format_args!("and {variable} are both set; set one of them"),
            );
            return None;
        }
        match std::fs::read_to_string(path) {
            Ok(text) => match parse(text.trim()) {
                Ok(value) => return Some(value),
                Err(error) => self.problem(in_file, format_args!("is {path}: what it holds {error}")),
            },
            Err(error) => self.problem(in_file, format_args!("is {path}, which cannot be read: {error}")),
        }
        None
    }

    pub(super) fn problem(&mut self, variable: &'static str, problem: impl fmt::Display) {
        self.problems.push(Problem {
            variable,
            problem: problem.to_string(),
        });
    }

    /// `value`, unless there were problems; it is only ever `None` after one.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, EnvironmentError> {
        value
            .filter(|_| self.problems.is_empty())
            .ok_or(EnvironmentError(self.problems))
    }
}

impl fmt::Display for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "problem" } else { "problems" };
        write!(f, "{} {noun} in the environment: ", self.0.len())?;
        for (index, Problem { variable, problem }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{variable} {problem}")?;
        }
        Ok(())
    }
}
