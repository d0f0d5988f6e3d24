//! The subresource `log` of an agent: what its containers wrote, line by line.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use futures::StreamExt;
use jiff::Timestamp;

use super::agents;
use super::options::Params;
use super::paths::Target;
use super::state::Api;
use super::status::ApiError;
use super::stream;
use crate::swarm::LogOptions;
use crate::telemetry::Chain;

/// How long the first line is waited for.
const FIRST_LINE: Duration = Duration::from_secs(1);

/// `GET …/agents/{name}/log?follow=&tailLines=&sinceSeconds=&timestamps=`
pub(super) async fn get(
    State(api): State<Api>,
    Target(key): Target,
    params: Params,
) -> Result<Response, ApiError> {
    let options = options(&params, Timestamp::now())?;
    let agent = agents::find(&api, &key).await?;
    let Some(service) = agents::service(&api, &agent).await? else {
        return Err(ApiError::BadRequest(format!(
            "the agent {} has no service in the Swarm yet; `whoosh describe` its owner to see why",
            key.name
        )));
    };
    let mut lines = Box::pin(api.cache.swarm().logs(&service.id, &options).peekable());
    // A log that cannot be had at all is told as a Status; one that is merely silent is not waited for.
    let first = tokio::time::timeout(FIRST_LINE, lines.as_mut().peek()).await;
    if let Ok(Some(Err(_))) = first
        && let Some(Err(error)) = lines.next().await
    {
        return Err(error.into());
    }
    Ok(stream::respond(
        "text/plain; charset=utf-8",
        api.closing.clone(),
        |client| async move {
            while let Some(line) = lines.next().await {
                match line {
                    Ok(line) => client.text(&line.text).await?,
                    Err(error) => {
                        let why = Chain(&error).to_string();
                        tracing::warn!(agent = key.name, error = why, "a log ended early");
                        return client.fail(&why).await;
                    }
                }
            }
            Ok(())
        },
    ))
}

fn options(params: &Params, now: Timestamp) -> Result<LogOptions, ApiError> {
    let since = params.number("sinceSeconds")?;
    let since = since.map(|seconds| {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        now.as_second().saturating_sub(seconds).max(0)
    });
    Ok(LogOptions {
        follow: params.flag("follow")?,
        tail: params.number("tailLines")?,
        since: since.unwrap_or(0),
        timestamps: params.flag("timestamps")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_options_are_those_of_kubernetes() {
        let now = Timestamp::from_second(1000).unwrap();
        let read = |query: &str| options(&Params::of(&format!("/x?{query}").parse().unwrap()), now);
        let some = LogOptions {
            follow: true,
            tail: Some(5),
            since: 940,
            timestamps: false,
        };
        assert_eq!(read("follow=true&tailLines=5&sinceSeconds=60").unwrap(), some);
        assert_eq!(read("sinceSeconds=9999").unwrap().since, 0);
        assert_eq!(read("timestamps=1").unwrap().tail, None);
        assert!(read("tailLines=many").is_err());
    }
}
