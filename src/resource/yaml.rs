//! YAML in and out.

use serde::Serialize;
use serde_json::Value;

/// Why a value cannot be written as YAML.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// It does not serialize to JSON's data model.
    #[error("the value cannot be serialized")]
    Serialize(#[source] serde_json::Error),
    /// The YAML library refused it.
    #[error("the value cannot be written as YAML")]
    Emit(#[source] serde_yaml::Error),
}

/// Writes a value as YAML, in the order of its fields; whole numbers are written without a fraction.
///
/// # Errors
/// When the value cannot be serialized.
pub fn to_yaml(value: &impl Serialize) -> Result<String, EmitError> {
    let mut json = serde_json::to_value(value).map_err(EmitError::Serialize)?;
    whole_numbers(&mut json);
    serde_yaml::to_string(&json).map_err(EmitError::Emit)
}

/// Turns `0.0` into `0`: Kubernetes' schema types keep bounds as floats.
fn whole_numbers(value: &mut Value) {
    /// Up to here every whole float is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            if let Some(float) = float.filter(|float| float.fract() == 0.0 && float.abs() < EXACT) {
                #[allow(
                    clippy::cast_possible_truncation,
                    reason = "whole, and within the exact range"
                )]
                let whole = float as i64;
                *value = Value::from(whole);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(members) => members.values_mut().for_each(whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
