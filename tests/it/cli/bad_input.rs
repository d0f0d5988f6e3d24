//! What people get wrong: each problem is told with its field, file, document and line, and nothing is stored.

use super::{Desk, Office, team};

const GOOD: &str = "apiVersion: chorus.services/v1
kind: Team
metadata: {name: payments}
spec:
  defaults: {image: chorus-agent:dev}
  roles:
    - name: coordinator
";

/// Validates a file beside a good one and compares everything that is printed.
async fn check(file: &str, content: impl AsRef<[u8]>, problems: &[&str]) {
    let desk = Desk::new();
    desk.write(file, content);
    desk.write("good.yaml", team("good", ""));
    let printed = desk.whoosh(&["validate", "-f", file, "-f", "good.yaml"]).await;
    let count = match problems.len() {
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    };
    let expected = format!("{}\nerror: {count}; nothing was changed\n", problems.join("\n"));
    assert_eq!(
        (printed.out.as_str(), printed.err.as_str(), printed.code),
        ("", expected.as_str(), 1),
        "{file}"
    );
}

#[tokio::test]
async fn fields_that_are_wrong() {
    check(
        "unknown.yaml",
        GOOD.replace("roles:", "roels:"),
        &[
            "unknown.yaml:4 (document 1, team/payments): spec.roles: is required",
            "unknown.yaml:6 (document 1, team/payments): spec.roels: unknown field (did you mean \"roles\"?)",
        ],
    )
    .await;
    check(
        "type.yaml",
        format!("{GOOD}      replicas: three\n"),
        &["type.yaml:8 (document 1, team/payments): spec.roles[0].replicas: must be a whole number, got a string"],
    )
    .await;
    check(
        "replicas.yaml",
        format!("{GOOD}      replicas: -1\n    - name: more\n      replicas: 10000000\n"),
        &[
            "replicas.yaml:8 (document 1, team/payments): spec.roles[0].replicas: must be between 0 and 10000, got -1",
            "replicas.yaml:10 (document 1, team/payments): spec.roles[1].replicas: must be between 0 and 10000, got \
             10000000",
        ],
    )
    .await;
    check(
        "image.yaml",
        GOOD.replace("  defaults: {image: chorus-agent:dev}\n", ""),
        &["image.yaml:6 (document 1, team/payments): spec.roles[0].agent.image: is required: an agent's image is set \
           in the role's agent block, in its template or in spec.defaults"],
    )
    .await;
    check(
        "amounts.yaml",
        format!(
            "{GOOD}      agent:\n        stopGracePeriod: soon\n        resources:\n          limits: {{cpu: lots, \
             memory: 64Mi}}\n"
        ),
        &[
            "amounts.yaml:9 (document 1, team/payments): spec.roles[0].agent.stopGracePeriod: \"soon\" is not a \
             duration: write it like \"60s\" or \"1m30s\"",
            "amounts.yaml:11 (document 1, team/payments): spec.roles[0].agent.resources.limits.cpu: \"lots\" is not \
             an amount of processor time: write it like \"500m\" or \"2\"",
        ],
    )
    .await;
    check(
        "request.yaml",
        format!(
            "{GOOD}      agent:\n        resources:\n          limits: {{memory: 64Mi}}\n          requests: {{memory: \
             128Mi}}\n"
        ),
        &["request.yaml:11 (document 1, team/payments): spec.roles[0].agent.resources.requests.memory: must not be \
           above the limit of \"64Mi\", got \"128Mi\""],
    )
    .await;
}

#[tokio::test]
async fn names_that_cannot_be() {
    let long = "x".repeat(64);
    check(
        "noname.yaml",
        GOOD.replace("{name: payments}", "{}"),
        &["noname.yaml:3 (document 1): metadata.name: is required"],
    )
    .await;
    check(
        "names.yaml",
        format!("{}    - name: {long}\n", GOOD.replace("payments", "Pay_ments")),
        &[
            "names.yaml:3 (document 1, team/Pay_ments): metadata.name: must be a DNS label, got \"Pay_ments\": at \
             most 63 of a-z, 0-9 and \"-\", with a letter or digit at both ends; try \"pay-ments\"",
            &format!(
                "names.yaml:8 (document 1, team/Pay_ments): spec.roles[1].name: must be a DNS label, got \"{long}\" \
                 (64 characters): at most 63 of a-z, 0-9 and \"-\", with a letter or digit at both ends; try \"{}\"",
                "x".repeat(63)
            ),
        ],
    )
    .await;
    check(
        "role.yaml",
        format!("{GOOD}    - name: coordinator\n"),
        &["role.yaml:8 (document 1, team/payments): spec.roles[1].name: duplicate \"coordinator\"; it is at \
           spec.roles[0].name already"],
    )
    .await;
    check(
        "twice.yaml",
        format!("{GOOD}---\n{GOOD}"),
        &["twice.yaml:11 (document 2, team/payments): metadata.name: team/payments is declared twice, first in \
           twice.yaml:1 (document 1)"],
    )
    .await;
}

