//! More than is fetched: each limit ends a fetch with its figure, and leaves nothing behind.

use std::path::Path;

use whoosh::git::{Answer, Limits, Reference};

use super::{Scene, ask, files, noise, refusal, snapshot};
use crate::harness::git::bridge::{Bridge, Manner};
use crate::harness::git::repository::Entry;

const MIB: u64 = 1024 * 1024;

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.metadata().unwrap() {
            found if found.is_dir() => size(&entry.path()),
            found => found.len(),
        })
        .sum()
}

#[tokio::test]
async fn ten_thousand_files_are_read_and_one_more_is_too_many() {
    let scene = Scene::new();
    let paths: Vec<String> = (0..10_000)
        .map(|number| format!("{}/{number}.yaml", number % 100))
        .collect();
    let entries: Vec<(&str, Entry<'_>)> = paths
        .iter()
        .map(|path| (path.as_str(), Entry::File(b"a: 1")))
        .collect();
    scene.repository.commit("main", true, &entries);
    let request = scene.request();
    assert_eq!(snapshot(&request).await.files.len(), 10_000);
    scene.repository.push("main", &[("one-more.yaml", "")]);
    let error = refusal(&request).await;
    assert_eq!(error.reason(), "TooLarge");
    assert!(error.to_string().contains("10000 files"), "{error}");
}

#[tokio::test]
async fn each_limit_is_named_with_its_figure() {
    let scene = Scene::new();
    let entries = [
        ("one.yaml", Entry::File(&[b'a'; 3000])),
        ("a/b/c/two.yaml", Entry::File(&[b'b'; 3000])),
    ];
    scene.repository.commit("main", true, &entries);
    let limits = Limits::default;
    for (limits, words) in [
        (
            Limits {
                file: 2048,
                ..limits()
            },
            "\"one.yaml\" has more than 2 KiB",
        ),
        (
            Limits {
                total: 5120,
                ..limits()
            },
            "5 KiB together",
        ),
        (Limits { files: 1, ..limits() }, "1 files"),
        (
            Limits {
                entries: 3,
                ..limits()
            },
            "3 files and folders",
        ),
        (Limits { depth: 2, ..limits() }, "2 folders within folders"),
        (
            Limits {
                object: 1024,
                ..limits()
            },
            "1 KiB",
        ),
        (
            Limits {
                pack: 100,
                ..limits()
            },
            "100 bytes",
        ),
    ] {
        let mut request = scene.request();
        // Each on a fresh cache: what is there already is not received again.
        request.cache = scene.root().join(format!("cache of {words:?}"));
        request.limits = limits;
        let error = refusal(&request).await;
        assert_eq!(error.reason(), "TooLarge", "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn a_large_repository_is_refused_and_nothing_of_it_stays() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let large = noise(3 * 1024 * 1024);
    scene
        .repository
        .commit("large", true, &[("large.bin", Entry::File(&large))]);
    let bridge = Bridge::start(scene.root(), Manner::Well).await;
    for url in [scene.request().url, bridge.url("repository.git")] {
        let mut request = scene.request_of(&url);
        request.limits.pack = MIB;
        assert_eq!(files(&snapshot(&request).await), [("a.yaml", "1")]);
        request.reference = Reference::Branch("large".to_owned());
        let error = refusal(&request).await;
        assert_eq!(error.reason(), "TooLarge", "{error}");
        assert!(error.to_string().contains("1 MiB"), "{error}");
        assert!(size(&scene.cache()) < 100_000, "{}", size(&scene.cache()));
        request.reference = Reference::Head;
        assert_eq!(files(&snapshot(&request).await), [("a.yaml", "1")]);
    }
}

#[tokio::test]
async fn a_file_that_unpacks_to_much_more_is_not_unpacked() {
    let scene = Scene::new();
    let zeros = vec![b' '; 8 << 20];
    let entries = [("a.yaml", Entry::File(b"1")), ("bomb.yaml", Entry::File(&zeros))];
    scene.repository.commit("main", true, &entries);
    let bridge = Bridge::start(scene.root(), Manner::Well).await;
    let mut request = scene.request_of(&bridge.url("repository.git"));
    let error = refusal(&request).await;
    assert_eq!(error.reason(), "TooLarge");
    assert!(
        error.to_string().contains("\"bomb.yaml\" has more than 1 MiB"),
        "{error}"
    );

    request.limits.object = 4 * MIB;
    request.cache = scene.root().join("other");
    let error = refusal(&request).await;
    assert!(
        error
            .to_string()
            .contains("an object of the repository, or the list of all, has more than 4 MiB"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_can_leave_large_files_out_does() {
    let scene = Scene::new();
    scene
        .repository
        .git(&["config", "uploadpack.allowFilter", "true"], b"");
    let large = noise(3 * 1024 * 1024);
    let entries = [
        ("a.yaml", Entry::File(b"1")),
        ("large.yaml", Entry::File(&large)),
        ("b.bin", Entry::File(&large)),
    ];
    scene.repository.commit("main", true, &entries);
    let bridge = Bridge::start(scene.root(), Manner::Well).await;
    let mut request = scene.request_of(&bridge.url("repository.git"));
    request.limits.pack = MIB;
    let error = refusal(&request).await;
    assert!(
        error.to_string().contains("\"large.yaml\" has more than 1 MiB"),
        "{error}"
    );

    request.ignore = vec!["large.yaml".to_owned()];
    assert_eq!(files(&snapshot(&request).await), [("a.yaml", "1")]);
    scene.repository.push("main", &[("large.yaml", "small by now")]);
    request.ignore = Vec::new();
    let found = snapshot(&request).await;
    assert_eq!(files(&found), [("a.yaml", "1"), ("large.yaml", "small by now")]);
}

#[tokio::test]
async fn a_file_of_200_mb_is_left_out_where_nobody_reads_it() {
    let scene = Scene::with(&[("prod/a.yaml", "1")]);
    scene.repository.git(&["config", "core.compression", "0"], b"");
    let large = noise(200_000_000);
    let media = [("media/film.bin", Entry::File(&large))];
    let commit = scene.repository.commit("main", true, &media);
    let bridge = Bridge::start(scene.root(), Manner::Well).await;
    let mut request = scene.request_of(&bridge.url("repository.git"));
    request.paths = vec!["prod".to_owned()];
    // A server that sends everything is not listened to for long, and it is told which commit that was.
    match ask(&request).await {
        Ok(Answer::Refused(refusal)) => {
            assert_eq!(refusal.revision, commit);
            let told = refusal.error.to_string();
            assert!(
                told.contains("an object of the repository, or the list of all, has more than 64 MiB"),
                "{told}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(size(&scene.cache()) < 100_000, "{}", size(&scene.cache()));

    scene
        .repository
        .git(&["config", "uploadpack.allowFilter", "true"], b"");
    assert_eq!(files(&snapshot(&request).await), [("prod/a.yaml", "1")]);
    assert!(size(&scene.cache()) < 100_000, "{}", size(&scene.cache()));
    request.paths = Vec::new();
    assert_eq!(
        files(&snapshot(&request).await),
        [("prod/a.yaml", "1")],
        "no manifest"
    );
    scene
        .repository
        .git(&["update-ref", "-d", "refs/heads/main"], b"");
    let manifest = [("prod/film.yaml", Entry::File(&large))];
    scene.repository.commit("main", false, &manifest);
    let error = refusal(&request).await;
    assert!(
        error
            .to_string()
            .contains("\"prod/film.yaml\" has more than 1 MiB"),
        "{error}"
    );
}

#[tokio::test]
async fn memory_that_runs_out_is_the_worker_s() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let bridge = Bridge::start(scene.root(), Manner::Well).await;
    let mut request = scene.request_of(&bridge.url("repository.git"));
    request.limits.memory = 32 * MIB;
    let error = refusal(&request).await;
    assert_eq!(error.reason(), "TooLarge", "{error}");
    assert!(error.to_string().contains("memory"), "{error}");
}

#[tokio::test]
async fn several_paths_are_one_request_below_the_same_limits() {
    let scene = Scene::new();
    let entries = [
        ("a/one.yaml", Entry::File(&[b'a'; 3000])),
        ("a/b/two.yaml", Entry::File(&[b'b'; 3000])),
        ("c/three.yaml", Entry::File(&[b'c'; 3000])),
        ("d/four.yaml", Entry::File(&[b'd'; 3000])),
    ];
    scene.repository.commit("main", true, &entries);
    let bridge = Bridge::start(scene.root(), Manner::Well).await;
    let mut request = scene.request_of(&bridge.url("repository.git"));
    request.paths = ["c", "a/b", "./a/", "a"].map(str::to_owned).to_vec();
    let read = snapshot(&request).await;
    let paths: Vec<&str> = files(&read).iter().map(|(path, _)| *path).collect();
    assert_eq!(paths, ["a/b/two.yaml", "a/one.yaml", "c/three.yaml"]);
    let fetches = bridge.seen().iter().filter(|(what, _)| what == "fetch").count();
    assert_eq!(fetches, 1);
    for (limits, words) in [
        (
            Limits {
                files: 2,
                ..Limits::default()
            },
            "2 files",
        ),
        (
            Limits {
                total: 8000,
                ..Limits::default()
            },
            "8000 bytes together",
        ),
    ] {
        request.limits = limits;
        let error = refusal(&request).await.to_string();
        assert!(error.contains(words), "{error}");
    }
}
