//! What was measured, as a table for people and as `target/bench.jsonl` for machines.

use std::fs;
use std::path::Path;

use serde::Serialize;

/// One line of the table.
#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    ours: f64,
    reference: Option<f64>,
    ratio: Option<f64>,
    unit: &'static str,
    runs: usize,
    #[serde(skip)]
    beside: String,
}

/// All lines.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    /// Adds `ours`, beside `reference` where there is one; `beside` says what that is.
    pub(crate) fn add(
        &mut self,
        name: &str,
        ours: f64,
        reference: Option<f64>,
        unit: &'static str,
        runs: usize,
        beside: &str,
    ) {
        let ratio = reference.map(|reference| ours / reference);
        println!("{name}: {ours:.3} {unit}");
        let beside = beside.to_owned();
        self.0.push(Figure {
            name: name.to_owned(),
            ours,
            reference,
            ratio,
            unit,
            runs,
            beside,
        });
    }

    /// Prints the table and writes the file.
    pub(crate) fn print(&self) {
        println!(
            "\n{:<44} {:>10} {:>10} {:>7}  {:<5} {:>4}  beside",
            "figure", "ours", "reference", "ratio", "unit", "runs"
        );
        let mut lines = String::new();
        for figure in &self.0 {
            let Figure {
                name,
                ours,
                reference,
                ratio,
                unit,
                runs,
                beside,
            } = figure;
            let number = |value: &Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
            println!(
                "{name:<44} {ours:>10.3} {:>10} {:>7}  {unit:<5} {runs:>4}  {beside}",
                number(reference),
                number(ratio)
            );
            lines += &format!("{}\n", serde_json::to_string(figure).unwrap());
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench.jsonl");
        fs::write(&file, lines).unwrap();
        println!("\nwritten to target/bench.jsonl");
    }
}

/// The value below which the share `part` (0 to 1) of `values` lies.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    sorted[((last as f64) * part).round() as usize]
}

/// The middle value.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}
