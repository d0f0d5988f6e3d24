//! Kubernetes quantities (`500m`, `128Mi`) to engine units, in exact integer arithmetic.

use std::fmt;

/// What a quantity measures, which decides its unit and its examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Processor time: cores in the text, billionths of a core in the engine.
    Cpu,
    /// Memory: bytes in both.
    Memory,
}

/// Why a text is not a quantity of its measure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It is less than zero.
    #[error("must not be negative, got \"{text}\"")]
    Negative {
        /// What was found.
        text: String,
    },
    /// It has a part below the engine's unit.
    #[error("\"{text}\" is {finer}: write it like {measure}{hint}")]
    TooFine {
        /// What was found.
        text: String,
        /// What it would be a fraction of.
        finer: &'static str,
        /// What it measures.
        measure: Measure,
        /// What was perhaps meant.
        hint: String,
    },
    /// It is more than the engine can count.
    #[error("\"{text}\" is too large: write it like {measure}")]
    TooLarge {
        /// What was found.
        text: String,
        /// What it measures.
        measure: Measure,
    },
    /// It is something else.
    #[error("\"{text}\" is not an amount of {}: write it like {measure}", .measure.noun())]
    Malformed {
        /// What was found.
        text: String,
        /// What it measures.
        measure: Measure,
    },
}

impl Measure {
    fn noun(self) -> &'static str {
        match self {
            Self::Cpu => "processor time",
            Self::Memory => "memory",
        }
    }

    /// Power of ten between the unit in the text and the engine's.
    fn scale(self) -> i32 {
        match self {
            Self::Cpu => 9,
            Self::Memory => 0,
        }
    }

    /// Reads a quantity, as billionths of a core or bytes.
    ///
    /// # Errors
    /// When it is negative, too large, finer than the engine's unit, or no quantity; each with an example.
    pub fn parse(self, text: &str) -> Result<i64, QuantityError> {
        if text.starts_with('-') {
            return Err(QuantityError::Negative {
                text: text.to_owned(),
            });
        }
        let malformed = || QuantityError::Malformed {
            text: text.to_owned(),
            measure: self,
        };
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(malformed());
        }
        let suffix = Suffix::read(suffix).ok_or_else(malformed)?;
        self.amount(text, &format!("{whole}{fraction}"), fraction.len(), suffix)
    }

    /// `digits` without its decimal point, which stood before the last `places`, times the suffix, in engine units.
    fn amount(self, text: &str, digits: &str, places: usize, suffix: Suffix) -> Result<i64, QuantityError> {
        let too_large = || QuantityError::TooLarge {
            text: text.to_owned(),
            measure: self,
        };
        let significant = digits.trim_start_matches('0');
        if significant.is_empty() {
            return Ok(0);
        }
        let mut value: u128 = significant.parse().map_err(|_| too_large())?;
        value = value.checked_mul(suffix.factor).ok_or_else(too_large)?;
        let places = i32::try_from(places).map_err(|_| too_large())?;
        let power = (suffix.power + self.scale()).saturating_sub(places);
        let ten = 10_u128.checked_pow(power.unsigned_abs());
        if power >= 0 {
            value = ten.and_then(|ten| value.checked_mul(ten)).ok_or_else(too_large)?;
        } else {
            let whole = ten.filter(|ten| value.is_multiple_of(*ten));
            value /= whole.ok_or_else(|| self.too_fine(text, suffix))?;
        }
        i64::try_from(value).map_err(|_| too_large())
    }

    fn too_fine(self, text: &str, suffix: Suffix) -> QuantityError {
        let hint = match (self, suffix.power, text.strip_suffix('m')) {
            (Self::Memory, -3, Some(number)) => format!(" (did you mean \"{number}Mi\"?)"),
            _ => String::new(),
        };
        QuantityError::TooFine {
            text: text.to_owned(),
            finer: match self {
                Self::Cpu => "finer than a billionth of a core",
                Self::Memory => "not a whole number of bytes",
            },
            measure: self,
            hint,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "\"500m\" or \"2\"",
            Self::Memory => "\"128Mi\" or \"1G\"",
        })
    }
}

