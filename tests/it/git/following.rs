//! Following a repository: what a reference points at, and what changes.

use whoosh::git::{Answer, Ask, GitError, Known, Reference};

use super::{Scene, ask, files, noise, refusal, snapshot};
use crate::harness::git::bridge::{Bridge, Manner};
use crate::harness::git::daemon::Daemon;
use crate::harness::git::repository::Entry;

#[tokio::test]
async fn a_repository_is_read_by_every_way() {
    let scene = Scene::with(&[
        ("deploy/team.yaml", "kind: Team\n"),
        ("deploy/deep/er/a.json", "{}"),
        ("deploy/b.yml", "b"),
        ("deploy/readme.md", "no"),
        ("other.yaml", "elsewhere"),
    ]);
    let revision = scene.repository.git(&["rev-parse", "main"], b"");
    let daemon = Daemon::start(scene.root()).await;
    let bridge = Bridge::start(scene.root(), Manner::Well).await;
    let old = Bridge::start(scene.root(), Manner::Old).await;
    let urls = [
        scene.request().url,
        daemon.url("repository.git"),
        bridge.url("repository.git"),
        old.url("repository.git"),
    ];
    for url in &urls {
        let mut request = scene.request_of(url);
        request.paths = vec!["./deploy/".to_owned()];
        let found = snapshot(&request).await;
        assert_eq!(found.revision, revision, "{url}");
        assert_eq!(found.reference, "main");
        assert_eq!(found.author, "Ann <ann@example.com>");
        assert_eq!(found.time, "2023-11-14T22:13:20Z");
        assert_eq!(found.message, "Change 5");
        assert_eq!(
            files(&found),
            [
                ("deploy/b.yml", "b"),
                ("deploy/deep/er/a.json", "{}"),
                ("deploy/team.yaml", "kind: Team\n"),
            ]
        );
        request.ask = Ask::Repository {
            known: Some(found.known()),
        };
        let again = ask(&request).await;
        assert_eq!(
            again,
            Ok(Answer::Unchanged {
                revision: revision.clone()
            }),
            "{url}"
        );
    }
    scene.repository.push("main", &[("deploy/b.yml", "c")]);
    for url in &urls {
        let mut request = scene.request_of(url);
        request.paths = vec!["deploy".to_owned()];
        assert_eq!(
            files(&snapshot(&request).await)[0],
            ("deploy/b.yml", "c"),
            "{url}"
        );
    }
}

#[tokio::test]
async fn what_is_known_costs_one_question_and_a_push_what_is_new() {
    let scene = Scene::new();
    let large = noise(300_000);
    let files_of = |text: &'static str| {
        [
            ("a.yaml", Entry::File(text.as_bytes())),
            ("large.bin", Entry::File(&large)),
        ]
    };
    scene.repository.commit("main", true, &files_of("1"));
    let bridge = Bridge::start(scene.root(), Manner::Well).await;
    let mut request = scene.request_of(&bridge.url("repository.git"));
    let asked = || -> Vec<String> { bridge.seen().into_iter().map(|(what, _)| what).collect() };

    let first = snapshot(&request).await;
    assert_eq!(asked(), ["info/refs", "ls-refs", "fetch"]);

    request.ask = Ask::Repository {
        known: Some(first.known()),
    };
    assert!(matches!(ask(&request).await, Ok(Answer::Unchanged { .. })));
    assert_eq!(asked(), ["info/refs", "ls-refs"]);

    request.ask = Ask::Repository { known: None };
    assert_eq!(snapshot(&request).await, first);
    assert_eq!(asked(), ["info/refs", "ls-refs"], "the cache has it");

    for text in ["2", "3", "4"] {
        scene.repository.commit("main", true, &files_of(text));
        assert_eq!(files(&snapshot(&request).await), [("a.yaml", text)]);
        let (what, sent) = bridge.seen().pop().unwrap();
        assert_eq!(what, "fetch");
        assert!(sent < 10_000, "{sent} bytes for one small file");
    }
}

