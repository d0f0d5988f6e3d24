use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::get_current_timestamp;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SigningKey};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "whoosh";
/// Seconds that are long beside the leeway.
const HOUR: u64 = 3600;

/// A key whose other half is lost, and what that signed: nothing here makes RSA keys.
const RSA_KEY: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAjeM6/m1nFRwASFkwnlfQ
nq9MEpRzXM+lYWK4/0UU4TgeSGqmAb3ccT635OsKeGNWsgdndeA9VKQdiz1aqEcI
3MmG1oUoNqJQDEm63gk7LA9jUKHgEng7cdtt2LE+isSo+yvZEoKy2SCZXWXZ8deX
bVy1FIxkQLyu3UC55bWgLS+X41fhoVqTavDA9fux+9snhckBVUU9nMsdPo4tIWYo
Y9zOzwhfJaEaOI4hd7Es34CGLx4IXFkPzzuRphDboA5Ozx0nl/cKd0K3+F3ZbEpp
LvYuOh++w98QQfHtEgbyJLlBqMiJnH8ny8EVSmTrocEGUqAMGY5uLRHnZXoTaqxh
JwIDAQAB
-----END PUBLIC KEY-----
";
const RSA_JWT: [&str; 3] = [
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9",
    "eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJ3aG9vc2giLCJuYmYiOjAsImV4cCI6NDEwMjQ0NDgwMCwic3ViIjoiYWRhIiwicm9s\
     ZSI6InZpZXciLCJuYW1lc3BhY2VzIjpbInByb2QiXX0",
    "SVK3AdzZ_wM8jggGzdG42dfWO0Ok5OzbGV6GstQA9pOECqpQPt8VqgYHoXipZoXbx2oogc4L0i1aMRgysuhGfPdc5dhDwBAMinYQRIEwZ2GxNool\
     67e0rK5KOTvTFqYCWcgpH45-8fxccgucvm_DwTDMt0LXcw84l50MQcu_NdMgUErc4eHGrfJnLugXgTJPeM-yy08DgEvCqhPCZRsZolEzN9JCCth9\
     OAPvnx2zRAY27NWdKD2khLzop6KG1omc1R0J1pU4KhnuHGsT-zvtBERwZsU4dW3fFMS_8fo8xUrtKfmzDZeuxBTC6jTzmeC33etLGBaDuRuenVCI\
     enmCCg",
];

fn issuer(pem: &str) -> JwtIssuer {
    JwtIssuer::new(keys::parse(pem.as_bytes()).unwrap(), ISSUER, AUDIENCE)
}

/// What counts, for an hour.
fn claims() -> Value {
    let now = get_current_timestamp();
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "nbf": now - HOUR,
        "exp": now + HOUR,
        "sub": "ada",
        "role": "edit",
        "namespaces": ["prod"],
    })
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| BASE64.encode(part.to_string()));
    format!("{header}.{claims}")
}

fn joined(message: &str, signature: &[u8]) -> String {
    format!("{message}.{}", BASE64.encode(signature))
}

/// Signed with Ed25519, whatever its header says.
fn signed_as(header: &Value, claims: &Value, key: &KeyPair) -> String {
    let message = unsigned(header, claims);
    joined(&message, &key.sign(message.as_bytes()).unwrap())
}

fn signed(claims: &Value, key: &KeyPair) -> String {
    signed_as(&json!({"alg": "EdDSA", "typ": "JWT"}), claims, key)
}

fn ed25519() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).unwrap()
}