/// What stands after the number: a factor and a power of ten.
#[derive(Clone, Copy)]
struct Suffix {
    factor: u128,
    power: i32,
}

impl Suffix {
    fn read(text: &str) -> Option<Self> {
        let binary = |steps: u32| Self {
            factor: 1024_u128.pow(steps),
            power: 0,
        };
        let decimal = |power: i32| Self { factor: 1, power };
        Some(match text {
            "" => decimal(0),
            "n" => decimal(-9),
            "u" => decimal(-6),
            "m" => decimal(-3),
            "k" => decimal(3),
            "M" => decimal(6),
            "G" => decimal(9),
            "T" => decimal(12),
            "P" => decimal(15),
            "E" => decimal(18),
            "Ki" => binary(1),
            "Mi" => binary(2),
            "Gi" => binary(3),
            "Ti" => binary(4),
            "Pi" => binary(5),
            "Ei" => binary(6),
            _ => decimal(exponent(text)?),
        })
    }
}

fn exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['e', 'E'])?;
    let power: i32 = digits.parse().ok()?;
    (-100..=100).contains(&power).then_some(power)
}

#[cfg(test)]
mod tests {
    use super::Measure::{Cpu, Memory};

    #[test]
    fn quantities_are_exact() {
        for (measure, text, amount) in [
            (Cpu, "500m", 500_000_000),
            (Cpu, "0.5", 500_000_000),
            (Cpu, ".5", 500_000_000),
            (Cpu, "2", 2_000_000_000),
            (Cpu, "0", 0),
            (Cpu, "1e-3", 1_000_000),
            (Cpu, "1n", 1),
            (Cpu, "100u", 100_000),
            (Cpu, "1.000000000", 1_000_000_000),
            (Memory, "128Mi", 134_217_728),
            (Memory, "1G", 1_000_000_000),
            (Memory, "1e3", 1_000),
            (Memory, "1E3", 1_000),
            (Memory, "1E", 1_000_000_000_000_000_000),
            (Memory, "1Gi", 1_073_741_824),
            (Memory, "0.5Gi", 536_870_912),
            (Memory, "1.5k", 1_500),
            (Memory, "4096", 4_096),
            (Memory, "1000m", 1),
            (Memory, "0000000000000000000000000000000000000000000000001", 1),
        ] {
            assert_eq!(measure.parse(text), Ok(amount), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_says_how_one_looks() {
        for (measure, text, message) in [
            (Cpu, "-1", "must not be negative, got \"-1\""),
            (
                Cpu,
                "lots",
                "\"lots\" is not an amount of processor time: write it like \"500m\" or \"2\"",
            ),
            (
                Cpu,
                "",
                "\"\" is not an amount of processor time: write it like \"500m\" or \"2\"",
            ),
            (
                Cpu,
                "1.2.3",
                "\"1.2.3\" is not an amount of processor time: write it like \"500m\" or \"2\"",
            ),
            (
                Cpu,
                "+1",
                "\"+1\" is not an amount of processor time: write it like \"500m\" or \"2\"",
            ),
            (
                Cpu,
                "0.1n",
                "\"0.1n\" is finer than a billionth of a core: write it like \"500m\" or \"2\"",
            ),
            (
                Cpu,
                "1e30",
                "\"1e30\" is too large: write it like \"500m\" or \"2\"",
            ),
            (
                Memory,
                "128MB",
                "\"128MB\" is not an amount of memory: write it like \"128Mi\" or \"1G\"",
            ),
            (
                Memory,
                "128m",
                "\"128m\" is not a whole number of bytes: write it like \"128Mi\" or \"1G\" (did you mean \"128Mi\"?)",
            ),
            (
                Memory,
                "8Ei",
                "\"8Ei\" is too large: write it like \"128Mi\" or \"1G\"",
            ),
            (
                Memory,
                "1e999999999999",
                "\"1e999999999999\" is not an amount of memory: write it like \"128Mi\" or \"1G\"",
            ),
        ] {
            assert_eq!(measure.parse(text).unwrap_err().to_string(), message);
        }
    }
}
