//! Caches that somebody damaged, or nobody closed.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Scene, ask, files, snapshot};

/// The folder of the one cache, and its packs.
fn packs(scene: &Scene) -> (PathBuf, Vec<PathBuf>) {
    let folder = fs::read_dir(scene.cache())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let packs = fs::read_dir(folder.join("objects/pack")).unwrap();
    let packs = packs.map(|entry| entry.unwrap().path()).collect();
    (folder, packs)
}

fn garble(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    fs::remove_file(path).unwrap();
    fs::write(path, vec![0x55; usize::try_from(length).unwrap()]).unwrap();
}

#[tokio::test]
async fn whatever_became_of_a_cache_the_answer_is_right() {
    type Damage = fn(&Path, &[PathBuf]);
    let damages: [(&str, Damage); 6] = [
        ("garbled", |_, packs| packs.iter().for_each(|path| garble(path))),
        ("cut", |_, packs| {
            for path in packs {
                let content = fs::read(path).unwrap();
                fs::remove_file(path).unwrap();
                fs::write(path, &content[..content.len() / 2]).unwrap();
            }
        }),
        ("emptied", |_, packs| {
            packs.iter().for_each(|path| fs::remove_file(path).unwrap())
        }),
        ("locked", |folder, _| {
            fs::write(folder.join("shallow.lock"), "").unwrap()
        }),
        ("half", |folder, _| {
            fs::write(folder.join("objects/pack/.tmp123"), "half").unwrap()
        }),
        ("lying", |folder, _| {
            let tips = format!("{} whole\n", "1".repeat(40));
            fs::write(folder.join("tips"), tips).unwrap();
        }),
    ];
    for (name, damage) in damages {
        for is_new in [false, true] {
            let scene = Scene::with(&[("a.yaml", "1"), ("b.yaml", "2")]);
            let request = scene.request();
            snapshot(&request).await;
            let (folder, found) = packs(&scene);
            damage(&folder, &found);
            if is_new {
                scene.repository.push("main", &[("b.yaml", "3")]);
            }
            let expected = [("a.yaml", "1"), ("b.yaml", if is_new { "3" } else { "2" })];
            assert_eq!(files(&snapshot(&request).await), expected, "{name}, {is_new}");
        }
    }
}

#[tokio::test]
async fn many_at_once_take_turns() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let request = scene.request();
    let answers = futures::future::join_all((0..4).map(|_| ask(&request))).await;
    assert!(
        answers
            .iter()
            .all(|answer| *answer == answers[0] && answer.is_ok()),
        "{answers:?}"
    );
    assert_eq!(packs(&scene).1.len(), 2);
}

#[tokio::test]
async fn a_cache_that_grew_too_large_is_made_anew() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let mut request = scene.request();
    snapshot(&request).await;
    request.limits.cache = 100;
    scene.repository.push("main", &[("a.yaml", "2")]);
    assert_eq!(files(&snapshot(&request).await), [("a.yaml", "2")]);
    assert_eq!(packs(&scene).1.len(), 2, "the pack of before is gone");
}
