//! Requests that are not what they seem: in their paths, names, headers and ends, and in how long they take.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, advance, pause};

use super::{House, head};
use crate::api::wire::{Wire, codes, say};
use crate::api::{MERGE_PATCH, PATIENCE, TEAMS, answer, at, team};

const REVIEW: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

#[tokio::test]
async fn a_name_leads_nowhere_else() {
    let house = House::new().await;
    let (admin, narrow) = (house.jwt("admin"), house.narrow("edit").await);
    for path in [
        "/apis/chorus.services/v1/namespaces/../../../../etc/passwd",
        "/apis/chorus.services/v1/namespaces/default/../prod/teams",
        "/apis/chorus.services/v1/namespaces/default/../prod/teams/vault",
        "/apis/chorus.services/v1/namespaces/default/teams/../../prod/teams/vault",
        "/apis/chorus.services/v1/namespaces/default%2f..%2fprod/teams/vault",
        "/apis/chorus.services/v1/namespaces/default%2fteams%2f..%2f..%2fprod/teams",
        "/apis/chorus.services/v1/namespaces/../teams",
        "/apis/chorus.services/v1/namespaces/./teams/vault",
        "/apis/chorus.services/v1/namespaces/%2e%2e/teams",
        "/apis/chorus.services/v1/namespaces/%252e%252e/teams",
        "/apis/chorus.services/v1/namespaces/prod%00/teams",
        "/apis/chorus.services/v1/namespaces/default%5c..%5cprod/teams",
        "/apis/chorus.services/v1/namespaces//prod/teams/vault",
        "/apis/chorus.services/v1/namespaces/default//teams",
        "/apis/chorus.services/v1/namespaces/default/teams/..%2f..%2fprod%2fteams%2fvault",
        "/apis/chorus.services/v1/namespaces/default/teams/..%252f..%252fprod%252fteams%252fvault",
        "/apis/chorus.services/v1/namespaces/default/teams/payments%2fstatus",
        "/apis/chorus.services/v1/namespaces/default/teams/payments/%73tatus",
        "/apis/chorus.services/v1/namespaces/default/teams/%c0%ae%c0%ae%c0%af",
        "/apis/chorus.services/v1/namespaces/default/teams/..;/vault",
        "/apis/chorus.services/v1/namespaces/default/teams/%zz",
        "/apis/chorus.services/v1/namespaces/default/teams%2fpayments",
        "/apis/chorus.services/v1/namespaces/default/agents/..%2f..%2fsecrets/log",
        "/apis/chorus.services/v1/%74okens",
        "/apis/chorus.services/v1/namespaces/default/tokens",
        "/apis/chorus.services/v1/namespaces/default/../../tokens",
        "/apis/chorus.services/v1/../v1/tokens",
        "//apis/chorus.services/v1/tokens",
        "/apis//chorus.services/v1/tokens",
        "/apis/authentication.k8s.io/../chorus.services/v1/tokens",
        "/apis/authentication.k8s.io/v1/..%2f..%2fchorus.services%2fv1%2ftokens",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/..%2f..%2fetc%2fpasswd",
        "/apis/..%2f..%2fetc%2fpasswd",
        "/api/v1/namespaces/%2e%2e/events",
        "/api/v1/namespaces/..%2fprod",
        "/openapi/v3/..%2f..%2fetc%2fpasswd",
        "/../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
    ] {
        for method in ["GET", "PATCH", "DELETE"] {
            for (who, token) in [("admin", &admin), ("edit in default", &narrow)] {
                let told = say(&house.door, &format!("{}\r\n", head(method, path, token))).await;
                let [code] = codes(&told)[..] else {
                    panic!("{who} {method} {path}: {told}");
                };
                let is_refused = matches!(code, 400 | 403 | 404 | 405 | 415);
                assert!(is_refused, "{who} {method} {path}: {told}");
                assert!(who != "admin" || code != 403, "{method} {path}: {told}");
                assert!(!told.contains("root:"), "{told}");
            }
        }
    }
    house.is_untouched().await;
}

#[tokio::test]
async fn what_is_sent_names_nothing_else() {
    let house = House::new().await;
    let narrow = house.narrow("edit").await;
    let long = "a".repeat(300);
    for name in [
        "../x", "a/b", "..", ".", "%2e%2e", "a\0b", "a\r\nb", "x_y", "", &long,
    ] {
        let request = house.door.request(Method::POST, TEAMS, &narrow);
        let told = answer(request.json(&team(name))).await;
        assert!(matches!(told.code, 400 | 422), "{name:?}: {}", told.text);
    }
    let with = |field: &str, value: Value| {
        let mut team = team("new");
        *team.pointer_mut(field).unwrap() = value;
        team
    };
    let elsewhere = json!({"name": "new", "namespace": "prod"});
    let secret = |name: &str| json!([{"name": "coordinator", "agent": {"secrets": [{"name": name}]}}]);
    for body in [
        with("/metadata", elsewhere),
        with("/spec/roles", secret("../prod/key")),
        with("/spec/roles", secret("..")),
        with("/spec/roles", secret("/etc/shadow")),
        with("/spec/roles/0/name", json!("../x")),
        with("/kind", json!("../Team")),
        with("/apiVersion", json!("../v1")),
    ] {
        let request = house.door.request(Method::POST, TEAMS, &narrow).json(&body);
        let told = answer(request).await;
        assert!(matches!(told.code, 400 | 422), "{body}: {}", told.text);
    }
    house.is_untouched().await;
}

