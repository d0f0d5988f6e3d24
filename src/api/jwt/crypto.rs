//! The signatures of JWTs, checked by `ring`: `jsonwebtoken` leaves its cryptography to whoever uses it.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};

static PROVIDER: CryptoProvider = CryptoProvider {
    // Nobody is given a JWT here.
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Has `jsonwebtoken` check signatures in this way, in the whole process.
pub(super) fn install() {
    // Only the first call does it, and each is the same.
    let _installed_before = PROVIDER.install_default();
}

/// A key, and the one algorithm that it checks.
struct Signature {
    algorithm: Algorithm,
    key: UnparsedPublicKey<Vec<u8>>,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let (algorithm, checked_by): (_, &'static dyn VerificationAlgorithm) = match algorithm {
        Algorithm::RS256 => (Algorithm::RS256, &RSA_PKCS1_2048_8192_SHA256),
        Algorithm::ES256 => (Algorithm::ES256, &ECDSA_P256_SHA256_FIXED),
        Algorithm::EdDSA => (Algorithm::EdDSA, &ED25519),
        _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
    };
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let key = UnparsedPublicKey::new(checked_by, key.try_get_as_bytes()?.to_vec());
    Ok(Box::new(Signature { algorithm, key }))
}

impl Verifier<Vec<u8>> for Signature {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        self.key
            .verify(message, signature)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Signature {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
