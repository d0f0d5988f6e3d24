//! Tokens: who may come in over the network. A token is told once, when it is made.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use serde_json::Value;

use super::answer::Answer;
use super::authenticate::hash;
use super::caller::Caller;
use super::options::Params;
use super::paths::{self, Name};
use super::payload::Document;
use super::state::Api;
use super::status::ApiError;
use crate::resource::token::{NewToken, TokenInfo, TokenList};
use crate::resource::validate;
use crate::store::Token;

/// What stands before each token, so that scanners for secrets that leaked know it.
const PREFIX: &str = "whoosh_";
/// The longest that a token with an end may count, in seconds: about a hundred years.
const LIFETIME_MAX: u64 = 100 * 366 * 24 * 60 * 60;
/// Random bytes of a token.
const LENGTH: usize = 32;

/// `GET …/tokens`: with the parameter `revoked`, those that were revoked, too.
pub(super) async fn list(State(api): State<Api>, params: Params) -> Result<Json<TokenList>, ApiError> {
    let tokens = api.store.tokens(params.flag("revoked")?).await?;
    let items = tokens.into_iter().map(|token| shown(token, None)).collect();
    Ok(Json(TokenList { items }))
}

/// `POST …/tokens`
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Document(raw): Document,
) -> Result<Answer<TokenInfo>, ApiError> {
    let wanted = read(raw)?;
    let lifetime = wanted.lifetime_seconds.map(Duration::from_secs);
    let token = make();
    let stored = api
        .store
        .create_token(
            &wanted.name,
            &hash(&token),
            &wanted.grant,
            lifetime,
            &caller.to_string(),
        )
        .await?;
    let stored = stored.ok_or(ApiError::NameTaken {
        resource: "tokens",
        name: wanted.name,
    })?;
    Ok(Answer {
        code: StatusCode::CREATED,
        body: shown(stored, Some(token)),
        warnings: Vec::new(),
    })
}

/// `DELETE …/tokens/{name}`
pub(super) async fn revoke(
    State(api): State<Api>,
    Name(name): Name,
    caller: Caller,
) -> Result<Json<Status>, ApiError> {
    match paths::may_exist(&name) && api.store.revoke_token(&name, &caller.to_string()).await? {
        true => Ok(Json(Status {
            status: Some("Success".to_owned()),
            ..Status::default()
        })),
        false => Err(ApiError::NoSuch {
            resource: "tokens",
            name,
        }),
    }
}

fn read(raw: Value) -> Result<NewToken, ApiError> {
    let wanted: NewToken = serde_json::from_value(raw)
        .map_err(|error| ApiError::BadRequest(format!("this is no token that can be made: {error}")))?;
    let namespaces = wanted.grant.namespaces.iter().flatten();
    let named = [("name", &wanted.name)].into_iter();
    for (what, name) in named.chain(namespaces.map(|namespace| ("namespace", namespace))) {
        validate::label(name).map_err(|why| ApiError::BadRequest(format!("a token's {what} {why}")))?;
    }
    if wanted
        .lifetime_seconds
        .is_some_and(|seconds| seconds > LIFETIME_MAX)
    {
        return Err(ApiError::BadRequest(
            "a token's lifetimeSeconds must be at most a hundred years; without it, the token counts for ever".to_owned(),
        ));
    }
    Ok(wanted)
}

/// Whether a bearer has the form of a token of ours.
pub(super) fn is_one(bearer: &str) -> bool {
    bearer.starts_with(PREFIX)
}

fn make() -> String {
    let random: [u8; LENGTH] = rand::random();
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{digits}")
}

fn shown(stored: Token, token: Option<String>) -> TokenInfo {
    let Token {
        name,
        grant,
        created,
        created_by,
        expires,
        used,
        revoked,
    } = stored;
    let (revoked, revoked_by) = revoked.unzip();
    TokenInfo {
        name,
        grant,
        created,
        created_by,
        expires,
        last_used: used,
        revoked,
        revoked_by,
        token,
    }
}
