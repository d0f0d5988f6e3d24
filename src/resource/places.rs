//! Where the values of a YAML document stand: a field path finds its line.

use std::sync::Arc;

use saphyr_parser::Marker;

/// A place in a text, both numbers from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl From<Marker> for Place {
    fn from(marker: Marker) -> Self {
        Self {
            line: marker.line(),
            column: marker.col() + 1,
        }
    }
}

/// The places of one document's values.
#[derive(Clone, Debug)]
pub struct Places {
    outline: Arc<Outline>,
    base: usize,
}

impl Places {
    /// The places of a document, from its values in the order in which they are complete: the root comes last.
    pub(super) fn new(nodes: Vec<Node>) -> Option<Self> {
        let base = nodes.len().checked_sub(1)?;
        let outline = Arc::new(Outline { nodes });
        Some(Self { outline, base })
    }

    /// Where the document (or the part that this stands for) begins.
    pub fn start(&self) -> Place {
        self.outline.nodes[self.base].place
    }

    /// Where the value at `path` stands; for what is not there, the nearest value that holds it.
    pub fn of(&self, path: &str) -> Place {
        self.outline.find(self.base, path).place
    }

    /// The places of the part at `path`; `None` when there is no such part.
    pub fn part(&self, path: &str) -> Option<Self> {
        let found = self.outline.find(self.base, path);
        found.whole.then(|| Self {
            outline: Arc::clone(&self.outline),
            base: found.node,
        })
    }
}

#[derive(Debug)]
struct Outline {
    nodes: Vec<Node>,
}

/// One value.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) shape: Shape,
    /// Number of values, aliases expanded.
    pub(super) size: usize,
    /// Levels, aliases expanded.
    pub(super) depth: usize,
}

/// What a value holds; other values by their number.
#[derive(Debug)]
pub(super) enum Shape {
    Scalar,
    List(Vec<usize>),
    Map(Vec<Member>),
    Alias(usize),
}

/// A member of a map.
#[derive(Debug)]
pub(super) struct Member {
    /// The key as paths write it.
    pub(super) segment: String,
    /// Where the key stands.
    pub(super) place: Place,
    pub(super) node: usize,
}

/// What a path led to.
struct Found {
    node: usize,
    place: Place,
    /// Whether the whole path was there.
    whole: bool,
}

impl Outline {
    fn find(&self, base: usize, path: &str) -> Found {
        let mut found = Found {
            node: base,
            place: self.nodes[base].place,
            whole: true,
        };
        let mut rest = path;
        while !rest.is_empty() {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let Some((node, place, after)) = self.step(found.node, rest) else {
                return Found {
                    whole: false,
                    ..found
                };
            };
            found = Found {
                node,
                place,
                whole: true,
            };
            rest = after;
        }
        found
    }

    /// One segment down: the node, its place (a member's is its key's), and the rest of the path.
    fn step<'p>(&self, node: usize, path: &'p str) -> Option<(usize, Place, &'p str)> {
        match &self.nodes[self.target(node)].shape {
            Shape::List(items) => {
                let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
                let node = *items.get(index.parse::<usize>().ok()?)?;
                Some((node, self.nodes[node].place, rest))
            }
            Shape::Map(members) => {
                let step = |member: &Member| {
                    let rest = path.strip_prefix(member.segment.as_str())?;
                    (rest.is_empty() || rest.starts_with(['.', '['])).then_some((
                        member.node,
                        member.place,
                        rest,
                    ))
                };
                members
                    .iter()
                    .find_map(step)
                    .or_else(|| self.merged(members, path))
            }
            Shape::Scalar | Shape::Alias(_) => None,
        }
    }

    /// Looks into what a `<<` key merges.
    fn merged<'p>(&self, members: &[Member], path: &'p str) -> Option<(usize, Place, &'p str)> {
        let source = members.iter().find(|member| member.segment == "[<<]")?.node;
        match &self.nodes[self.target(source)].shape {
            Shape::List(sources) => sources.iter().find_map(|source| self.step(*source, path)),
            _ => self.step(source, path),
        }
    }

    fn target(&self, node: usize) -> usize {
        match self.nodes[node].shape {
            Shape::Alias(target) => target,
            _ => node,
        }
    }
}
