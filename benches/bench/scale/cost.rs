//! What something costs: requests to the engine, statements to Postgres, and the operator's processor time.

use crate::figures::{Table, median};

/// Requests, statements, and seconds.
pub(super) struct Cost {
    pub(super) requests: u64,
    pub(super) statements: u64,
    pub(super) processor: f64,
}

impl Cost {
    /// Adds the cost of one of `times` to the table.
    pub(super) fn add(self, table: &mut Table, teams: usize, of: &str, times: usize) {
        let Self {
            requests,
            statements,
            processor,
        } = self;
        let each = |count: u64| count as f64 / times as f64;
        table.add(teams, &format!("{of}: engine requests"), each(requests), "", None);
        table.add(
            teams,
            &format!("{of}: Postgres statements"),
            each(statements),
            "",
            None,
        );
        let millis = 1e3 * processor / times as f64;
        table.add(teams, &format!("{of}: operator's processor"), millis, "ms", None);
    }
}

/// Adds the median of what the same thing has cost again and again: what happens besides, a full list for example,
/// falls on few of the times.
pub(super) fn add_median(costs: &[Cost], table: &mut Table, teams: usize, of: &str, limit: Option<f64>) {
    let middle = |of: fn(&Cost) -> f64| median(&costs.iter().map(of).collect::<Vec<_>>());
    for (what, value, unit) in [
        ("engine requests", middle(|cost| cost.requests as f64), ""),
        ("Postgres statements", middle(|cost| cost.statements as f64), ""),
        ("operator's processor", middle(|cost| 1e3 * cost.processor), "ms"),
    ] {
        table.add(teams, &format!("{of}: {what}"), value, unit, limit);
    }
}
