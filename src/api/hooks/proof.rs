//! By what the sender of a webhook shows that it knows the secret. Pure.

use axum::http::HeaderMap;
use ring::hmac;

/// The headers that hold an HMAC-SHA256 of the body in hexadecimal, and what stands before it: GitHub's (which Gitea and
/// Forgejo send as well), Forgejo's and Gitea's.
const SIGNATURES: [(&str, &str); 3] = [
    ("x-hub-signature-256", "sha256="),
    ("x-forgejo-signature", ""),
    ("x-gitea-signature", ""),
];
/// The header in which GitLab sends the secret itself.
const TOKEN: &str = "x-gitlab-token";
/// The length of an HMAC-SHA256 in hexadecimal.
const DIGITS: usize = 64;

/// What a sender shows. It cannot be printed.
pub(super) enum Proof {
    /// The HMAC-SHA256 of the body, by the secret.
    Signature(Vec<u8>),
    /// The secret.
    Token(Vec<u8>),
}

impl Proof {
    /// What these headers show: the first that is there, which must be there once, and as it should be written.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let once = |name: &str| {
            let mut all = headers.get_all(name).iter();
            let only = all.next()?;
            all.next().is_none().then_some(only)
        };
        let signed = SIGNATURES.iter().find(|(name, _)| headers.contains_key(*name));
        match signed {
            Some((name, prefix)) => {
                let digits = once(name)?.to_str().ok()?.strip_prefix(prefix)?;
                bytes(digits).map(Self::Signature)
            }
            None => Some(Self::Token(once(TOKEN)?.as_bytes().to_owned())),
        }
    }

    /// Whether whoever showed it knows the secret. With an empty one nobody does.
    ///
    /// How long that takes does not depend on what was shown, nor on whether there is a secret.
    pub(super) fn holds(&self, secret: &str, body: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let is_right = match self {
            Self::Signature(signature) => hmac::verify(&key, body, signature),
            // What is compared are two signatures.
            Self::Token(token) => {
                let expected = hmac::sign(&key, secret.as_bytes());
                hmac::verify(&key, token, expected.as_ref())
            }
        };
        is_right.is_ok() && !secret.is_empty()
    }
}

/// The bytes of a signature in hexadecimal.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let is_whole = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pairs = is_whole.then(|| (0..DIGITS).step_by(2))?;
    pairs
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::names::hex;

    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    /// The signature that GitHub's documentation gives for these two.
    const SIGNED: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn holds(headers: &[(&'static str, &str)], secret: &str) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append::<axum::http::HeaderName>(name, value);
        }
        Proof::of(&map).is_some_and(|proof| proof.holds(secret, BODY))
    }

    #[test]
    fn each_sender_proves_in_its_own_way_that_it_knows_the_secret() {
        let github = format!("sha256={SIGNED}");
        for headers in [
            &[("x-hub-signature-256", github.as_str())][..],
            &[("x-gitea-signature", SIGNED)],
            &[("x-forgejo-signature", SIGNED)],
            &[("x-gitea-signature", SIGNED), ("x-hub-signature-256", &github)],
            &[("x-gitlab-token", SECRET)],
        ] {
            assert!(holds(headers, SECRET), "{headers:?}");
            assert!(!holds(headers, "another"), "{headers:?}");
        }
    }

    #[test]
    fn what_proves_nothing_is_refused() {
        let github = format!("sha256={SIGNED}");
        let other = SIGNED.replace("75", "76");
        for headers in [
            &[][..],
            &[("x-hub-signature-256", SIGNED)],
            &[("x-hub-signature-256", "sha256=")],
            &[("x-hub-signature-256", "")],
            &[("x-hub-signature", &github)],
            &[("x-hub-signature-256", &github), ("x-hub-signature-256", &github)],
            &[("x-gitea-signature", &github)],
            &[("x-gitea-signature", &other)],
            &[("x-gitea-signature", &SIGNED[..62])],
            &[(
                "x-gitea-signature",
                "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e+7",
            )],
            &[("x-gitea-signature", &other), ("x-gitlab-token", SECRET)],
            &[("x-gitlab-token", "")],
            &[("x-gitlab-token", "It's a Secret to Everybod")],
            &[("x-gitlab-token", SECRET), ("x-gitlab-token", SECRET)],
        ] {
            assert!(!holds(headers, SECRET), "{headers:?}");
        }
    }

    #[test]
    fn no_secret_is_known_to_nobody() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"");
        let signed = hex(hmac::sign(&key, BODY).as_ref());
        assert!(!holds(&[("x-gitea-signature", &signed)], ""));
        assert!(!holds(&[("x-gitlab-token", "")], ""));
    }
}
