//! Commands that need no operator, and what is said when there is none.

use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Desk;
use crate::harness::docker::Engine;

const COMMANDS: [&str; 26] = [
    "apply",
    "diff",
    "validate",
    "get",
    "describe",
    "tree",
    "why",
    "events",
    "logs",
    "wait",
    "scale",
    "rollout",
    "bootstrap",
    "suspend",
    "resume",
    "delete",
    "explain",
    "export",
    "api-resources",
    "crds",
    "completion",
    "version",
    "up",
    "down",
    "operator",
    "migrate",
];

#[tokio::test]
async fn an_operator_that_is_away_is_named_with_advice() {
    let desk = Desk::new();
    let printed = desk.whoosh(&["get", "teams"]).await;
    let expected = format!(
        "error: cannot reach the operator at {}: there is no such socket; start it with `whoosh up`\n",
        desk.socket().display()
    );
    assert_eq!((printed.err, printed.code), (expected, 1));
}

#[tokio::test]
async fn a_socket_of_something_else_is_not_taken_for_an_operator() {
    let engine = Engine::shared().await;
    let docker = engine.socket().display().to_string();
    for arguments in [&["get", "teams"][..], &["get", "team", "x"], &["version"]] {
        let desk = Desk::new();
        let all = [arguments, &["--socket", &docker]].concat();
        let printed = desk.whoosh(&all).await;
        let told = format!("error: what answers at {docker} is not a WHOOSH operator (");
        assert!(printed.err.starts_with(&told), "{arguments:?}: {}", printed.err);
        assert!(
            printed.err.ends_with("start one with `whoosh up`\n"),
            "{}",
            printed.err
        );
        assert_eq!(printed.code, 1);
    }
    // One speaks no HTTP, the other hangs up.
    for (greeting, told) in [
        ("220 mail.example.org ready\r\n", " is not a WHOOSH operator ("),
        ("", "closed without an answer"),
    ] {
        let desk = Desk::new();
        let path = desk.folder.path().join("s");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let answering = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            stream.write_all(greeting.as_bytes()).await.unwrap();
        });
        let printed = desk
            .whoosh(&["get", "teams", "--socket", path.to_str().unwrap()])
            .await;
        answering.await.unwrap();
        assert!(printed.err.contains(told), "{}", printed.err);
        assert!(printed.err.contains("`whoosh up`"), "{}", printed.err);
    }
}

