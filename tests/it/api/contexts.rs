//! `whoosh` over the network, by a context instead of a socket.

use std::os::unix::fs::PermissionsExt;

use tokio::process::Command;

use super::kubectl::Kubectl;
use crate::harness::operator::{Printed, printed};

/// Runs `whoosh` as the somebody who has kubectl, without a word of a socket.
async fn whoosh(somebody: &Kubectl, arguments: &str) -> Printed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whoosh"));
    command
        .args(arguments.split(' '))
        .current_dir(somebody.home.path())
        .env_clear()
        .env("HOME", somebody.home.path())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true);
    printed(command.spawn().unwrap()).await
}

#[tokio::test]
async fn a_context_leads_to_an_operator_elsewhere() {
    let ada = Kubectl::as_role("view").await;
    ada.server.create("payments").await;
    assert_eq!(
        whoosh(&ada, "config add prod -f config").await.ok(),
        "context prod added\n"
    );
    let file = ada.home.path().join(".config/whoosh/config");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let named = whoosh(&ada, "--context prod get teams -o name").await;
    assert_eq!(named.ok(), "team/payments\n");

    whoosh(&ada, "config use-context prod").await.ok();
    assert_eq!(whoosh(&ada, "config current-context").await.ok(), "prod\n");
    assert!(whoosh(&ada, "auth whoami").await.ok().contains("token:ada"));
    let refused = whoosh(&ada, "delete team/payments").await;
    assert!(
        refused.code == 1 && refused.err.contains("cannot delete"),
        "{}",
        refused.err
    );
    let listed = whoosh(&ada, "config get-contexts").await.ok();
    assert!(
        listed.contains("*         prod") && !listed.contains("whoosh_"),
        "{listed}"
    );

    for (arguments, part) in [
        ("--context prdo get teams", "there is no context \"prdo\""),
        (
            "--config nowhere --context prod get teams",
            "there is no context \"prod\" in nowhere",
        ),
        ("config use-context prdo", "there is no context \"prdo\""),
    ] {
        let refused = whoosh(&ada, arguments).await;
        assert!(
            refused.code == 1 && refused.err.contains(part),
            "{arguments}: {}",
            refused.err
        );
    }
    let text = std::fs::read_to_string(&file).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.contains("certificate-authority-data"));
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let untrusted = whoosh(&ada, "get teams").await;
    assert!(
        untrusted.code == 1 && untrusted.err.contains("certificate"),
        "{}",
        untrusted.err
    );

    assert_eq!(
        whoosh(&ada, "config remove prod").await.ok(),
        "context prod removed\n"
    );
    assert_eq!(whoosh(&ada, "config current-context").await.code, 1);
}
