//! One problem of an object, and all of them.

use std::fmt;

use crate::resource::escape;

/// What kind of problem it is, in the words of Kubernetes' Status causes (`FieldValue…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CauseReason {
    /// A field that must be there is not.
    Required,
    /// The value breaks a rule.
    Invalid,
    /// The value is none of those that are allowed.
    NotSupported,
    /// There is no such field.
    Unknown,
    /// The value must be unique and is not.
    Duplicate,
    /// The value is of another type.
    TypeInvalid,
    /// The value is too long or too large.
    TooLong,
    /// The field must not be set here.
    Forbidden,
}

impl CauseReason {
    /// The word in a Status cause, for example `FieldValueRequired`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Unknown => "FieldValueUnknown",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::TooLong => "FieldValueTooLong",
            Self::Forbidden => "FieldValueForbidden",
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Path of the field, for example `spec.roles[1].agent.image`; empty for the object as a whole.
    pub field: String,
    /// What kind of problem it is.
    pub reason: CauseReason,
    /// What is wrong and what would be right, without the field.
    pub message: String,
}

impl Cause {
    /// A cause from its parts.
    pub fn new(field: impl Into<String>, reason: CauseReason, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason,
            message: message.into(),
        }
    }
}

/// One line: keys and values of the object may hold line breaks.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = escape::line(&self.message);
        if self.field.is_empty() {
            return f.write_str(&message);
        }
        write!(f, "{}: {message}", escape::line(&self.field))
    }
}

/// Everything that is wrong with an object. Displays as one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Invalid {
    /// The problems; never empty.
    pub causes: Vec<Cause>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, cause) in self.causes.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            cause.fmt(f)?;
        }
        Ok(())
    }
}
