//! What files are refused for, word by word, and at which line.

use super::*;

const GOOD: &str = "apiVersion: chorus.services/v1
kind: AgentTemplate
metadata: {name: good}
spec: {image: \"agent:1\"}
";

fn source(name: &str, bytes: impl AsRef<[u8]>) -> Source {
    Source {
        name: name.to_owned(),
        bytes: bytes.as_ref().to_vec(),
    }
}

fn load_one(text: impl AsRef<[u8]>) -> Result<Vec<Located<Object>>, Problems> {
    load(&[source("team.yaml", text)], "default")
}

/// The whole of what is said of one bad file.
fn check(text: impl AsRef<[u8]>, expected: &[&str]) {
    let said = load_one(text.as_ref()).unwrap_err().to_string();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        expected,
        "{}",
        String::from_utf8_lossy(text.as_ref())
    );
}

/// A Team named `payments` whose spec begins in line 6.
fn team(spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "# a team\napiVersion: chorus.services/v1\nkind: Team\nmetadata: {{name: payments}}\nspec:\n{spec}"
    )
}

#[test]
fn an_unknown_field_gets_the_nearest_name() {
    check(
        team("roles:\n- name: a\n  replica: 2\n  agent: {image: \"a:1\"}"),
        &[
            "team.yaml:8 (document 1, team/payments): spec.roles[0].replica: unknown field (did you mean \"replicas\"?)",
        ],
    );
}

#[test]
fn a_wrong_type_says_what_was_found() {
    check(
        team(
            "defaults: {image: \"a:1\"}\nroles:\n- name: a\n  replicas: three\n- name: b\n  agent:\n    env:\n    - name: DEBUG\n      value: true",
        ),
        &[
            "team.yaml:9 (document 1, team/payments): spec.roles[0].replicas: must be a whole number, got a string",
            "team.yaml:14 (document 1, team/payments): spec.roles[1].agent.env[0].value: must be a string, got the boolean \
             true: put it in quotes",
        ],
    );
}

#[test]
fn a_missing_name_is_missed_where_it_belongs() {
    check(
        "apiVersion: chorus.services/v1\nkind: Team\nmetadata:\n  labels: {}\nspec: {roles: [{name: a, template: t}]}\n",
        &["team.yaml:3 (document 1): metadata.name: is required"],
    );
}

#[test]
fn roles_are_told_apart() {
    check(
        team("defaults: {image: \"a:1\"}\nroles:\n- name: a\n- name: b\n- name: a"),
        &[
            "team.yaml:10 (document 1, team/payments): spec.roles[2].name: duplicate \"a\"; it is at spec.roles[0].name \
           already",
        ],
    );
}

#[test]
fn a_role_without_an_image_is_shown() {
    check(
        team("roles:\n- name: a\n  agent: {image: \"a:1\"}\n- name: b\n  agent:\n    model: m"),
        &[
            "team.yaml:10 (document 1, team/payments): spec.roles[1].agent.image: is required: an agent's image is set in the \
           role's agent block, in its template or in spec.defaults",
        ],
    );
}

#[test]
fn replicas_have_bounds() {
    check(
        team(
            "defaults: {image: \"a:1\"}\nroles:\n- name: a\n  replicas: -1\n- name: b\n  replicas: 10000000",
        ),
        &[
            "team.yaml:9 (document 1, team/payments): spec.roles[0].replicas: must be between 0 and 10000, got -1",
            "team.yaml:11 (document 1, team/payments): spec.roles[1].replicas: must be between 0 and 10000, got 10000000",
        ],
    );
}

#[test]
fn names_are_dns_labels() {
    let long = "x".repeat(64);
    check(
        GOOD.replace("good", "Payments_Team"),
        &[
            "team.yaml:3 (document 1, agenttemplate/Payments_Team): metadata.name: must be a DNS label, got \
           \"Payments_Team\": at most 63 of a-z, 0-9 and \"-\", with a letter or digit at both ends; try \"payments-team\"",
        ],
    );
    check(
        GOOD.replace("good", &long),
        &[&format!(
            "team.yaml:3 (document 1, agenttemplate/{long}): metadata.name: must be a DNS label, got \"{long}\" (64 \
             characters): at most 63 of a-z, 0-9 and \"-\", with a letter or digit at both ends; try \"{}\"",
            &long[1..]
        )],
    );
}

