//! What was shown of what is looked at, kept for a while: lists that are given in parts, as they were at the first part, and
//! what watches go on from.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::form::ListMetadata;
use super::options::{Part, Selection};
use super::status::ApiError;
use crate::resource::Revision;

/// For how long a list, or a watch, can be gone on with: as long as Kubernetes' API server keeps what its lists are made of, by default.
const KEPT_FOR: Duration = Duration::from_secs(5 * 60);
/// Bytes that are kept at most, of all lists. One that was begun in parts gives way to no other: where there is no room, the next
/// one is given whole.
const BYTES_MAX: usize = 32 << 20;

/// Which list something is a part of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ListOf {
    pub(super) kind: (&'static str, &'static str),
    /// `None` for all.
    pub(super) namespace: Option<String>,
    pub(super) selection: Selection,
}

/// The lists that were given lately. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<Vec<List>>>);

/// One list, as it was at one moment.
#[derive(Clone, Debug)]
struct List {
    of: ListOf,
    at: Revision,
    since: Instant,
    /// Whether somebody has had a part of it.
    is_begun: bool,
    bytes: usize,
    rows: Arc<[Row]>,
}

#[derive(Debug, PartialEq)]
struct Row {
    namespace: String,
    name: String,
    json: Box<str>,
}

impl List {
    fn new<'a>(of: &ListOf, at: Revision, rows: impl Iterator<Item = &'a Value>) -> Self {
        let rows: Arc<[Row]> = rows.map(Row::of).collect();
        Self {
            of: of.clone(),
            at,
            since: Instant::now(),
            is_begun: false,
            bytes: rows.iter().map(Row::bytes).sum(),
            rows,
        }
    }

    fn is(&self, of: &ListOf, at: Revision) -> bool {
        (&self.of, self.at) == (of, at)
    }

    /// Where the list goes on after so many rows.
    fn next(&self, rows: usize) -> Option<Part> {
        let last = self.rows.get(rows.checked_sub(1)?)?;
        Some(Part {
            at: self.at,
            after: (last.namespace.clone(), last.name.clone()),
        })
    }
}

impl Kept {
    /// The first `limit` of the rows, all that there are of the list now; or all of them, when there are no more or when the
    /// rest is too much to keep.
    pub(super) fn begin(
        &self,
        of: &ListOf,
        at: Revision,
        mut rows: Vec<Value>,
        limit: Option<NonZeroU32>,
    ) -> (ListMetadata, Vec<Value>) {
        let limit = limit.map_or(usize::MAX, |limit| limit.get() as usize);
        let mut metadata = ListMetadata::at(at);
        if limit >= rows.len() {
            self.remember(of, &[at], rows.iter());
            return (metadata, rows);
        }
        let list = List {
            is_begun: true,
            ..List::new(of, at, rows.iter())
        };
        let next = list.next(limit);
        if let Some(next) = next.filter(|_| self.keep(list)) {
            let left = rows.len() - limit;
            metadata.goes_on(next, of.selection.is_empty().then_some(left));
            rows.truncate(limit);
        }
        (metadata, rows)
    }

    /// The next rows of a list.
    ///
    /// # Errors
    /// 410 when the list is not kept (any more), after which clients list again from the beginning.
    pub(super) fn go_on(
        &self,
        of: &ListOf,
        part: &Part,
        limit: Option<NonZeroU32>,
    ) -> Result<(ListMetadata, Vec<Value>), ApiError> {
        let list = self.find(of, part.at);
        let begin = list.as_ref().and_then(|list| {
            let is_last = |row: &Row| (&row.namespace, &row.name) == (&part.after.0, &part.after.1);
            list.rows.iter().position(is_last)
        });
        let (Some(list), Some(begin)) = (list, begin) else {
            return Err(ApiError::Expired(
                "the list that this is a part of is not kept any more; list again from the beginning"
                    .to_owned(),
            ));
        };
        let rest = list.rows.get(begin + 1..).unwrap_or_default();
        let given = limit.map_or(rest.len(), |limit| rest.len().min(limit.get() as usize));
        let mut metadata = ListMetadata::at(part.at);
        if given < rest.len()
            && let Some(next) = list.next(begin + 1 + given)
        {
            let left = rest.len() - given;
            metadata.goes_on(next, of.selection.is_empty().then_some(left));
        }
        let rows = rest.iter().take(given).map(Row::value).collect::<Result<_, _>>();
        Ok((
            metadata,
            rows.map_err(|error| ApiError::Internal(error.to_string()))?,
        ))
    }

    /// Keeps what a client was shown, under each of the revisions that its next watch may go on from, if there is room. What may
    /// stand for more than one state is no place to go on from.
    pub(super) fn remember<'a>(
        &self,
        of: &ListOf,
        revisions: &[Revision],
        rows: impl Iterator<Item = &'a Value>,
    ) {
        let shown = List::new(of, Revision::default(), rows);
        for at in revisions {
            let known = self.find(of, *at);
            match known.map(|known| known.rows == shown.rows) {
                Some(true) => {}
                Some(false) => self.young().retain(|old| old.is_begun || !old.is(of, *at)),
                None => drop(self.keep(List {
                    at: *at,
                    ..shown.clone()
                })),
            }
        }
    }

    /// All rows of a list that is kept, so that a watch can go on from it.
    pub(super) fn whole(&self, of: &ListOf, at: Revision) -> Option<Vec<Value>> {
        let list = self.find(of, at)?;
        list.rows.iter().map(|row| row.value().ok()).collect()
    }

    fn find(&self, of: &ListOf, at: Revision) -> Option<List> {
        self.young().iter().find(|list| list.is(of, at)).cloned()
    }

    /// Keeps a list, if there is room for it.
    fn keep(&self, list: List) -> bool {
        let mut lists = self.young();
        lists.retain(|old| !old.is(&list.of, list.at));
        let mut bytes = list.bytes + lists.iter().map(|list| list.bytes).sum::<usize>();
        while bytes > BYTES_MAX
            && let Some(oldest) = lists.iter().position(|old| !old.is_begun)
        {
            bytes -= lists.remove(oldest).bytes;
        }
        let is_room = bytes <= BYTES_MAX;
        if is_room {
            lists.push(list);
        }
        is_room
    }

    /// The lists whose time is not over.
    fn young(&self) -> MutexGuard<'_, Vec<List>> {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|list| list.since.elapsed() < KEPT_FOR);
        lists
    }
}

