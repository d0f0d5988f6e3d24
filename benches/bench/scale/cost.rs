//! What something costs: requests to the engine, statements to Postgres, and the operator's processor time.

use crate::figures::Table;

/// Requests, statements, and seconds.
pub(super) struct Cost {
    pub(super) requests: u64,
    pub(super) statements: u64,
    pub(super) processor: f64,
}

impl Cost {
    /// Adds the cost of one of `times` to the table; `limit` is how much it may grow with the number of teams.
    pub(super) fn add(self, table: &mut Table, teams: usize, of: &str, times: usize, limit: Option<f64>) {
        let Self {
            requests,
            statements,
            processor,
        } = self;
        let each = |count: u64| count as f64 / times as f64;
        table.add(
            teams,
            &format!("{of}: engine requests"),
            each(requests),
            "",
            limit,
        );
        table.add(
            teams,
            &format!("{of}: Postgres statements"),
            each(statements),
            "",
            limit,
        );
        let millis = 1e3 * processor / times as f64;
        table.add(teams, &format!("{of}: operator's processor"), millis, "ms", limit);
    }
}
