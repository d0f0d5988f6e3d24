//! The door: who somebody is, and whether they may do what they ask for. Nothing else is looked at before.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::caller::{Caller, Peer, Proof};
use super::jwt::{JwtIssuer, Subject};
use super::paths;
use super::rates::Rates;
use super::state::Api;
use super::status::ApiError;
use super::stream::Open;
use super::tokens;
use crate::resource::access::Deed;
use crate::store::TokenHash;

/// How often it is asked again, while an answer goes on, whether its asker still counts.
const RECHECK: Duration = Duration::from_secs(10);

/// What is known at the door: who has which token, and how often they came.
#[derive(Clone)]
pub(super) struct Door {
    api: Api,
    rates: Arc<Rates>,
}

impl Door {
    pub(super) fn new(api: Api) -> Self {
        Self {
            api,
            rates: Arc::default(),
        }
    }

    /// Whether whoever asks is no stranger: is of this machine, or shows something that counts.
    pub(super) async fn knows(&self, peer: Peer, headers: &HeaderMap) -> bool {
        match (peer, token_of(headers)) {
            (Peer::Local { .. }, _) => true,
            (Peer::Remote(address), Some(bearer)) => who(&self.api, bearer, address.ip()).await.is_ok(),
            (Peer::Remote(_), None) => false,
        }
    }
}

/// Middleware of what strangers may ask, too, and of those who prove otherwise who they are: counts it by their address, and
/// leaves word of the [`Door`].
pub(super) async fn counted(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    if let Some(Peer::Remote(address)) = request.extensions().get()
        && let Err(refused) = door.rates.address(address.ip())
    {
        return refused.into_response();
    }
    request.extensions_mut().insert(door);
    next.run(request).await
}

/// Middleware: refuses a request of somebody unknown, one too many, and one for what its sender may not do.
pub(super) async fn authenticate(State(door): State<Door>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit(&door, &parts).await {
        Ok(caller) => {
            parts.extensions.insert(caller.clone());
            let proof = Proven::of(&parts);
            let mut response = next.run(Request::from_parts(parts, body)).await;
            if let (Some(proof), Some(Open(open))) = (proof, response.extensions().get()) {
                tokio::spawn(proof.hold(door.api, open.clone()));
            }
            // For the log.
            response.extensions_mut().insert(caller);
            response
        }
        Err(refused) => refused.into_response(),
    }
}

async fn admit(door: &Door, request: &Parts) -> Result<Caller, ApiError> {
    let caller = match request.extensions.get::<Peer>() {
        Some(Peer::Local { uid }) => Caller::local(*uid),
        Some(Peer::Remote(address)) => bearer(door, &request.headers, *address).await?,
        None => return Err(ApiError::Unauthorized),
    };
    as_themselves(&caller, &request.headers)?;
    match paths::deed(&request.method, &request.uri) {
        Some(deed) if !caller.grant.allows(&deed) => Err(ApiError::Forbidden {
            user: caller.user_name(),
            deed: Box::new(deed),
        }),
        _ => Ok(caller),
    }
}

/// Fails for who would act as somebody else (Kubernetes' `Impersonate-User` and its like): nobody may here. To pass over the
/// header would give whoever stands behind it all that its sender may do.
fn as_themselves(caller: &Caller, headers: &HeaderMap) -> Result<(), ApiError> {
    const PREFIX: &str = "impersonate-";
    if !headers.keys().any(|name| name.as_str().starts_with(PREFIX)) {
        return Ok(());
    }
    let user = headers.get(format!("{PREFIX}user"));
    let deed = Deed {
        verb: "impersonate".to_owned(),
        resource: "users".to_owned(),
        name: user
            .and_then(|user| user.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
        ..Deed::default()
    };
    Err(ApiError::Forbidden {
        user: caller.user_name(),
        deed: Box::new(deed),
    })
}

/// Whose token or JWT a request carries.
async fn bearer(door: &Door, headers: &HeaderMap, address: SocketAddr) -> Result<Caller, ApiError> {
    let Door { api, rates } = door;
    let address = address.ip();
    rates.address(address)?;
    let bearer = token_of(headers).ok_or(ApiError::Unauthorized)?;
    let caller = who(api, bearer, address).await?;
    rates.caller(&caller.user_name())?;
    Ok(caller)
}

/// Whom a token or JWT speaks of now.
async fn who(api: &Api, bearer: &str, address: IpAddr) -> Result<Caller, ApiError> {
    match &api.jwt {
        Some(issuer) if !tokens::is_one(bearer) && JwtIssuer::is_for(bearer) => {
            of_jwt(issuer, bearer, address)
        }
        _ => of_token(api, bearer, address).await,
    }
}

/// By what somebody on the network came in.
struct Proven {
    headers: HeaderMap,
    address: IpAddr,
}

impl Proven {
    fn of(request: &Parts) -> Option<Self> {
        let Some(Peer::Remote(address)) = request.extensions.get() else {
            return None;
        };
        let authorization = request.headers.get(header::AUTHORIZATION)?.clone();
        Some(Self {
            headers: HeaderMap::from_iter([(header::AUTHORIZATION, authorization)]),
            address: address.ip(),
        })
    }

    /// Ends an answer that goes on when that does not count any more: it was revoked, or has expired.
    async fn hold(self, api: Api, open: CancellationToken) {
        loop {
            tokio::select! {
                () = open.cancelled() => return,
                () = sleep(RECHECK) => {}
            }
            let Some(bearer) = token_of(&self.headers) else {
                return;
            };
            // A database that is away says nothing of a token.
            if let Err(ApiError::Unauthorized) = who(&api, bearer, self.address).await {
                debug!(address = %self.address, "what an answer was asked for by does not count any more");
                open.cancel();
            }
        }
    }
}

async fn of_token(api: &Api, token: &str, address: IpAddr) -> Result<Caller, ApiError> {
    let found = api.store.token(&hash(token)).await?;
    let found = found.ok_or(ApiError::Unauthorized)?;
    Ok(Caller::bearer(Proof::Token, found.name, address, found.grant))
}

/// Whoever is refused is not told why: that is for those who run the operator.
fn of_jwt(issuer: &JwtIssuer, jwt: &str, address: IpAddr) -> Result<Caller, ApiError> {
    match issuer.judge(jwt) {
        Ok(Subject { name, grant }) => Ok(Caller::bearer(Proof::Jwt, name, address, grant)),
        Err(why) => {
            debug!(%address, %why, "a JWT was refused");
            Err(ApiError::Unauthorized)
        }
    }
}

/// The token of the one `Authorization: Bearer …` that there is.
fn token_of(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (only, None) = (all.next()?, all.next()) else {
        return None;
    };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// What a token is known by. It is random and long, so a plain hash of it tells nothing.
pub(super) fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_once_and_as_a_bearers() {
        for (values, expected) in [
            (&["Bearer abc"][..], Some("abc")),
            (&["bearer abc"], Some("abc")),
            (&[], None),
            (&["Basic abc"], None),
            (&["abc"], None),
            (&["Bearer a", "Bearer b"], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(token_of(&headers), expected, "{values:?}");
        }
    }
}
