//! Amounts and lists as people write them.

use crate::resource::workload::Amount;

/// `500m`, `2`; `none` for 0.
pub(super) fn cpu(nano_cpus: i64) -> String {
    match nano_cpus {
        0 => "none".to_owned(),
        nano if nano % 1_000_000_000 == 0 => (nano / 1_000_000_000).to_string(),
        nano if nano % 1_000_000 == 0 => format!("{}m", nano / 1_000_000),
        nano => format!("{nano}n"),
    }
}

/// `128Mi`, `1Gi`, `1000`; `none` for 0.
pub(super) fn memory(bytes: i64) -> String {
    const UNITS: [(&str, i64); 3] = [("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    if bytes == 0 {
        return "none".to_owned();
    }
    UNITS.iter().find(|(_, size)| bytes % size == 0).map_or_else(
        || bytes.to_string(),
        |(unit, size)| format!("{}{unit}", bytes / size),
    )
}

/// `500m CPU and 128Mi`.
pub(super) fn amount(amount: Amount) -> String {
    let Amount {
        nano_cpus,
        memory_bytes,
    } = amount;
    match (nano_cpus, memory_bytes) {
        (0, 0) => "nothing".to_owned(),
        (nano, 0) => format!("{} CPU", cpu(nano)),
        (0, bytes) => format!("{} memory", memory(bytes)),
        (nano, bytes) => format!("{} CPU and {} memory", cpu(nano), memory(bytes)),
    }
}

/// `1 agent`, `2 agents`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// `a, b and 32 more`: at most three names.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<&str> = names.into_iter().collect();
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more", names[..SHOWN].join(", ")),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_the_specs_write_them() {
        for (nano, expected) in [
            (0, "none"),
            (500_000_000, "500m"),
            (2_000_000_000, "2"),
            (7, "7n"),
        ] {
            assert_eq!(cpu(nano), expected);
        }
        for (bytes, expected) in [
            (0, "none"),
            (128 << 20, "128Mi"),
            (1 << 30, "1Gi"),
            (1000, "1000"),
        ] {
            assert_eq!(memory(bytes), expected);
        }
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(list(["a", "b", "c"]), "a, b, c");
        assert_eq!(list(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }
}