#[tokio::test]
async fn wrong_usage_ends_with_2_before_anything_is_asked() {
    let desk = Desk::new();
    std::fs::write(desk.folder.path().join("url"), "postgres://db/whoosh\n").unwrap();
    for (arguments, told) in [
        (&["get"][..], "<WHAT>"),
        (
            &["get", "taem"],
            "there is no kind \"taem\" (did you mean \"team\"?)",
        ),
        (&["get", "team/../secrets"], "cannot be a name"),
        (
            &["get", "teams", "-o", "go-template={{.x}}"],
            "Go templates are not supported",
        ),
        (&["get", "teams", "-l", "a=b c"], "the value \"b c\" must be"),
        (&["get", "teams", "-n", "../x"], "cannot be a name"),
        (&["get", "teams", "-A", "-n", "x"], "cannot be used with"),
        (&["get", "team", "x", "-l", "a=b"], "not both"),
        (&["wait", "team/x"], "--for"),
        (&["wait", "team/x", "--for=ready"], "condition=NAME"),
        (&["wait", "teams", "--for=delete"], "-l LABELS or --all"),
        (&["delete", "agents", "--all"], "cannot be deleted"),
        (
            &["logs", "agenttemplate/x"],
            "an AgentTemplate has no agents that could write logs",
        ),
        (&["logs", "x.y", "--tail", "-2"], "-2"),
        (&["logs", "x.y", "--role", "z"], "x.y is one agent"),
        (&["version", "-o", "name"], "the forms are json, yaml"),
        (&["events", "-o", "wide"], "the forms are json, yaml, name"),
        (&["apply"], "--filename"),
        (&["apply", "-f", "x.yaml", "--prune"], "--selector"),
        (&["diff", "-f", "missing.yaml"], "cannot read missing.yaml"),
        (&["operator"], "--database-url"),
        (
            &[
                "operator",
                "--database-url",
                "a://b",
                "--database-url-file",
                "url",
            ],
            "cannot be used with",
        ),
        (
            &["operator", "--database-url", "a://b", "--jwt-key", "keys.pem"],
            "--jwt-issuer",
        ),
        (&["aply"], "apply"),
    ] {
        let printed = desk.whoosh(arguments).await;
        assert_eq!(printed.code, 2, "{arguments:?}: {printed:?}");
        assert!(printed.err.contains(told), "{arguments:?}: {}", printed.err);
        assert_eq!(printed.out, "", "{arguments:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_missing_hides_no_problem_of_another() {
    let desk = Desk::new();
    std::fs::write(desk.folder.path().join("bad.yaml"), "kind: Taem\n").unwrap();
    let printed = desk
        .whoosh(&[
            "validate",
            "-f",
            "missing.yaml",
            "-f",
            "bad.yaml",
            "-f",
            "gone.yaml",
        ])
        .await;
    assert_eq!(printed.code, 1);
    for told in [
        "cannot read missing.yaml",
        "did you mean \"Team\"?",
        "cannot read gone.yaml",
    ] {
        assert!(printed.err.contains(told), "{told}: {}", printed.err);
    }
}

#[tokio::test]
async fn every_command_has_help_with_an_example() {
    let desk = Desk::new();
    let overview = desk.whoosh(&["--help"]).await.ok();
    for command in COMMANDS {
        assert!(
            overview.contains(&format!("\n  {command} ")),
            "{command} is not listed"
        );
        let help = desk.whoosh(&[command, "-h"]).await.ok();
        assert!(
            help.contains(&format!("  whoosh {command}")) || help.contains(&format!("whoosh {command} ")),
            "{help}"
        );
        assert!(help.contains("Example"), "{command} has no example");
    }
}

#[tokio::test]
async fn fields_are_explained() {
    let desk = Desk::new();
    let roles = desk.whoosh(&["explain", "team.spec.roles"]).await.ok();
    assert!(
        roles.starts_with("GROUP:      chorus.services\nKIND:       Team\nVERSION:    v1\n\n"),
        "{roles}"
    );
    assert!(
        roles.contains("\nFIELD: roles <[]Object> -required-\n"),
        "{roles}"
    );
    assert!(
        roles.contains("\n  name <string> -required-\n    Its name, a DNS-1123 label.\n"),
        "{roles}"
    );
    let all = desk.whoosh(&["explain", "council", "--recursive"]).await.ok();
    assert!(
        all.contains("\n    formation <Object>\n      deadline <Duration>\n"),
        "{all}"
    );
    let wrong = desk.whoosh(&["explain", "team.spec.roels"]).await;
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("did you mean \"roles\"?"), "{}", wrong.err);
}

#[tokio::test]
async fn definitions_are_written_to_a_folder() {
    let desk = Desk::new();
    desk.whoosh(&["crds", "--dir", "out"]).await.ok();
    let written = std::fs::read_to_string(desk.folder.path().join("out/teams.yaml")).unwrap();
    let printed = desk.whoosh(&["crds"]).await.ok();
    assert!(printed.starts_with(&format!("---\n{written}---\n")), "{printed}");
}

#[tokio::test]
async fn versions_and_kinds_are_printed() {
    let desk = Desk::new();
    let version = desk.whoosh(&["version", "--client", "-o", "json"]).await.ok();
    assert_eq!(
        version,
        format!(
            "{{\n  \"clientVersion\": {{\n    \"version\": \"{}\"\n  }}\n}}\n",
            env!("CARGO_PKG_VERSION")
        )
    );
    let kinds = desk.whoosh(&["api-resources", "--no-headers"]).await.ok();
    assert!(
        kinds.starts_with("teams            tm    chorus.services/v1   true   Team\n"),
        "{kinds}"
    );
}

#[tokio::test]
async fn every_shell_is_given_a_script_that_asks_for_the_commands() {
    let desk = Desk::new();
    for (shell, word, check) in [
        ("bash", "complete ", "-n"),
        ("zsh", "#compdef whoosh", "-n"),
        ("fish", "complete --", "--no-execute"),
        ("powershell", "Register-ArgumentCompleter", ""),
    ] {
        let script = desk.whoosh(&["completion", shell]).await.ok();
        assert!(
            script.contains(word) && script.contains("WHOOSH_COMPLETE"),
            "{script}"
        );
        desk.write("script", &script);
        let mut parsing = Command::new(shell);
        parsing.args([check, "script"]).current_dir(desk.folder.path());
        // Not every machine has every shell; powershell cannot only read.
        if let Some(Ok(parsed)) = (!check.is_empty()).then(|| parsing.output()) {
            assert!(parsed.status.success(), "{shell}: {parsed:?}");
        }

        let mut asking = desk.command(&["--", "whoosh", ""]);
        asking.envs([
            ("WHOOSH_COMPLETE", shell),
            ("_CLAP_COMPLETE_INDEX", "1"),
            ("_CLAP_IFS", "\n"),
        ]);
        let answer = super::printed(asking.spawn().unwrap()).await.ok();
        let offered: Vec<&str> = answer
            .lines()
            .filter_map(|line| line.split([':', '\t']).next())
            .collect();
        for command in COMMANDS {
            assert!(offered.contains(&command), "{shell}: {command}: {answer}");
        }
    }
}

#[tokio::test]
async fn who_means_another_machine_does_not_take_this_one_down() {
    let desk = Desk::new();
    for command in ["up", "down"] {
        let printed = desk.whoosh(&["--context", "prod", command]).await;
        assert_eq!(printed.code, 2, "{}", printed.err);
        assert!(
            printed
                .err
                .contains("this command is about this machine, and --context prod is not"),
            "{}",
            printed.err
        );
    }
    let events = desk.whoosh(&["get", "events"]).await;
    assert!(
        events.err.contains("`whoosh events` tells what happened"),
        "{}",
        events.err
    );
}
