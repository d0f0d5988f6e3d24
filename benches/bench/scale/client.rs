//! What a client of the API waits for: one object, and all of them.

use std::time::Instant;

use reqwest::RequestBuilder;

use super::published;
use super::stage::{Stage, TEAMS, name};
use crate::figures::{Table, median, quantile};

/// Objects that are read.
const GETS: usize = 500;
/// Lists that are read.
const LISTS: usize = 5;

/// Measures both, one after another.
pub(super) async fn measure(stage: &Stage, table: &mut Table) {
    let teams = stage.teams;
    let mut gets = Vec::new();
    for run in 0..GETS {
        let url = format!("{TEAMS}/{}", name(run * teams / GETS));
        gets.push(millis(stage.client.get(url)).await);
    }
    table.add(teams, "get, p50", median(&gets), "ms", None);
    table.add(teams, "get, p99", quantile(&gets, 0.99), "ms", None);
    table.beside("get, p50", published::GET);
    let mut lists = Vec::new();
    for _ in 0..LISTS {
        lists.push(millis(stage.client.get(TEAMS)).await);
    }
    table.add(teams, "list of all teams, median", median(&lists), "ms", None);
    table.beside("list of all teams, median", published::LIST);
}

async fn millis(request: RequestBuilder) -> f64 {
    let start = Instant::now();
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    answer.bytes().await.unwrap();
    start.elapsed().as_secs_f64() * 1e3
}
