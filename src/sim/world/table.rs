//! Objects of one kind by id, each with its rendered JSON until it changes, and the way back through the
//! last changes.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use super::model::Id;

/// How many changes can be taken back.
const UNDO_MAX: usize = 1024;

/// One object as it was at one version.
#[derive(Debug)]
pub(crate) struct Row<T> {
    pub(crate) value: T,
    json: OnceLock<String>,
}

impl<T> Row<T> {
    fn new(value: T) -> Arc<Self> {
        Arc::new(Self {
            value,
            json: OnceLock::new(),
        })
    }

    /// Its JSON, rendered at most once.
    pub(crate) fn json(&self, render: impl FnOnce(&T) -> String) -> &str {
        self.json.get_or_init(|| render(&self.value))
    }
}

/// All objects of one kind.
#[derive(Debug)]
pub(crate) struct Table<T> {
    rows: BTreeMap<Id, Arc<Row<T>>>,
    undo: VecDeque<(Id, Option<Arc<Row<T>>>)>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            undo: VecDeque::new(),
        }
    }
}

impl<T: Clone> Table<T> {
    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.rows.get(id).map(|row| &row.value)
    }

    pub(crate) fn row(&self, id: &str) -> Option<&Arc<Row<T>>> {
        self.rows.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Id, &T)> {
        self.rows.iter().map(|(id, row)| (id, &row.value))
    }

    /// The objects whose ids begin like this, in order of ids.
    pub(crate) fn starting(&self, start: &str) -> impl Iterator<Item = (&Id, &Arc<Row<T>>)> {
        self.rows
            .range::<str, _>((Bound::Included(start), Bound::Unbounded))
            .take_while(move |(id, _)| id.starts_with(start))
    }

    pub(crate) fn ids(&self) -> Vec<Id> {
        self.rows.keys().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn put(&mut self, id: Id, value: T) {
        let old = self.rows.insert(id.clone(), Row::new(value));
        self.remember(id, old);
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<T> {
        let (id, old) = self.rows.remove_entry(id)?;
        let value = old.value.clone();
        self.remember(id, Some(old));
        Some(value)
    }

    /// Every object as it was `back` changes of this kind ago, in order of ids.
    pub(crate) fn back(&self, back: usize) -> Vec<Arc<Row<T>>> {
        if back == 0 {
            return self.rows.values().cloned().collect();
        }
        let mut rows = self.rows.clone();
        for (id, old) in self.undo.iter().rev().take(back) {
            match old {
                Some(old) => rows.insert(id.clone(), Arc::clone(old)),
                None => rows.remove(id),
            };
        }
        rows.into_values().collect()
    }

    /// The same, of the objects that fit.
    pub(crate) fn select(&self, back: usize, fits: impl Fn(&T) -> bool) -> Vec<Arc<Row<T>>> {
        if back == 0 {
            let rows = self.rows.values().filter(|row| fits(&row.value));
            return rows.cloned().collect();
        }
        let mut rows = self.back(back);
        rows.retain(|row| fits(&row.value));
        rows
    }

    fn remember(&mut self, id: Id, old: Option<Arc<Row<T>>>) {
        if self.undo.len() == UNDO_MAX {
            self.undo.pop_front();
        }
        self.undo.push_back((id, old));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_taken_back_one_by_one() {
        let mut table = Table::default();
        table.put("a".into(), 1);
        table.put("b".into(), 2);
        table.put("a".into(), 3);
        table.remove("b");
        let seen = |back| -> Vec<i32> { table.back(back).iter().map(|row| row.value).collect() };
        assert_eq!(
            (0..=5).map(seen).collect::<Vec<_>>(),
            [vec![3], vec![3, 2], vec![1, 2], vec![1], vec![], vec![]]
        );
    }
}
