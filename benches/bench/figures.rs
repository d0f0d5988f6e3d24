//! What was measured, as tables for people and as lines of JSON for machines.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

/// What a figure is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reference {
    /// It is only told.
    None,
    /// What it may be at most.
    Target(f64),
    /// What was measured beside it: it may be exceeded by a measurement's own spread.
    Peer(f64),
}

impl Reference {
    /// The value, and how many times as much ours may be.
    fn parts(self) -> Option<(f64, f64)> {
        match self {
            Self::None => None,
            Self::Target(value) => Some((value, 1.0)),
            Self::Peer(value) => Some((value, 1.03)),
        }
    }
}

/// One line of the table.
#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    ours: f64,
    reference: Option<f64>,
    ratio: Option<f64>,
    /// How much the ratio may be.
    limit: Option<f64>,
    unit: &'static str,
    runs: usize,
    #[serde(skip)]
    beside: String,
}

impl Figure {
    fn is_over(&self) -> bool {
        self.ratio > self.limit && self.limit.is_some()
    }
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
        reference: Reference,
        unit: &'static str,
        runs: usize,
        beside: &str,
    ) {
        let (reference, limit) = reference.parts().unzip();
        let ratio = reference.map(|reference| ours / reference);
        println!("{name}: {ours:.3} {unit}");
        let beside = beside.to_owned();
        self.0.push(Figure {
            name: name.to_owned(),
            ours,
            reference,
            ratio,
            limit,
            unit,
            runs,
            beside,
        });
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        println!(
            "\n{:<44} {:>10} {:>10} {:>7}  {:<5} {:>4}  beside",
            "figure", "ours", "reference", "ratio", "unit", "runs"
        );
        for figure in &self.0 {
            let Figure {
                name,
                ours,
                reference,
                ratio,
                limit: _,
                unit,
                runs,
                beside,
            } = figure;
            println!(
                "{name:<44} {ours:>10.3} {:>10} {:>7}  {unit:<5} {runs:>4}  {beside}",
                number(*reference, 3),
                number(*ratio, 3)
            );
        }
    }

    /// The figures that are over what they are beside.
    pub(crate) fn over(&self) -> impl Iterator<Item = &str> {
        let over = self.0.iter().filter(|figure| figure.is_over());
        over.map(|figure| figure.name.as_str())
    }

    /// A line of JSON for each figure.
    pub(crate) fn json(&self) -> String {
        let line = |figure| format!("{}\n", serde_json::to_string(figure).unwrap());
        self.0.iter().map(line).collect()
    }
}

/// The same things, measured with different numbers of something.
#[derive(Debug)]
pub(crate) struct Table {
    of: &'static str,
    sizes: Vec<usize>,
    rows: Vec<Row>,
}

/// One thing; its values by size.
#[derive(Debug)]
struct Row {
    name: String,
    unit: &'static str,
    values: BTreeMap<usize, f64>,
    /// How much the value at the largest size may be, as a multiple of that at the smallest.
    limit: Option<f64>,
    beside: &'static str,
}

impl Table {
    /// An empty table of these numbers `of` something.
    pub(crate) fn new(of: &'static str, sizes: &[usize]) -> Self {
        Self {
            of,
            sizes: sizes.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds what was measured at one size.
    pub(crate) fn add(
        &mut self,
        size: usize,
        name: &str,
        value: f64,
        unit: &'static str,
        limit: Option<f64>,
    ) {
        println!("{name}: {value:.3} {unit}");
        let known = self.rows.iter_mut().find(|row| row.name == name);
        if let Some(row) = known {
            row.values.insert(size, value);
            return;
        }
        self.rows.push(Row {
            name: name.to_owned(),
            unit,
            values: BTreeMap::from([(size, value)]),
            limit,
            beside: "",
        });
    }

    /// Says what a row is to be read beside.
    pub(crate) fn beside(&mut self, name: &str, text: &'static str) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.name == name) {
            row.beside = text;
        }
    }

    /// Prints the sizes side by side, with the growth from the first to the last.
    pub(crate) fn print(&self) {
        print!("\n{:<52}", format!("by number of {}", self.of));
        self.sizes.iter().for_each(|size| print!(" {size:>11}"));
        println!("  {:<4} {:>7} {:>6}  beside", "unit", "growth", "limit");
        for row in &self.rows {
            print!("{:<52}", row.name);
            for size in &self.sizes {
                print!(" {:>11}", number(row.values.get(size).copied(), 3));
            }
            println!(
                "  {:<4} {:>7} {:>6}  {}",
                row.unit,
                number(self.growth(row), 2),
                number(row.limit, 1),
                row.beside
            );
        }
    }

    /// The rows that grow over their limit.
    pub(crate) fn over(&self) -> impl Iterator<Item = &str> {
        let is_over = |row: &&Row| self.growth(row) > row.limit && row.limit.is_some();
        self.rows.iter().filter(is_over).map(|row| row.name.as_str())
    }

    /// A line of JSON for each value.
    pub(crate) fn json(&self) -> String {
        let lines = self.rows.iter().flat_map(|row| {
            let growth = self.growth(row);
            row.values.iter().map(move |(size, value)| {
                let line = json!({
                    "name": row.name, self.of: size, "ours": value, "unit": row.unit,
                    "growth": growth, "limit": row.limit,
                });
                format!("{line}\n")
            })
        });
        lines.collect()
    }

    fn growth(&self, row: &Row) -> Option<f64> {
        let (first, last) = (self.sizes.first()?, self.sizes.last()?);
        let grown = row.values.get(last)? / row.values.get(first)?;
        (first != last).then_some(grown)
    }
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.decimals$}"))
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
