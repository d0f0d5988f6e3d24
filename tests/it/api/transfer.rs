//! How answers travel: compressed when they are large, with headers for those in between, and in the form that is asked for.

use reqwest::Method;
use serde_json::{Value, json};

use super::{TEAMS, server, team};

/// Past this, an answer is compressed for those who take it so; Kubernetes has the same bound.
const LARGE: usize = 128 * 1024;

#[tokio::test]
async fn what_is_large_is_compressed_for_those_who_take_it() {
    let server = server().await;
    let ask = async |encoding: Option<&str>| {
        let mut request = server.request(Method::GET, TEAMS);
        if let Some(encoding) = encoding {
            request = request.header("accept-encoding", encoding);
        }
        let response = request.send().await.unwrap();
        let named = response.headers().get("content-encoding").cloned();
        (named, response.bytes().await.unwrap())
    };
    assert_eq!(ask(Some("gzip")).await.0, None, "small");
    let mut long = team("payments");
    long["metadata"]["annotations"] = json!({"note": "refunds, ".repeat(LARGE / 8)});
    server.post(TEAMS, &long).await.ok(201);

    let (named, plain) = ask(None).await;
    assert_eq!(named, None, "who does not say so takes it plain");
    assert!(plain.len() > LARGE);
    for encoding in ["gzip", "deflate, gzip;q=1.0"] {
        let (named, packed) = ask(Some(encoding)).await;
        assert_eq!(named.unwrap(), "gzip");
        assert!(packed.starts_with(&[0x1f, 0x8b]), "RFC 1952");
        assert!(packed.len() < plain.len() / 10, "{}", packed.len());
    }
}

#[tokio::test]
async fn whoever_wants_yaml_has_it() {
    let server = server().await;
    server.create("payments").await;
    let ask = async |path: &str, accept: &str| {
        let request = server.request(Method::GET, path).header("accept", accept);
        let response = request.send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        (response.status().as_u16(), kind, response.text().await.unwrap())
    };
    let one = format!("{TEAMS}/payments");
    for (path, code, kind) in [
        (TEAMS, 200, "TeamList"),
        (&one, 200, "Team"),
        ("/no/such/path", 404, "Status"),
    ] {
        let (said, form, text) = ask(path, "application/yaml, application/json").await;
        assert_eq!((said, form.as_str()), (code, "application/yaml"), "{path}");
        assert!(text.lines().any(|line| line == format!("kind: {kind}")), "{text}");
    }
    let (_, form, _) = ask(&one, "application/json, application/yaml").await;
    assert_eq!(form, "application/json");
    let (code, form, paths) = ask("/", "application/yaml").await;
    assert_eq!((code, form.as_str()), (200, "application/yaml"));
    assert!(paths.contains("- /apis/chorus.services/v1\n"), "{paths}");
    let refused = server.get(&format!("{TEAMS}?timeout=soon")).await;
    let told = refused.refused(400, "BadRequest");
    assert!(told.contains("\"soon\" is not a duration"), "{told}");
}

#[tokio::test]
async fn every_answer_says_what_may_be_made_of_it() {
    let server = server().await;
    for path in [TEAMS, "/livez", "/no/such/path", "/metrics", "/openapi/v2"] {
        let response = server.request(Method::GET, path).send().await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cache-control"), "no-cache, private", "{path}");
        assert!(
            header("strict-transport-security").starts_with("max-age="),
            "{path}"
        );
        assert!(
            header("content-security-policy").contains("frame-ancestors 'none'"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_older_description_comes_as_json_or_as_protobuf() {
    const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    let server = server().await;
    for (accept, media) in [
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        (
            "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
            PROTOBUF,
        ),
        (PROTOBUF, PROTOBUF),
    ] {
        let request = server
            .request(Method::GET, "/openapi/v2")
            .header("accept", accept);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], media, "{accept}");
        let body = response.bytes().await.unwrap();
        match media {
            PROTOBUF => assert!(body.starts_with(b"\x0a\x032.0"), "its field 1 is the version"),
            _ => {
                let document: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(document["swagger"], "2.0");
                let team = &document["definitions"]["services.chorus.v1.Team"];
                assert_eq!(team["x-kubernetes-group-version-kind"][0]["kind"], "Team");
            }
        }
    }
}