#[tokio::test]
async fn files_that_are_no_manifests() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (before, name) in ('a'..='h').zip('b'..='i') {
        bomb.push_str(&format!(
            "{name}: &{name} [{}]\n",
            vec![format!("*{before}"); 9].join(",")
        ));
    }
    check(
        "bomb.yaml",
        bomb,
        &["bomb.yaml:7 (document 1): stands, through its aliases, for more than 1000000 values: use fewer aliases"],
    )
    .await;
    check(
        "huge.yaml",
        format!("{GOOD}# {}\n", "x".repeat(10_000_000)),
        &["huge.yaml: has 9766 KiB: a file of manifests may have at most 3072 KiB; split it"],
    )
    .await;
    check(
        "binary.yaml",
        (0..=255).collect::<Vec<u8>>(),
        &["binary.yaml: is not UTF-8 text (line 2): is it a binary file?"],
    )
    .await;
    check("empty.yaml", "", &["empty.yaml: has no objects"]).await;
    check(
        "tabs.yaml",
        GOOD.replace("    - name", "\t- name"),
        &["tabs.yaml:7 (document 1): is indented with a tab: YAML is indented with spaces"],
    )
    .await;
    let desk = Desk::new();
    desk.write("crlf.yaml", GOOD.replace('\n', "\r\n"));
    let printed = desk.whoosh(&["validate", "-f", "crlf.yaml"]).await;
    assert_eq!(printed.ok(), "team/payments valid\n");
}

#[tokio::test]
async fn nothing_is_stored_when_one_document_is_bad() {
    let office = Office::open().await;
    let files = team("good", "") + &team("bad", "      replicas: -1\n") + &team("also-good", "");
    let printed = office.apply(&files, &[]).await;
    assert_eq!(
        (printed.out.as_str(), printed.err.as_str(), printed.code),
        (
            "",
            "standard input:16 (document 2, team/bad): spec.roles[0].replicas: must be between 0 and 10000, got -1\n\
             error: 1 problem; nothing was changed\n",
            1
        )
    );
    assert_eq!(
        (office.stored("good").await, office.stored("also-good").await),
        (None, None)
    );
}

#[tokio::test]
async fn what_only_the_operator_can_see_is_told_at_its_line() {
    let office = Office::open().await;
    let template = "apiVersion: chorus.services/v1
kind: AgentTemplate
metadata: {name: small}
spec: {image: chorus-agent:dev, resources: {limits: {memory: 64Mi}, requests: {memory: 32Mi}}}
";
    office.apply(template, &[]).await.ok();
    let more = "      template: small\n      agent:\n        resources: {requests: {memory: 128Mi}}\n";
    let printed = office.apply(&(team("good", "") + &team("bad", more)), &[]).await;
    assert_eq!((printed.out.as_str(), printed.code), ("", 1), "{printed:?}");
    assert!(
        printed.err.starts_with(
            "standard input:18 (document 2, team/bad): spec.roles[0].agent.resources.requests.memory: "
        ),
        "{}",
        printed.err
    );
    assert_eq!(office.stored("good").await, None);
}

#[tokio::test]
async fn a_file_is_judged_with_the_templates_that_come_along() {
    let office = Office::open().await;
    let template = |limit: &str| {
        format!(
            "apiVersion: chorus.services/v1
kind: AgentTemplate
metadata: {{name: small}}
spec: {{image: chorus-agent:dev, resources: {{limits: {{memory: {limit}}}, requests: {{memory: 32Mi}}}}}}
---
"
        )
    };
    let more = "      template: small\n      agent:\n        resources: {requests: {memory: 128Mi}}\n";
    let bad = template("64Mi") + &team("pay", more);
    let problem = "(document 2, team/pay): spec.roles[0].agent.resources.requests.memory: must not be above";
    for command in [["validate", "-f", "-"], ["apply", "-f", "-"]] {
        let printed = office.desk.whoosh_with(&command, &bad).await;
        assert_eq!((printed.out.as_str(), printed.code), ("", 1), "{printed:?}");
        assert!(printed.err.contains(problem), "{command:?}: {}", printed.err);
    }
    let stored = office.whoosh(&["get", "agenttemplates", "-o", "name"]).await.ok();
    assert_eq!(stored, "");

    // What is stored is about to be replaced: it decides nothing.
    office.apply(&template("64Mi"), &[]).await.ok();
    let good = template("256Mi") + &team("pay", more);
    let applied = office.apply(&good, &[]).await.ok();
    assert_eq!(applied, "agenttemplate/small configured\nteam/pay created\n");
}