#[test]
fn a_jwt_counts_by_what_it_claims() {
    let key = ed25519();
    let issuer = issuer(&key.public_key_pem());
    let now = get_current_timestamp();
    let claim = |name: &str| Err(Refused::Claim(name.to_owned()));
    let granted = |role, namespaces: Option<&[&str]>| {
        let namespaces = namespaces.map(|all| all.iter().map(|&name| name.to_owned()).collect());
        Ok(Grant { role, namespaces })
    };
    let good = || granted(Role::Edit, Some(&["prod"]));
    for (name, value, expected) in [
        ("sub", Some(json!("ada")), good()),
        ("sub", Some(json!("auth0|5f7c")), good()),
        ("sub", Some(json!("repo:acme/fleet:ref:refs/heads/main")), good()),
        ("sub", Some(json!("")), claim("sub")),
        ("sub", Some(json!("ada\nlevel=ERROR")), claim("sub")),
        ("sub", Some(json!("a".repeat(256))), claim("sub")),
        ("sub", Some(json!(7)), Err(Refused::Claims)),
        ("sub", None, Err(Refused::Claims)),
        ("exp", Some(json!(now - HOUR)), Err(Refused::Expired)),
        ("exp", Some(json!(now - LEEWAY / 2)), good()),
        ("exp", Some(json!(now - LEEWAY * 2)), Err(Refused::Expired)),
        ("exp", Some(json!("tomorrow")), claim("exp")),
        ("exp", Some(json!(-1)), claim("exp")),
        ("exp", None, claim("exp")),
        ("nbf", Some(json!(now + HOUR)), Err(Refused::Early)),
        ("nbf", Some(json!(now + LEEWAY / 2)), good()),
        ("nbf", Some(json!(now + LEEWAY * 2)), Err(Refused::Early)),
        ("nbf", None, claim("nbf")),
        ("iss", Some(json!("https://evil.example")), Err(Refused::Issuer)),
        ("iss", Some(json!("https://id.example/")), Err(Refused::Issuer)),
        ("iss", Some(json!([ISSUER])), Err(Refused::Claims)),
        ("iss", None, claim("iss")),
        ("aud", Some(json!("another")), Err(Refused::Audience)),
        ("aud", Some(json!(["another", AUDIENCE])), good()),
        ("aud", Some(json!([])), Err(Refused::Audience)),
        ("aud", None, claim("aud")),
        (
            "role",
            Some(json!("admin")),
            granted(Role::Admin, Some(&["prod"])),
        ),
        ("role", Some(json!("view")), granted(Role::View, Some(&["prod"]))),
        (
            "role",
            Some(json!("agent")),
            granted(Role::Agent, Some(&["prod"])),
        ),
        ("role", Some(json!("root")), Err(Refused::Claims)),
        ("role", Some(json!("Admin")), Err(Refused::Claims)),
        ("role", Some(json!(["admin"])), Err(Refused::Claims)),
        ("role", None, Err(Refused::Claims)),
        ("namespaces", None, Err(Refused::Claims)),
        ("namespaces", Some(json!(["*"])), granted(Role::Edit, None)),
        (
            "namespaces",
            Some(json!(["*", "prod"])),
            granted(Role::Edit, Some(&["*", "prod"])),
        ),
        ("namespaces", Some(json!([])), granted(Role::Edit, Some(&[]))),
        (
            "namespaces",
            Some(json!(["test", "prod"])),
            granted(Role::Edit, Some(&["prod", "test"])),
        ),
        ("namespaces", Some(json!("prod")), Err(Refused::Claims)),
        ("namespaces", Some(Value::Null), Err(Refused::Claims)),
    ] {
        let mut claims = claims();
        let all = claims.as_object_mut().unwrap();
        match &value {
            Some(value) => all.insert(name.to_owned(), value.clone()),
            None => all.remove(name),
        };
        let told = issuer.judge(&signed(&claims, &key));
        if let Ok(subject) = &told {
            assert_eq!(subject.name, claims["sub"]);
        }
        assert_eq!(told.map(|told| told.grant), expected, "{name}: {value:?}");
    }
}