#[test]
fn durations_and_quantities_show_how_they_look() {
    check(
        team(
            "defaults:\n  image: a:1\n  stopGracePeriod: 10\n  healthCheck: {command: [x], interval: 5 seconds}\n  resources:\n    \
             limits: {cpu: half, memory: 128MB}\n    requests: {cpu: -1}\nroles: [{name: a}]",
        ),
        &[
            "team.yaml:8 (document 1, team/payments): spec.defaults.stopGracePeriod: must be a duration like \"60s\", got a \
             number",
            "team.yaml:9 (document 1, team/payments): spec.defaults.healthCheck.interval: \"5 seconds\" is not a duration: \
             write it like \"60s\" or \"1m30s\"",
            "team.yaml:11 (document 1, team/payments): spec.defaults.resources.limits.cpu: \"half\" is not an amount of \
             processor time: write it like \"500m\" or \"2\"",
            "team.yaml:11 (document 1, team/payments): spec.defaults.resources.limits.memory: \"128MB\" is not an amount of \
             memory: write it like \"128Mi\" or \"1G\"",
            "team.yaml:12 (document 1, team/payments): spec.defaults.resources.requests.cpu: must not be negative, got \
             \"-1\"",
        ],
    );
}

#[test]
fn a_request_stays_within_its_limit() {
    check(
        team(
            "defaults:\n  image: a:1\n  resources:\n    limits: {memory: 64Mi}\n    requests: {memory: 128Mi}\nroles: [{name: a}]",
        ),
        &[
            "team.yaml:10 (document 1, team/payments): spec.defaults.resources.requests.memory: must not be above the limit of \
           \"64Mi\", got \"128Mi\"",
        ],
    );
}

#[test]
fn one_identity_is_declared_once() {
    let twice = format!(
        "{GOOD}---\n# the same again\n{GOOD}---\n{}",
        GOOD.replace("name: good", "name: good, namespace: default")
    );
    let again = "metadata.name: agenttemplate/good is declared twice, first in team.yaml:1 (document 1)";
    check(
        &twice,
        &[
            &format!("team.yaml:9 (document 2, agenttemplate/good): {again}"),
            &format!("team.yaml:14 (document 3, agenttemplate/good): {again}"),
        ],
    );
    let files = [
        source("a.yaml", GOOD),
        source("b.yaml", GOOD),
        source("c.yaml", GOOD.replace("good", "other")),
    ];
    let problems = load(&files, "default").unwrap_err();
    assert_eq!(
        problems.to_string(),
        "b.yaml:3 (document 1, agenttemplate/good): metadata.name: agenttemplate/good is declared twice, first in a.yaml:1 \
         (document 1)"
    );
    let apart = format!(
        "{GOOD}---\n{}",
        GOOD.replace("name: good", "name: good, namespace: prod")
    );
    assert_eq!(load_one(apart).unwrap().len(), 2);
}

#[test]
fn an_alias_bomb_does_not_go_off() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (under, over) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        bomb += &format!("{over}: &{over} [{}]\n", vec![format!("*{under}"); 9].join(","));
    }
    check(
        &bomb,
        &[
            "team.yaml:7 (document 1): stands, through its aliases, for more than 1000000 values: use fewer aliases",
        ],
    );
    check(
        "a: &a [*a]\n",
        &["team.yaml:1 (document 1): is an alias of something that is not complete: nothing can hold itself"],
    );
    check(
        format!("a: &a x\nb: [{}]\n", "*a,".repeat(10_001)),
        &["team.yaml:2 (document 1): is one of more than 10000 aliases: write out what they stand for"],
    );
}

#[test]
fn too_much_is_refused_before_it_is_read() {
    check(
        vec![b'#'; 10_000_000],
        &["team.yaml: has 9766 KiB: a file of manifests may have at most 3072 KiB; split it"],
    );
    check(
        "---\n".repeat(10_001),
        &["team.yaml:10001 (document 10001): is the start of more than 10000 documents: split the file"],
    );
    check(
        format!("a: {}{}", "[".repeat(100), "]".repeat(100)),
        &["team.yaml:1 (document 1): is nested more than 64 levels deep: no object is"],
    );
}