#[tokio::test]
async fn each_reference_means_its_commit() {
    let scene = Scene::new();
    let repository = &scene.repository;
    let first = repository.push("main", &[("a.yaml", "1")]);
    repository.git(&["tag", "v1.0.0", "main"], b"");
    let second = repository.push("main", &[("a.yaml", "2")]);
    repository.git(&["tag", "-a", "v1.4.0", "-m", "two", "main"], b"");
    let third = repository.push("main", &[("a.yaml", "3")]);
    repository.git(&["tag", "v2.0.0", "main"], b"");
    let side = repository.push("feature/side", &[("a.yaml", "side")]);
    let bridge = Bridge::start(scene.root(), Manner::Well).await;
    let text = str::to_owned;
    for (reference, name, revision) in [
        (Reference::Head, "main", &third),
        (Reference::Branch(text("main")), "main", &third),
        (Reference::Branch(text("feature/side")), "feature/side", &side),
        (Reference::Tag(text("v1.0.0")), "v1.0.0", &first),
        (Reference::Tag(text("v1.4.0")), "v1.4.0", &second),
        (Reference::SemVer(text("^1.0")), "v1.4.0", &second),
        (Reference::SemVer(text(">=1")), "v2.0.0", &third),
        (Reference::Commit(first.clone()), first.as_str(), &first),
    ] {
        let mut request = scene.request_of(&bridge.url("repository.git"));
        request.reference = reference;
        let found = snapshot(&request).await;
        assert_eq!((found.reference.as_str(), &found.revision), (name, revision));
        request.ask = Ask::Repository {
            known: Some(found.known()),
        };
        assert!(
            matches!(ask(&request).await, Ok(Answer::Unchanged { .. })),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_higher_tag_of_the_same_commit_is_news() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let repository = &scene.repository;
    repository.git(&["tag", "v1.0.0", "main"], b"");
    let mut request = scene.request();
    request.reference = Reference::SemVer("^1.0".to_owned());
    let first = snapshot(&request).await;
    request.ask = Ask::Repository {
        known: Some(first.known()),
    };
    assert!(matches!(ask(&request).await, Ok(Answer::Unchanged { .. })));
    repository.git(&["tag", "-a", "v1.1.0", "-m", "released", "main"], b"");
    let second = snapshot(&request).await;
    assert_eq!(second.reference, "v1.1.0");
    assert_eq!(second.revision, first.revision);
}

#[tokio::test]
async fn what_was_fetched_is_read_again_without_its_repository() {
    let scene = Scene::with(&[("a.yaml", "1"), ("b/c.yaml", "2")]);
    let mut request = scene.request();
    let first = snapshot(&request).await;
    scene.repository.push("main", &[("a.yaml", "3")]);
    let second = snapshot(&request).await;
    std::fs::rename(scene.root().join("repository.git"), scene.root().join("away")).unwrap();
    assert!(ask(&request).await.is_err());
    for known in [&first, &second] {
        request.ask = Ask::Cache(known.known());
        assert_eq!(files(&snapshot(&request).await), files(known));
    }
    request.paths = vec!["b".to_owned()];
    assert_eq!(files(&snapshot(&request).await), [("b/c.yaml", "2")]);
    request.ask = Ask::Cache(Known {
        revision: "0".repeat(40),
        reference: "main".to_owned(),
    });
    assert!(matches!(ask(&request).await, Err(GitError::Cache { .. })));
}

#[tokio::test]
async fn a_rewritten_history_is_followed_there_and_back() {
    let scene = Scene::new();
    let repository = &scene.repository;
    let old = repository.push("main", &[("a.yaml", "old"), ("b.yaml", "same")]);
    let request = scene.request();
    assert_eq!(snapshot(&request).await.revision, old);

    let entries = [("a.yaml", Entry::File(b"new")), ("b.yaml", Entry::File(b"same"))];
    let new = repository.commit("main", false, &entries);
    let found = snapshot(&request).await;
    assert_eq!(found.revision, new);
    assert_eq!(files(&found), [("a.yaml", "new"), ("b.yaml", "same")]);

    repository.git(&["update-ref", "refs/heads/main", &old], b"");
    repository.git(&["reflog", "expire", "--expire=now", "--all"], b"");
    repository.git(&["gc", "--quiet", "--prune=now"], b"");
    assert_eq!(snapshot(&request).await.revision, old);
    let next = repository.push("main", &[("a.yaml", "next")]);
    let found = snapshot(&request).await;
    assert_eq!(found.revision, next);
    assert_eq!(files(&found), [("a.yaml", "next"), ("b.yaml", "same")]);
}

#[tokio::test]
async fn what_is_not_there_is_named_with_what_is_near() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let repository = &scene.repository;
    repository.push("release", &[("a.yaml", "1")]);
    let mut request = scene.request();
    request.reference = Reference::Branch("release".to_owned());
    snapshot(&request).await;

    repository.git(&["update-ref", "-d", "refs/heads/release"], b"");
    repository.push("releases", &[("a.yaml", "1")]);
    let error = refusal(&request).await;
    assert_eq!(error.reason(), "ReferenceNotFound");
    let said = "the repository has no branch \"release\"; there is releases";
    assert_eq!(error.to_string(), said);

    request.reference = Reference::SemVer("1".to_owned());
    assert_eq!(refusal(&request).await.reason(), "ReferenceNotFound");
    request.reference = Reference::Commit("1".repeat(40));
    let error = refusal(&request).await;
    assert_eq!(error.reason(), "ReferenceNotFound", "{error}");

    let empty = Scene::new();
    let error = refusal(&empty.request()).await;
    assert!(error.to_string().contains("it is empty"), "{error}");
}