#[tokio::test]
async fn a_request_ends_where_it_ends() {
    let house = House::new().await;
    let edit = house.jwt("edit");
    let stranger = "GET /apis HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let begun = |method: &str| {
        format!("{method} {TEAMS} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {edit}\r\n")
    };
    let long = "x".repeat(70_000);
    for (what, said, expected) in [
        (
            "two lengths",
            format!(
                "{}content-length: 0\r\ncontent-length: 60\r\n\r\n{stranger}",
                begun("GET")
            ),
            &[400][..],
        ),
        (
            "a list of lengths",
            format!("{}content-length: 0, 60\r\n\r\n{stranger}", begun("GET")),
            &[400],
        ),
        (
            "a length with a sign",
            format!("{}content-length: +60\r\n\r\n{stranger}", begun("GET")),
            &[400],
        ),
        // Chunks count, as the standard says, and what follows them is not looked at.
        (
            "a length and chunks",
            format!(
                "{}content-length: 60\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{stranger}",
                begun("GET")
            ),
            &[200],
        ),
        (
            "chunks and a length",
            format!(
                "{}transfer-encoding: chunked\r\ncontent-length: 60\r\n\r\n0\r\n\r\n{stranger}",
                begun("GET")
            ),
            &[200],
        ),
        (
            "another encoding",
            format!(
                "{}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n{stranger}",
                begun("GET")
            ),
            &[400],
        ),
        (
            "an encoding after chunks",
            format!(
                "{}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{stranger}",
                begun("GET")
            ),
            &[400],
        ),
        (
            "an encoding behind a control character",
            format!(
                "{}transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n{stranger}",
                begun("GET")
            ),
            &[400],
        ),
        (
            "chunks of HTTP/1.0",
            format!("{}transfer-encoding: chunked\r\n\r\n0\r\n\r\n", begun("GET"))
                .replace("HTTP/1.1", "HTTP/1.0"),
            &[400],
        ),
        (
            "a chunk that is larger than numbers are",
            format!(
                "{}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{{",
                begun("POST")
            ),
            &[400],
        ),
        (
            "a chunk without a number",
            format!("{}transfer-encoding: chunked\r\n\r\n-1\r\n{{", begun("POST")),
            &[400],
        ),
        (
            "a folded line",
            format!("{}x-folded: a\r\n b: c\r\n\r\n", begun("GET")),
            &[400],
        ),
        (
            "a blank before the colon",
            format!("{}content-length : 60\r\n\r\n{stranger}", begun("GET")),
            &[400],
        ),
        (
            "half a line end in a value",
            format!("{}x-half: a\rx-other: b\r\n\r\n", begun("GET")),
            &[400],
        ),
        (
            "nothing in a value",
            format!("{}x-nothing: a\0b\r\n\r\n", begun("GET")),
            &[400],
        ),
        (
            "a line without a colon",
            format!("{}x-none\r\n\r\n", begun("GET")),
            &[400],
        ),
        (
            "two bearers",
            format!(
                "{}connection: close\r\nauthorization: Bearer x\r\n\r\n",
                begun("GET")
            ),
            &[401],
        ),
        (
            "a long path",
            format!("{}\r\n", head("GET", &format!("/{long}"), &edit)),
            &[414],
        ),
    ] {
        let told = say(&house.door, &said).await;
        let told: Vec<u16> = codes(&told);
        // Of a path that long, either may be said.
        let told: Vec<u16> = told
            .into_iter()
            .map(|code| if code == 431 { 414 } else { code })
            .collect();
        assert_eq!(told, expected, "{what}");
    }
    house.is_untouched().await;
}

#[tokio::test]
async fn no_header_makes_somebody_else_of_its_sender() {
    let house = House::new().await;
    let view = house.jwt("view");
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let patch = json!({"metadata": {"labels": {"mine": "yes"}}}).to_string();
    for (name, value) in [
        ("x-remote-user", "admin"),
        ("x-remote-group", "role:admin"),
        ("x-forwarded-user", "admin"),
        ("x-forwarded-for", "127.0.0.2"),
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "DELETE"),
        ("x-original-url", "/apis/chorus.services/v1/tokens"),
        ("x-rewrite-url", "/apis/chorus.services/v1/tokens"),
    ] {
        let asked = house
            .door
            .request(Method::POST, REVIEW, &view)
            .header(name, value);
        let told = answer(asked.json(&review)).await.ok(201);
        assert_eq!(told["status"]["userInfo"]["username"], "jwt:view", "{name}");
        let changed = house.door.request(Method::PATCH, &at("payments"), &view);
        let changed = changed.header(name, value).header("content-type", MERGE_PATCH);
        answer(changed.body(patch.clone()))
            .await
            .refused(403, "Forbidden");
        let read = house.door.request(Method::GET, &at("payments"), &view);
        let read = answer(read.header(name, value)).await.ok(200);
        assert_eq!(read["kind"], "Team", "{name}");
    }
    house.is_untouched().await;
}