#[test]
fn bytes_must_be_text() {
    check(
        b"\x7fELF\x02\x01\xff\xfe",
        &["team.yaml: is not UTF-8 text (line 1): is it a binary file?"],
    );
    check(
        b"a: b\nc: \0\n",
        &["team.yaml: holds the control character U+0000 (line 2): is it a binary file?"],
    );
    check(
        "a: \u{1b}[31m\n",
        &["team.yaml: holds the control character U+001B (line 1): is it a binary file?"],
    );
}

#[test]
fn a_file_without_objects_is_no_manifest() {
    for empty in [
        "",
        "\n\n",
        "# nothing\n",
        "---\n---\n# nothing\n...\n",
        "kind: List\nitems: []\n",
    ] {
        check(empty, &["team.yaml: has no objects"]);
    }
    assert_eq!(load_one(format!("---\n---\n{GOOD}---\n")).unwrap().len(), 1);
}

#[test]
fn tabs_do_not_indent() {
    check(
        "apiVersion: chorus.services/v1\nkind: Team\nmetadata:\n\tname: a\n",
        &["team.yaml:4 (document 1): is indented with a tab: YAML is indented with spaces"],
    );
    check(
        "spec:\n  roles:\n  \t- name: a\n",
        &["team.yaml:3 (document 1): is indented with a tab: YAML is indented with spaces"],
    );
}

#[test]
fn yaml_is_read_strictly() {
    check(
        "kind: Team\nkind: Team\n---\n1: x\n---\n!secret x\n---\n? [a]\n: b\n---\nx: .nan\n",
        &[
            "team.yaml:2 (document 1): the key \"kind\" is there twice, first in line 1",
            "team.yaml:4 (document 2): the key 1 must be a string: write \"1\"",
            "team.yaml:6 (document 3): the tag !secret means nothing here: leave it out",
            "team.yaml:8 (document 4): a key must be a string, written out",
            "team.yaml:11 (document 5): .nan is not a number that an object can hold",
        ],
    );
    let said = load_one("a: [1, 2\nb: \"x\n").unwrap_err().to_string();
    assert!(
        said.starts_with("team.yaml:2 (document 1): is not valid YAML: "),
        "{said}"
    );
    check(
        "just words\n",
        &["team.yaml:1 (document 1): must be an object with apiVersion, kind, metadata and spec"],
    );
}

#[test]
fn every_problem_of_every_document_is_told() {
    let bad = GOOD.replace("agent:1", "Agent").replace("good", "bad");
    let files = [
        source("a.yaml", format!("{GOOD}---\n{bad}---\na: [\n")),
        source("b.yaml", ""),
        source("c.yaml", &bad),
    ];
    let said = load(&files, "default").unwrap_err().to_string();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 5, "{said}");
    for (line, start) in lines.iter().zip([
        "a.yaml:9 (document 2, agenttemplate/bad): spec.image: \"Agent\" is not an image reference",
        "a.yaml:12 (document 3): is not valid YAML",
        "b.yaml: has no objects",
        "c.yaml:3 (document 1, agenttemplate/bad): metadata.name: agenttemplate/bad is declared twice, first in a.yaml:6 (document 2)",
        "c.yaml:4 (document 1, agenttemplate/bad): spec.image: ",
    ]) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn what_people_write_is_read() {
    let crlf = GOOD.replace('\n', "\r\n");
    let tabbed = "{\n\t\"apiVersion\": \"chorus.services/v1\",\n\t\"kind\": \"AgentTemplate\",\n\t\"metadata\": {\"name\": \"good\"},\n\
                  \t\"spec\": {\"image\": \"agent:1\"}\n}";
    let anchored = "apiVersion: chorus.services/v1\nkind: AgentTemplate\nmetadata: &m {name: good}\nspec:\n  <<: {image: \"agent:1\"}\n";
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {}",
        GOOD.trim_end().replace('\n', "\n  ")
    );
    for text in [
        GOOD,
        &crlf,
        &format!("\u{feff}{GOOD}"),
        tabbed,
        anchored,
        &list,
        &format!("%YAML 1.2\n---\n{GOOD}...\n"),
    ] {
        let objects = load_one(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        let [object] = objects.as_slice() else {
            panic!("one object in {text}");
        };
        assert_eq!(object.value.name(), "good");
        assert_eq!(object.value.spec, serde_json::json!({"image": "agent:1"}));
        assert_eq!(object.value.metadata.namespace.as_deref(), Some("default"));
    }
}

