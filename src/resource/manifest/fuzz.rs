//! Nothing that can be in a file makes the reader panic, and what it accepts has a place.

use super::*;

const SEEDS: [&str; 3] = [
    include_str!("../../../manifests/examples/template.yaml"),
    include_str!("../../../manifests/examples/team.yaml"),
    include_str!("../../../manifests/examples/council.yaml"),
];
/// What YAML and our own syntax give a meaning to.
const PIECES: [&str; 28] = [
    ":",
    "-",
    "- ",
    "\n",
    "  ",
    "\t",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "? ",
    "|",
    ">",
    "\"",
    "'",
    "#",
    "---\n",
    "...\n",
    "null",
    "-1",
    "1e999",
    "~",
    "\u{feff}",
    "99999999999999999999h",
];

/// A small deterministic generator (xorshift): the same texts on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }
}

fn read(bytes: Vec<u8>) {
    for document in text(&bytes)
        .map(|text| yaml::parse(text).good)
        .unwrap_or_default()
    {
        has_places(&document.value, &document.places, "");
    }
    let name = "fuzz.yaml".to_owned();
    match load(&[Source { name, bytes }], "default") {
        Ok(objects) => assert!(objects.iter().all(|object| yaml::to_yaml(&object.value).is_ok())),
        Err(problems) => assert!(!problems.to_string().is_empty()),
    }
}

/// The two YAML libraries agree: every value that one reads, the other has seen.
fn has_places(value: &Value, places: &Places, at: &str) {
    assert!(places.part(at).is_some(), "{at} has no place");
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                has_places(item, places, &path::item(at, index));
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                has_places(member, places, &path::field(at, key));
            }
        }
        _ => {}
    }
}

#[test]
fn random_bytes_are_refused_in_peace() {
    let mut dice = Dice(0x5eed);
    for _ in 0..2_000 {
        let length = dice.roll(200);
        read((0..length).map(|_| dice.roll(256) as u8).collect());
    }
}

#[test]
fn random_yaml_is_read_or_refused() {
    let mut dice = Dice(0xfeed);
    for _ in 0..3_000 {
        let pieces = dice.roll(40);
        let text: String = (0..pieces).map(|_| PIECES[dice.roll(PIECES.len())]).collect();
        read(text.into_bytes());
    }
}

#[test]
fn damaged_manifests_are_read_or_refused() {
    let mut dice = Dice(0xdeed);
    for _ in 0..1_000 {
        let mut text: Vec<char> = SEEDS[dice.roll(SEEDS.len())].chars().collect();
        for _ in 0..=dice.roll(4) {
            let at = dice.roll(text.len());
            match dice.roll(4) {
                0 => drop(text.remove(at)),
                1 => {
                    let end = (at + dice.roll(30)).min(text.len());
                    text.drain(at..end);
                }
                2 => {
                    let end = (at + dice.roll(60)).min(text.len());
                    let copy: Vec<char> = text[at..end].to_vec();
                    let to = dice.roll(text.len());
                    text.splice(to..to, copy);
                }
                _ => drop(text.splice(at..at, PIECES[dice.roll(PIECES.len())].chars())),
            }
        }
        read(text.into_iter().collect::<String>().into_bytes());
    }
}
