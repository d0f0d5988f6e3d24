//! The public keys that JWTs are checked with. What a key is says which algorithm it checks, and nothing else does.

use std::io;
use std::path::{Path, PathBuf};

use jsonwebtoken::{Algorithm, DecodingKey};
use rustls::pki_types::pem::{PemObject, SectionKind};

/// What stands before the 32 bytes of an Ed25519 key (RFC 8410).
const ED25519: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
/// What stands before the point of a P-256 key (RFC 5480).
const P256: [u8; 26] =
    *b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
/// What says that an RSA key follows (RFC 3279), between two lengths.
const RSA: [u8; 15] = *b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// The shortest RSA key that is taken, in bytes: 2,048 bits, an exponent and the lengths of both.
const RSA_MIN: usize = 268;

/// Why there are no keys to check JWTs with.
#[derive(Debug, thiserror::Error)]
pub enum JwtKeyError {
    /// The file cannot be read.
    #[error("cannot read the keys of --jwt-key in {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error(
        "{} {why}; --jwt-key takes public keys as PEM (BEGIN PUBLIC KEY): RSA of at least 2048 bits, ECDSA P-256 or \
         Ed25519",
        .path.display()
    )]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Every key of a file, each with its algorithm.
pub(super) fn read(path: &Path) -> Result<Vec<(Algorithm, DecodingKey)>, JwtKeyError> {
    let pem = std::fs::read(path).map_err(|source| JwtKeyError::File {
        path: path.to_owned(),
        source,
    })?;
    parse(&pem).map_err(|why| JwtKeyError::Keys {
        path: path.to_owned(),
        why,
    })
}

/// The same of a file's content, or what is wrong with it.
pub(super) fn parse(pem: &[u8]) -> Result<Vec<(Algorithm, DecodingKey)>, &'static str> {
    let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem);
    let keys: Vec<_> = sections
        .map(|section| match section {
            Ok((SectionKind::PublicKey, der)) => key(&der).ok_or("holds a key of another kind"),
            Ok(_) => Err("holds something else than public keys"),
            Err(_) => Err("holds PEM that cannot be read"),
        })
        .collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err("holds no public key");
    }
    Ok(keys)
}

/// A key in the form that all kinds share, a `SubjectPublicKeyInfo`.
fn key(der: &[u8]) -> Option<(Algorithm, DecodingKey)> {
    if let Some(key) = der.strip_prefix(&ED25519) {
        return (key.len() == 32).then(|| (Algorithm::EdDSA, DecodingKey::from_ed_der(key)));
    }
    if let Some(point) = der.strip_prefix(&P256) {
        return (point.len() == 65).then(|| (Algorithm::ES256, DecodingKey::from_ec_der(point)));
    }
    let [0x30, 0x82, _, _, rest @ ..] = der else {
        return None;
    };
    let [0x03, 0x82, _, _, 0x00, key @ ..] = rest.strip_prefix(&RSA)? else {
        return None;
    };
    (key.len() >= RSA_MIN).then(|| (Algorithm::RS256, DecodingKey::from_rsa_der(key)))
}