#[tokio::test]
async fn what_is_sent_makes_no_header_of_an_answer() {
    let house = House::new().await;
    let edit = house.jwt("edit");
    let mut unknown = team("warned");
    unknown["spec"]["x\r\nset-cookie: a=b"] = json!(1);
    let cookie = "%0d%0aset-cookie:%20a=b";
    let query = |text: &str| format!("{TEAMS}?{text}{cookie}");
    for request in [
        house
            .door
            .request(Method::POST, &format!("{TEAMS}?fieldValidation=Warn"), &edit)
            .json(&unknown),
        house
            .door
            .request(Method::POST, &query("dryRun=All&fieldManager=x"), &edit)
            .json(&team("managed")),
        house.door.request(Method::GET, &query("labelSelector=a"), &edit),
        house.door.request(Method::GET, &query("continue="), &edit),
        house.door.request(Method::GET, &at(cookie), &edit),
        house.door.request(Method::GET, &format!("/{cookie}"), &edit),
    ] {
        let response = request.send().await.unwrap();
        assert!(response.status().as_u16() < 500, "{response:?}");
        assert!(response.headers().get("set-cookie").is_none(), "{response:?}");
    }
}

#[tokio::test]
async fn what_strangers_send_is_not_read() {
    let house = House::new().await;
    let edit = house.jwt("edit");
    let started = Instant::now();
    // No body follows, and nobody waits for it.
    for more in [
        "content-length: 3000000000\r\n\r\n",
        "content-length: 10\r\nexpect: 100-continue\r\n\r\n",
    ] {
        let told = say(&house.door, &format!("{}{more}", head("POST", TEAMS, "whoosh_x"))).await;
        assert_eq!(codes(&told), [401], "{told}");
    }
    assert!(started.elapsed() < PATIENCE / 2);

    let laughs = (1..30).fold(
        "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(),
        |text, level| {
            let alias = format!("*a{}", level - 1);
            format!("{text}a{level}: &a{level} [{}]\n", vec![alias; 9].join(", "))
        },
    );
    for (media, body) in [
        ("application/yaml", laughs),
        ("application/yaml", "[".repeat(100_000)),
        ("application/yaml", "? ".repeat(100_000)),
        ("application/json", "{\"a\":".repeat(100_000)),
    ] {
        let post = house.door.request(Method::POST, TEAMS, &edit);
        let told = answer(post.header("content-type", media).body(body)).await;
        told.refused(400, "BadRequest");
    }
    // What would become large is not unpacked.
    let packed = house.door.request(Method::POST, TEAMS, &edit);
    let packed = packed
        .header("content-type", "application/json")
        .header("content-encoding", "gzip");
    let told = answer(packed.body(vec![0x1f, 0x8b, 0x08, 0x00])).await;
    assert!(matches!(told.code, 400 | 415), "{}", told.text);
    house.is_untouched().await;
}

#[tokio::test]
async fn who_is_slow_is_not_waited_for() {
    let house = House::new().await;
    let edit = house.jwt("edit");
    let (mut slow_head, mut slow_body) = (Wire::to(&house.door).await, Wire::to(&house.door).await);
    let begun = head("POST", TEAMS, &edit);
    slow_body
        .send(&format!("{begun}content-length: 1000\r\n\r\n"))
        .await;
    pause();
    // A byte now and then does not keep a connection.
    for byte in ["G", "E", "T", " "] {
        slow_head.send(byte).await;
        slow_body.send(" ").await;
        advance(Duration::from_secs(3)).await;
    }
    let before = Instant::now();
    let told = slow_head.rest().await;
    assert!(codes(&told).is_empty(), "{told}");
    assert!(
        before.elapsed() < Duration::from_secs(16),
        "{:?}",
        before.elapsed()
    );
    let told = slow_body.rest().await;
    assert_eq!(codes(&told), [504], "{told}");
    assert!(
        before.elapsed() < Duration::from_secs(32),
        "{:?}",
        before.elapsed()
    );
}

#[tokio::test]
async fn an_answer_before_the_end_of_its_request_closes_the_connection_and_says_so() {
    let house = House::new().await;
    let closes = async |bearer: &str| {
        let request = house.door.request(Method::POST, TEAMS, bearer);
        let answer = request.json(&team("closing")).send().await.unwrap();
        let connection = answer.headers().get("connection").cloned();
        let closes = connection.is_some_and(|value| value == "close");
        (answer.status().as_u16(), closes)
    };
    assert_eq!(closes("whoosh_0").await, (401, true));
    assert_eq!(closes(&house.jwt("admin")).await, (201, false));
}