impl Row {
    fn of(value: &Value) -> Self {
        let (namespace, name) = place(value);
        Self {
            namespace,
            name,
            json: value.to_string().into(),
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.namespace.len() + self.name.len() + self.json.len()
    }

    fn value(&self) -> serde_json::Result<Value> {
        serde_json::from_str(&self.json)
    }
}

/// The namespace and the name of an object.
pub(super) fn place(row: &Value) -> (String, String) {
    let text = |field: &str| {
        let text = row.pointer(field).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    (text("/metadata/namespace"), text("/metadata/name"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(namespace: &str) -> ListOf {
        ListOf {
            kind: ("v1", "Event"),
            namespace: Some(namespace.to_owned()),
            selection: Selection::default(),
        }
    }

    fn rows(count: usize, padding: usize) -> Vec<Value> {
        let row = |number| json!({"metadata": {"name": format!("e.{number}")}, "note": "x".repeat(padding)});
        (0..count).map(row).collect()
    }

    fn next(metadata: &ListMetadata) -> Part {
        metadata.r#continue.as_deref().unwrap().parse().unwrap()
    }

    const TWO: Option<NonZeroU32> = NonZeroU32::new(2);

    #[tokio::test(start_paused = true)]
    async fn a_list_goes_on_as_it_began() {
        let (kept, at) = (Kept::default(), Revision(7));
        let (first, given) = kept.begin(&of("a"), at, rows(5, 0), TWO);
        assert_eq!(
            (given, first.remaining_item_count),
            (rows(5, 0)[..2].to_vec(), Some(3))
        );
        let (second, given) = kept.go_on(&of("a"), &next(&first), TWO).unwrap();
        assert_eq!(
            (given, second.remaining_item_count),
            (rows(5, 0)[2..4].to_vec(), Some(1))
        );
        for limit in [TWO, None] {
            let (last, given) = kept.go_on(&of("a"), &next(&second), limit).unwrap();
            assert_eq!((given, last.r#continue), (rows(5, 0)[4..].to_vec(), None));
        }
        // Nobody comes by a part of one list to another one.
        kept.go_on(&of("b"), &next(&first), TWO).unwrap_err();
        tokio::time::advance(KEPT_FOR).await;
        let gone = kept.go_on(&of("a"), &next(&first), TWO).unwrap_err();
        assert!(matches!(gone, ApiError::Expired(_)), "{gone:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_bounded() {
        let kept = Kept::default();
        for limit in [None, NonZeroU32::new(5)] {
            let (all, given) = kept.begin(&of("a"), Revision(1), rows(5, 0), limit);
            assert_eq!((given.len(), all.r#continue), (5, None));
        }
        let (all, given) = kept.begin(&of("a"), Revision(1), rows(3, BYTES_MAX / 3), TWO);
        assert_eq!((given.len(), all.r#continue), (3, None));
        // Whoever has begun a list comes to its end, and who comes when there is no room has it whole.
        let begin = |at| kept.begin(&of("a"), Revision(at), rows(3, BYTES_MAX / 8), TWO);
        let [(first, _), (second, _), (third, given)] = [2, 3, 4].map(begin);
        assert_eq!((given.len(), third.r#continue), (3, None));
        for begun in [first, second] {
            assert_eq!(kept.go_on(&of("a"), &next(&begun), TWO).unwrap().1.len(), 1);
        }
        tokio::time::advance(KEPT_FOR).await;
        assert!(begin(4).0.r#continue.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_goes_on_from_what_was_shown() {
        let kept = Kept::default();
        kept.begin(&of("a"), Revision(7), rows(5, 0), TWO);
        kept.begin(&of("a"), Revision(8), rows(1, 0), None);
        kept.remember(&of("b"), &[Revision(9), Revision(10)], rows(2, 0).iter());
        for (namespace, at, count) in [("a", 7, 5), ("a", 8, 1), ("b", 9, 2), ("b", 10, 2)] {
            assert_eq!(kept.whole(&of(namespace), Revision(at)), Some(rows(count, 0)));
        }
        assert_eq!(kept.whole(&of("b"), Revision(7)), None);
        kept.remember(&of("b"), &[Revision(9)], rows(3, 0).iter());
        assert_eq!(kept.whole(&of("b"), Revision(9)), None);
        // What was begun is needed more.
        let large = rows(1, BYTES_MAX / 4 * 3);
        kept.remember(&of("a"), &[Revision(12)], large.iter());
        assert!(kept.whole(&of("a"), Revision(12)).is_some());
        kept.begin(&of("a"), Revision(11), rows(3, BYTES_MAX / 6), TWO);
        kept.remember(&of("a"), &[Revision(12)], large.iter());
        assert_eq!(kept.whole(&of("a"), Revision(12)), None);
        assert_eq!(kept.whole(&of("a"), Revision(7)), Some(rows(5, 0)));
        assert!(kept.whole(&of("a"), Revision(11)).is_some());
        assert_eq!(kept.whole(&of("a"), Revision(8)), None);
    }
}
