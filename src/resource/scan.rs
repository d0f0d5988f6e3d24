//! Walks a YAML text event by event, before anything is built of it: is it safe to load, and where is what?
//!
//! Aliases are counted, not expanded.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser};

use super::path;
use super::places::{Member, Node, Place, Places, Shape};

/// How many documents a file may hold.
const DOCUMENTS_MAX: usize = 10_000;
/// How many values a file may hold, aliases expanded.
const VALUES_MAX: usize = 1_000_000;
/// How deep values may be nested, aliases expanded.
const DEPTH_MAX: usize = 64;
/// How many aliases a file may hold.
const ALIASES_MAX: usize = 10_000;

/// How many faults of a file are told: more help nobody.
const FAULTS_MAX: usize = 100;

/// Something wrong with a text at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The document, counted from 1.
    pub document: usize,
    /// Where.
    pub place: Place,
    /// What, and what would be right.
    pub message: String,
}

/// The outlines of a text's documents, as far as it can be read.
#[derive(Default)]
pub(super) struct Scan {
    /// Complete documents; those from the first that cannot be read on are missing.
    pub(super) documents: Vec<Places>,
    /// What is wrong with single documents.
    pub(super) faults: Vec<Fault>,
    /// Why the rest of the text was not read.
    pub(super) stopped: Option<Fault>,
    /// How many values there are, aliases expanded.
    pub(super) values: usize,
}

/// Walks a text.
pub(super) fn scan(text: &str) -> Scan {
    let mut walk = Walk::default();
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => walk.event(event, span.start.into()),
            Err(error) => {
                let place = Place::from(*error.marker());
                Err((place, syntax_error(text, place, error.info())))
            }
        };
        if let Err((place, message)) = step {
            let document = walk.scan.documents.len() + 1;
            walk.scan.stopped = Some(Fault {
                document,
                place,
                message,
            });
            break;
        }
    }
    Scan {
        values: walk.values,
        ..walk.scan
    }
}

/// The parser's own words, or better ones for what people often get wrong.
fn syntax_error(text: &str, place: Place, info: &str) -> String {
    let tabbed = |line: &str| line.trim_start_matches(' ').starts_with('\t');
    let first = place.line.saturating_sub(2);
    if text.lines().skip(first).take(2).any(tabbed) {
        return "is indented with a tab: YAML is indented with spaces".to_owned();
    }
    format!("is not valid YAML: {info}")
}

#[derive(Default)]
struct Walk {
    scan: Scan,
    nodes: Vec<Node>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, usize>,
    values: usize,
    aliases: usize,
}

/// A list or map whose end has not come yet.
struct Open {
    place: Place,
    anchor: usize,
    children: Children,
    size: usize,
    depth: usize,
}

enum Children {
    List(Vec<usize>),
    Map {
        members: Vec<Member>,
        seen: BTreeMap<String, Place>,
        key: Option<(String, Place)>,
    },
}

type Stop = (Place, String);

