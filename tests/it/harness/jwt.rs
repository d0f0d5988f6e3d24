//! Somebody who vouches for others: makes JWTs, and the file of the key that they are checked with.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rcgen::{KeyPair, PKCS_ED25519, SigningKey};
use ring::hmac;
use serde_json::{Value, json};
use whoosh::api::JwtIssuer;

use super::keeper::run;

pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const AUDIENCE: &str = "whoosh";
/// Seconds that are long beside the difference of two clocks.
pub(crate) const HOUR: u64 = 3600;

/// An issuer with a key of its own.
pub(crate) struct Issuer {
    key: KeyPair,
    room: PathBuf,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let issuer = Self {
            key: KeyPair::generate_for(&PKCS_ED25519).unwrap(),
            room: run().room("issuer"),
        };
        std::fs::write(issuer.key_file(), issuer.key.public_key_pem()).unwrap();
        issuer
    }

    /// The file of its public key.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.room.join("jwt.pem")
    }

    /// What an operator knows that trusts it.
    pub(crate) fn trusted(&self) -> JwtIssuer {
        JwtIssuer::read(&self.key_file(), ISSUER, AUDIENCE).unwrap()
    }

    /// A JWT that says this.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"alg": "EdDSA", "typ": "JWT"}), claims)
    }

    /// The same with a header that may be wrong.
    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let message = unsigned(header, claims);
        let signature = self.key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", BASE64.encode(signature))
    }

    /// What somebody makes who has only the public key, and takes it for a secret.
    pub(crate) fn forge(&self, claims: &Value) -> String {
        let message = unsigned(&json!({"alg": "HS256", "typ": "JWT"}), claims);
        let secret = std::fs::read(self.key_file()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let signature = hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", BASE64.encode(signature))
    }
}

/// A JWT without a signature.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| BASE64.encode(part.to_string()));
    format!("{header}.{claims}")
}

/// What an issuer says of somebody who may come in for an hour, in all namespaces.
pub(crate) fn claims(name: &str, role: &str) -> Value {
    let now = now();
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "nbf": now - HOUR,
        "exp": now + HOUR,
        "sub": name,
        "role": role,
        "namespaces": ["*"],
    })
}

/// The time, as JWTs write it.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
