//! `/livez`, `/healthz`, `/readyz` and `/metrics`: for those who watch the operator itself.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;

use super::options::Params;
use super::state::Api;
use super::status::ApiError;
use crate::telemetry::Chain;
use crate::telemetry::metrics::CONTENT_TYPE;

/// How long one check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// One thing that must be well.
struct Check {
    name: &'static str,
    result: Result<(), String>,
}

/// `GET /livez`, `GET /healthz`: the process answers. A restart would not bring Postgres or Docker back.
pub(super) async fn live(params: Params) -> Result<Response, ApiError> {
    let ping = Check {
        name: "ping",
        result: Ok(()),
    };
    answer(&[ping], params.flag("verbose")?)
}

/// `GET /readyz`: Postgres and Docker answer, and the Swarm was seen once. 503 when not; `?verbose` names each check.
pub(super) async fn ready(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let seen = api.cache.ready().now_or_never();
    let checks = [
        Check {
            name: "postgres",
            result: postgres(&api).await,
        },
        Check {
            name: "docker",
            result: api.cache.health().map_err(|error| Chain(&error).to_string()),
        },
        Check {
            name: "observation",
            result: seen.ok_or_else(|| "the Swarm has not been listed yet".to_owned()),
        },
    ];
    answer(&checks, params.flag("verbose")?)
}

/// `GET /metrics`
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    for (operation, count) in api.store.writes() {
        api.metrics.set_store_writes(operation, count);
    }
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], api.metrics.encode()).into_response()
}

async fn postgres(api: &Api) -> Result<(), String> {
    match tokio::time::timeout(CHECK_TIMEOUT, api.store.revision()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the database does not answer in time".to_owned()),
    }
}

fn answer(checks: &[Check], verbose: bool) -> Result<Response, ApiError> {
    let well = checks.iter().all(|check| check.result.is_ok());
    let code = if well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let text = if well && !verbose {
        "ok".to_owned()
    } else {
        report(checks)
    };
    Ok((code, text).into_response())
}

fn report(checks: &[Check]) -> String {
    let mut text = String::new();
    for Check { name, result } in checks {
        text += &match result {
            Ok(()) => format!("[+]{name} ok\n"),
            Err(why) => format!("[-]{name} failed: {why}\n"),
        };
    }
    let well = checks.iter().all(|check| check.result.is_ok());
    text += if well { "check passed\n" } else { "check failed\n" };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_check_is_named_with_its_reason() {
        let checks = [
            Check {
                name: "postgres",
                result: Ok(()),
            },
            Check {
                name: "docker",
                result: Err("no answer".to_owned()),
            },
        ];
        assert_eq!(
            report(&checks),
            "[+]postgres ok\n[-]docker failed: no answer\ncheck failed\n"
        );
        assert_eq!(
            answer(&checks, false).unwrap().status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(answer(&checks[..1], true).unwrap().status(), StatusCode::OK);
    }
}