#[test]
fn the_key_says_how_a_jwt_is_signed() {
    let (ours, other) = (ed25519(), ed25519());
    let pem = ours.public_key_pem();
    let header = |algorithm: &str| json!({"alg": algorithm, "typ": "JWT"});
    let good = signed(&claims(), &ours);
    let unsigned_as = |algorithm: &str| unsigned(&header(algorithm), &claims());
    let by_public_key = |secret: &[u8]| {
        let message = unsigned_as("HS256");
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        joined(&message, hmac::sign(&key, message.as_bytes()).as_ref())
    };
    let (head, signature) = good.rsplit_once('.').unwrap();
    let mut richer = claims();
    richer["role"] = json!("admin");
    let critical = json!({"alg": "EdDSA", "crit": ["b64"], "b64": false});
    for (what, jwt, expected) in [
        ("another's key", signed(&claims(), &other), Refused::Signature),
        (
            "no algorithm",
            format!("{}.", unsigned_as("none")),
            Refused::Malformed,
        ),
        ("no signature", format!("{head}."), Refused::Signature),
        (
            "no algorithm, and a signature",
            format!("{}.{signature}", unsigned_as("none")),
            Refused::Malformed,
        ),
        (
            "the public key as a secret",
            by_public_key(pem.as_bytes()),
            Refused::Signature,
        ),
        (
            "its bytes as a secret",
            by_public_key(ours.public_key_raw()),
            Refused::Signature,
        ),
        (
            "another algorithm's name",
            signed_as(&header("ES256"), &claims(), &ours),
            Refused::Signature,
        ),
        (
            "other claims",
            format!("{}.{signature}", unsigned(&header("EdDSA"), &richer)),
            Refused::Signature,
        ),
        (
            "something critical",
            signed_as(&critical, &claims(), &ours),
            Refused::Malformed,
        ),
        (
            "two signatures",
            format!("{good}.{signature}"),
            Refused::Malformed,
        ),
        ("nothing", "..".to_owned(), Refused::Malformed),
        ("no base64", "a b.c d.e f".to_owned(), Refused::Malformed),
    ] {
        assert_eq!(issuer(&pem).judge(&jwt), Err(expected), "{what}");
    }
    assert!(issuer(&pem).judge(&good).is_ok());
}

#[test]
fn each_kind_of_key_checks_its_algorithm() {
    let ecdsa = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let random = SystemRandom::new();
    let signer =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &ecdsa.serialize_der(), &random).unwrap();
    let message = unsigned(&json!({"alg": "ES256"}), &claims());
    let es256 = joined(
        &message,
        signer.sign(&random, message.as_bytes()).unwrap().as_ref(),
    );
    let ed25519 = ed25519();
    let eddsa = signed(&claims(), &ed25519);
    let rs256 = RSA_JWT.join(".");

    let pems = [
        RSA_KEY.to_owned(),
        ecdsa.public_key_pem(),
        ed25519.public_key_pem(),
    ];
    let all = issuer(&pems.concat());
    for (index, jwt) in [&rs256, &es256, &eddsa].into_iter().enumerate() {
        assert_eq!(all.judge(jwt).map(|told| told.name), Ok("ada".to_owned()));
        for (of, pem) in pems.iter().enumerate() {
            assert_eq!(issuer(pem).judge(jwt).is_ok(), of == index, "{jwt} by {pem}");
        }
    }
    // A key that takes another's place does so while both are there.
    let next = self::ed25519();
    let both = issuer(&(ed25519.public_key_pem() + &next.public_key_pem()));
    assert!(both.judge(&eddsa).is_ok());
    assert!(both.judge(&signed(&claims(), &next)).is_ok());
}

#[test]
fn a_file_of_anything_but_public_keys_is_refused() {
    let key = ed25519();
    let curve = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    for (text, expected) in [
        (String::new(), "holds no public key"),
        (
            "a secret of thirty-two bytes or so".to_owned(),
            "holds no public key",
        ),
        (key.serialize_pem(), "holds something else than public keys"),
        (
            key.public_key_pem() + &key.serialize_pem(),
            "holds something else than public keys",
        ),
        (curve.public_key_pem(), "holds a key of another kind"),
        (
            key.public_key_pem().replace("-----END", ""),
            "holds PEM that cannot be read",
        ),
    ] {
        assert_eq!(keys::parse(text.as_bytes()).err(), Some(expected), "{expected}");
    }
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("jwt.pem");
    let read = || JwtIssuer::read(&file, ISSUER, AUDIENCE).map_err(|error| error.to_string());
    let why = read().unwrap_err();
    assert!(why.starts_with("cannot read the keys of --jwt-key in "), "{why}");
    std::fs::write(&file, key.serialize_pem()).unwrap();
    let why = read().unwrap_err();
    assert!(why.contains("jwt.pem holds something else"), "{why}");
    std::fs::write(&file, key.public_key_pem()).unwrap();
    assert!(read().unwrap().judge(&signed(&claims(), &key)).is_ok());
}
