//! `/livez`, `/healthz`, `/readyz` and `/metrics`: for those who watch the operator itself.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::authenticate::Door;
use super::caller::Peer;
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

/// The check of Postgres: one at a time, whose result all have who ask meanwhile, so that strangers who ask all the time
/// cost one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Postgres(Arc<Mutex<Option<Checked>>>);

/// When a check ended, and how.
type Checked = (Instant, Result<(), String>);

impl Postgres {
    async fn check(&self, check: impl Future<Output = Result<(), String>>) -> Result<(), String> {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((ended, result)) = &*last
            && *ended > asked
        {
            return result.clone();
        }
        let result = check.await;
        *last = Some((Instant::now(), result.clone()));
        result
    }
}

/// `GET /livez`, `GET /healthz`: the process answers. A restart would not bring Postgres or Docker back.
pub(super) async fn live(params: Params) -> Result<Response, ApiError> {
    let ping = Check {
        name: "ping",
        result: Ok(()),
    };
    answer(&[ping], params.flag("verbose")?)
}

/// `GET /readyz`: Postgres and Docker answer, and the Swarm was seen once. 503 when not; `?verbose` names each check. Why
/// one failed is nothing for strangers.
pub(super) async fn ready(
    State(api): State<Api>,
    Extension(shared): Extension<Postgres>,
    Extension(door): Extension<Door>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, ApiError> {
    let seen = api.cache.ready().now_or_never();
    let mut checks = [
        Check {
            name: "postgres",
            result: shared.check(postgres(&api)).await,
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
    let is_well = checks.iter().all(|check| check.result.is_ok());
    if !is_well && !is_known(&door, peer, &headers).await {
        withhold(&mut checks);
    }
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
    match timeout(CHECK_TIMEOUT, api.store.revision()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the database does not answer in time".to_owned()),
    }
}

/// While Postgres is away, nobody knows whose a token is.
async fn is_known(door: &Door, peer: Option<Extension<Peer>>, headers: &HeaderMap) -> bool {
    let Some(Extension(peer)) = peer else {
        return false;
    };
    let known = timeout(CHECK_TIMEOUT, door.knows(peer, headers));
    known.await.unwrap_or(false)
}

fn withhold(checks: &mut [Check]) {
    for check in checks {
        if let Err(why) = &mut check.result {
            "reason withheld".clone_into(why);
        }
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_asks_at_once_shares_a_check() {
        let (postgres, made) = (Postgres::default(), AtomicUsize::new(0));
        let check = || {
            postgres.check(async {
                made.fetch_add(1, Ordering::Relaxed);
                sleep(CHECK_TIMEOUT).await;
                Err("away".to_owned())
            })
        };
        let told = join_all((0..1000).map(|_| check())).await;
        assert!(told.iter().all(Result::is_err));
        assert_eq!(made.load(Ordering::Relaxed), 1);
        assert!(check().await.is_err());
        assert_eq!(made.load(Ordering::Relaxed), 2);
    }

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