impl Walk {
    fn event(&mut self, event: Event<'_>, place: Place) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(_) if self.scan.documents.len() == DOCUMENTS_MAX => Err((
                place,
                format!("is the start of more than {DOCUMENTS_MAX} documents: split the file"),
            )),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => Ok(()),
            Event::DocumentEnd => {
                self.end_document();
                Ok(())
            }
            Event::Scalar(text, _, anchor, _) => self.scalar(&text, anchor, place),
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::SequenceStart(anchor, _) => self.start(anchor, Children::List(Vec::new()), place),
            Event::MappingStart(anchor, _) => {
                let children = Children::Map {
                    members: Vec::new(),
                    seen: BTreeMap::new(),
                    key: None,
                };
                self.start(anchor, children, place)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(place),
        }
    }

    fn end_document(&mut self) {
        let nodes = std::mem::take(&mut self.nodes);
        self.anchors.clear();
        self.open.clear();
        self.scan.documents.extend(Places::new(nodes));
    }

    fn scalar(&mut self, text: &str, anchor: usize, place: Place) -> Result<(), Stop> {
        if let Some(Open {
            children: Children::Map { key, seen, .. },
            ..
        }) = self.open.last_mut()
            && key.is_none()
        {
            *key = Some((text.to_owned(), place));
            if let Some(first) = seen.insert(text.to_owned(), place) {
                let message = format!("the key \"{text}\" is there twice, first in line {}", first.line);
                self.fault(place, message);
            }
            return Ok(());
        }
        self.add(
            Node {
                place,
                shape: Shape::Scalar,
                size: 1,
                depth: 1,
            },
            anchor,
        )
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Stop> {
        self.aliases += 1;
        if self.aliases > ALIASES_MAX {
            return Err((
                place,
                format!("is one of more than {ALIASES_MAX} aliases: write out what they stand for"),
            ));
        }
        let Some(target) = self.anchors.get(&anchor).copied() else {
            return Err((
                place,
                "is an alias of something that is not complete: nothing can hold itself".to_owned(),
            ));
        };
        let Node { size, depth, .. } = self.nodes[target];
        self.add(
            Node {
                place,
                shape: Shape::Alias(target),
                size,
                depth,
            },
            0,
        )
    }

    fn start(&mut self, anchor: usize, children: Children, place: Place) -> Result<(), Stop> {
        if self.open.len() >= DEPTH_MAX {
            return Err((place, too_deep()));
        }
        self.open.push(Open {
            place,
            anchor,
            children,
            size: 1,
            depth: 1,
        });
        Ok(())
    }

    fn end(&mut self, place: Place) -> Result<(), Stop> {
        let Some(Open {
            place,
            anchor,
            children,
            size,
            depth,
        }) = self.open.pop()
        else {
            return Err((
                place,
                "is not valid YAML: something ends here that never began".to_owned(),
            ));
        };
        let shape = match children {
            Children::List(items) => Shape::List(items),
            Children::Map { members, .. } => Shape::Map(members),
        };
        self.add(
            Node {
                place,
                shape,
                size,
                depth,
            },
            anchor,
        )
    }

    /// Adds a complete value to what is open around it.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        let Node {
            place, size, depth, ..
        } = node;
        if depth > DEPTH_MAX {
            return Err((place, too_deep()));
        }
        let index = self.nodes.len();
        self.nodes.push(node);
        if anchor > 0 {
            self.anchors.insert(anchor, index);
        }
        let total = match self.open.last_mut() {
            Some(open) => {
                open.size = open.size.saturating_add(size);
                open.depth = open.depth.max(depth + 1);
                open.size
            }
            None => {
                self.values = self.values.saturating_add(size);
                self.values
            }
        };
        if total > VALUES_MAX {
            let message = if self.aliases > 0 {
                format!("stands, through its aliases, for more than {VALUES_MAX} values: use fewer aliases")
            } else {
                format!("makes more than {VALUES_MAX} values of the file: split it")
            };
            return Err((place, message));
        }
        self.attach(index, place);
        Ok(())
    }

    fn attach(&mut self, index: usize, place: Place) {
        let Some(open) = self.open.last_mut() else {
            return;
        };
        match &mut open.children {
            Children::List(items) => items.push(index),
            Children::Map { members, key, .. } => match key.take() {
                Some((name, place)) => members.push(Member {
                    segment: path::segment(&name),
                    place,
                    node: index,
                }),
                None => {
                    *key = Some((String::new(), place));
                    self.fault(place, "a key must be a string, written out".to_owned());
                }
            },
        }
    }

    fn fault(&mut self, place: Place, message: String) {
        if self.scan.faults.len() == FAULTS_MAX {
            return;
        }
        let document = self.scan.documents.len() + 1;
        self.scan.faults.push(Fault {
            document,
            place,
            message,
        });
    }
}

fn too_deep() -> String {
    format!("is nested more than {DEPTH_MAX} levels deep: no object is")
}
