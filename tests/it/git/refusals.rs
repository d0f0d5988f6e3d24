//! What a commit may hold that is not read.

use whoosh::git::Request;

use super::{Scene, files, refusal, snapshot};
use crate::harness::git::repository::Entry;

#[tokio::test]
async fn links_and_submodules_are_refused_with_their_place_and_only_below_the_path() {
    let commit = "1".repeat(40);
    for (entry, words) in [
        (Entry::Link("../../etc/passwd"), "is a symbolic link"),
        (Entry::Submodule(&commit), "is a submodule"),
    ] {
        let scene = Scene::new();
        let entries = [
            ("good/a.yaml", Entry::File(b"1")),
            ("bad/b.yaml", Entry::File(b"2")),
            ("bad/odd.yaml", entry),
        ];
        scene.repository.commit("main", true, &entries);
        let with = |path: &str, ignore: &[&str]| Request {
            paths: vec![path.to_owned()],
            ignore: ignore.iter().map(|text| (*text).to_owned()).collect(),
            ..scene.request()
        };
        for path in ["", "bad"] {
            let error = refusal(&with(path, &[])).await;
            assert_eq!(error.reason(), "UnsafeContent");
            let said = error.to_string();
            assert!(
                said.contains("\"bad/odd.yaml\"") && said.contains(words),
                "{said}"
            );
        }
        let through = refusal(&with("bad/odd.yaml/deeper", &[])).await;
        assert!(through.to_string().contains(words), "{through}");
        assert_eq!(files(&snapshot(&with("good", &[])).await), [("good/a.yaml", "1")]);
        let ignoring = snapshot(&with("", &["/bad/odd.yaml"])).await;
        assert_eq!(files(&ignoring), [("bad/b.yaml", "2"), ("good/a.yaml", "1")]);
    }
}

#[tokio::test]
async fn names_that_no_file_should_have_are_refused() {
    for (name, words) in [
        (&b".."[..], "leads elsewhere"),
        (b".", "leads elsewhere"),
        (b".git", "Git's own"),
        (b".GIT", "Git's own"),
        (b"a/b.yaml", "slash"),
        (b"a\\b.yaml", "backslash"),
        (b"a\x1b[2J.yaml", "control"),
        (b"\xff.yaml", "not UTF-8"),
        (b"z.yaml", "is there twice"),
    ] {
        let scene = Scene::new();
        scene.repository.commit_name(name, "100644", b"1");
        let error = refusal(&scene.request()).await;
        assert_eq!(error.reason(), "UnsafeContent", "{name:?}: {error}");
        let said = error.to_string();
        assert!(said.contains(words) && !said.contains('\x1b'), "{said}");
    }
}

#[tokio::test]
async fn a_path_is_in_the_repository_and_a_folder() {
    let scene = Scene::with(&[("a/b.yaml", "1")]);
    for (path, reason, words) in [
        ("a/c", "PathNotFound", "no \"a/c\""),
        ("a/b.yaml", "PathNotFound", "is a file"),
        ("a/b.yaml/c", "PathNotFound", "is a file"),
        ("../a", "InvalidSource", "leaves the repository"),
        ("/etc", "InvalidSource", "absolute"),
        ("a/.git", "InvalidSource", "Git's own"),
    ] {
        let mut request = scene.request();
        request.paths = vec![path.to_owned()];
        let error = refusal(&request).await;
        assert_eq!(error.reason(), reason, "{path}: {error}");
        assert!(error.to_string().contains(words), "{path}: {error}");
    }
}

#[tokio::test]
async fn text_is_utf8() {
    let scene = Scene::new();
    let entries = [
        ("a.bin", Entry::File(b"\xff")),
        ("b.yaml", Entry::File(b"a: \xff")),
    ];
    scene.repository.commit("main", true, &entries);
    let error = refusal(&scene.request()).await;
    let said = "\"b.yaml\" is not read: it is not UTF-8; remove it, or name it in `ignore`";
    assert_eq!(error.to_string(), said);
}
