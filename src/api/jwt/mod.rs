//! JWTs: bearers that somebody else vouches for. Who that is, is known by public keys; a shared secret is not taken,
//! because whoever can check such a JWT could make one.

mod crypto;
mod keys;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

pub use keys::JwtKeyError;

use crate::resource::access::{Grant, Role};

/// By how many seconds the issuer's clock and this machine's may differ.
const LEEWAY: u64 = 30;
/// What each JWT has to say.
const REQUIRED: [&str; 4] = ["exp", "nbf", "iss", "aud"];
/// The longest name that is taken, as OpenID Connect limits it.
const SUBJECT_MAX: usize = 255;

/// Who makes the JWTs that count, and how they are known. A clone is cheap.
#[derive(Clone, Debug)]
pub struct JwtIssuer {
    keys: Arc<[Key]>,
}

/// A key, and what is asked of a JWT that it signed: its algorithm is the key's, whatever the JWT says of itself.
#[derive(Clone, Debug)]
struct Key {
    key: DecodingKey,
    checks: Validation,
}

/// Who a JWT says that somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) grant: Grant,
}

#[derive(Deserialize)]
struct Claims {
    /// Read for its form: one name (RFC 7519, 4.1.1). Which, is checked with the signature.
    #[serde(rename = "iss", default)]
    _issuer: Option<String>,
    sub: String,
    role: Role,
    /// Has to be there: what is forgotten must not let somebody in everywhere.
    namespaces: BTreeSet<String>,
}

/// Why a JWT does not count; for the log, in words of ours alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("it is not a JWT that is understood")]
    Malformed,
    #[error("it is not signed by a key of --jwt-key in that key's algorithm")]
    Signature,
    #[error("it has expired")]
    Expired,
    #[error("it does not count yet")]
    Early,
    #[error("it is of another issuer than --jwt-issuer")]
    Issuer,
    #[error("it is for others than --jwt-audience")]
    Audience,
    #[error("its claim \"{0}\" is missing or not understood")]
    Claim(String),
    #[error("its claims \"iss\", \"sub\", \"role\" or \"namespaces\" are missing or not understood")]
    Claims,
}

impl JwtIssuer {
    /// The issuer of this name, whose public keys are in a file; `audience` is what its JWTs for us name.
    ///
    /// # Errors
    /// When the file cannot be read, or holds anything but public keys.
    pub fn read(file: &Path, issuer: &str, audience: &str) -> Result<Self, JwtKeyError> {
        Ok(Self::new(keys::read(file)?, issuer, audience))
    }

    fn new(keys: Vec<(Algorithm, DecodingKey)>, issuer: &str, audience: &str) -> Self {
        crypto::install();
        let keys = keys.into_iter().map(|(algorithm, key)| {
            let mut checks = Validation::new(algorithm);
            checks.set_required_spec_claims(&REQUIRED);
            checks.set_issuer(&[issuer]);
            checks.set_audience(&[audience]);
            checks.validate_nbf = true;
            checks.leeway = LEEWAY;
            Key { key, checks }
        });
        Self { keys: keys.collect() }
    }

    /// Whether a bearer has the form of a JWT.
    pub(super) fn is_for(bearer: &str) -> bool {
        bearer.matches('.').count() == 2
    }

    /// Whom a JWT speaks of.
    ///
    /// # Errors
    /// Why it does not count.
    pub(super) fn judge(&self, jwt: &str) -> Result<Subject, Refused> {
        let header = decode_header(jwt).map_err(|_| Refused::Malformed)?;
        // What the issuer calls critical is understood or refused (RFC 7515), and nothing is understood.
        if header.crit.is_some() {
            return Err(Refused::Malformed);
        }
        for Key { key, checks } in self.keys.iter() {
            match decode::<Claims>(jwt, key, checks) {
                Ok(data) => return subject(data.claims),
                Err(error) => match refused(&error) {
                    Refused::Signature => {}
                    other => return Err(other),
                },
            }
        }
        Err(Refused::Signature)
    }
}

fn refused(error: &Error) -> Refused {
    match error.kind() {
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidSignature => Refused::Signature,
        ErrorKind::ExpiredSignature => Refused::Expired,
        ErrorKind::ImmatureSignature => Refused::Early,
        ErrorKind::InvalidIssuer => Refused::Issuer,
        ErrorKind::InvalidAudience => Refused::Audience,
        ErrorKind::MissingRequiredClaim(name) | ErrorKind::InvalidClaimFormat(name) => {
            Refused::Claim(name.clone())
        }
        ErrorKind::Json(_) => Refused::Claims,
        _ => Refused::Malformed,
    }
}

/// A name is shown and logged, so that it is plain text.
fn subject(claims: Claims) -> Result<Subject, Refused> {
    let Claims {
        sub: name,
        role,
        namespaces,
        _issuer: _,
    } = claims;
    let is_plain = name.bytes().all(|c| c.is_ascii_graphic());
    if name.is_empty() || name.len() > SUBJECT_MAX || !is_plain {
        return Err(Refused::Claim("sub".to_owned()));
    }
    Ok(Subject {
        name,
        grant: Grant::listed(role, namespaces),
    })
}