#[test]
fn a_problem_of_a_list_has_its_own_line() {
    let list = "kind: AgentTemplateList\nitems:\n- apiVersion: chorus.services/v1\n  kind: AgentTemplate\n  metadata: {name: a}\n  \
                spec:\n    image: A\n";
    let said = load_one(list).unwrap_err().to_string();
    assert!(
        said.starts_with("team.yaml:7 (document 1, agenttemplate/a): spec.image: "),
        "{said}"
    );
}

#[test]
fn the_server_s_causes_find_their_lines() {
    let objects = load_one(format!("{GOOD}---\n{}", team("roles:\n- name: a\n  template: t"))).unwrap();
    let cause = Cause::new("spec.roles[0].template", CauseReason::Invalid, "is refused");
    assert_eq!(
        objects[1].problem(cause).to_string(),
        "team.yaml:13 (document 2, team/payments): spec.roles[0].template: is refused"
    );
    assert_eq!((objects[1].document, objects[1].line), (2, 7));
}

#[test]
fn aliases_and_merges_keep_their_places() {
    let text = team(
        "defaults: &d\n  image: A\n  model: m\nroles:\n- name: a\n  agent:\n    <<: *d\n    model: n\n- name: b\n  agent: *d",
    );
    let said = load_one(text).unwrap_err().to_string();
    let lines: Vec<&str> = said
        .lines()
        .map(|line| line.split(": \"").next().unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            "team.yaml:7 (document 1, team/payments): spec.defaults.image",
            "team.yaml:7 (document 1, team/payments): spec.roles[0].agent.image",
            "team.yaml:7 (document 1, team/payments): spec.roles[1].agent.image",
        ]
    );
}

#[test]
fn a_problem_is_one_line_whatever_the_keys_hold() {
    let named = "apiVersion: chorus.services/v1\nkind: Team\nmetadata: {name: \"a\\nb\"}\nspec:\n";
    check(
        format!("{named}  \"x\\n\\e[2Jy\": 1\n  \"x\\n\\e[2Jy\": 2\n"),
        &["team.yaml:6 (document 1): the key \"x\\n\\u{1b}[2Jy\" is there twice, first in line 5"],
    );
    let said = load_one(format!("{named}  \"x\\ny\": 1\n"))
        .unwrap_err()
        .to_string();
    for told in [
        "team.yaml:5 (document 1, team/a\\nb): spec[x\\ny]: unknown field; ",
        "team.yaml:3 (document 1, team/a\\nb): metadata.name: ",
    ] {
        assert!(said.lines().any(|line| line.starts_with(told)), "{said}");
    }
}

#[test]
fn a_part_of_an_object_has_to_say_only_whose_it_is() {
    let text =
        "apiVersion: chorus.services/v1\nkind: Team\nmetadata: {name: x}\nspec: {replicas: many, sepc: 1}\n";
    let parts = load_parts(&[source("part.yaml", text)], "prod").unwrap();
    assert_eq!(parts[0].value["spec"]["replicas"], "many");
    assert_eq!(parts[0].value["metadata"]["namespace"], "prod");
    let text =
        "apiVersion: chorus.services/v1\nkind: Agent\nmetadata: {name: 7, namespace: X}\n---\njust text\n";
    let said = load_parts(&[source("part.yaml", text)], "prod")
        .unwrap_err()
        .to_string();
    let lines: Vec<&str> = said.lines().collect();
    for (line, (place, part)) in lines.iter().zip([
        ("part.yaml:2 (document 1): kind: ", "Agent is read-only"),
        ("part.yaml:3 (document 1): metadata.name: ", "must be a string"),
        (
            "part.yaml:3 (document 1): metadata.namespace: ",
            "must be a DNS label",
        ),
        ("part.yaml:5 (document 2): ", "must be an object with apiVersion"),
    ]) {
        assert!(line.starts_with(place) && line.contains(part), "{said}");
    }
    assert_eq!(lines.len(), 4, "{said}");
}
