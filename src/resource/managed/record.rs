//! The entries of `metadata.managedFields`, one for each who set fields.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, Time};

use super::fields::FieldSet;
use super::{Contested, Manager};
use crate::resource::object::API_VERSION;

/// How many are remembered who set fields and never applied: the oldest become one, as in Kubernetes.
const UPDATERS_MAX: usize = 10;
/// What those are called.
const ANCIENT: &str = "ancient-changes";

/// The longest name of a manager, in characters, as in Kubernetes.
pub const NAME_MAX: usize = 128;

/// Whether a manager may be called this.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= NAME_MAX && !name.chars().any(char::is_control)
}

/// Who owns which fields.
#[derive(Debug, Default)]
pub(super) struct Record {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    subresource: String,
    applies: bool,
    time: Option<Timestamp>,
    fields: FieldSet,
}

impl Entry {
    /// What an entry says; `None` when it is none that this server or another would write.
    fn read(entry: &ManagedFieldsEntry) -> Option<Self> {
        let applies = match entry.operation.as_deref()? {
            "Apply" => true,
            "Update" => false,
            _ => return None,
        };
        let subresource = entry.subresource.clone().unwrap_or_default();
        let is_known = ["", "scale", "status"].contains(&subresource.as_str());
        Some(Self {
            name: entry.manager.clone().filter(|name| is_name(name) && is_known)?,
            subresource,
            applies,
            time: entry.time.as_ref().map(|time| time.0),
            fields: FieldSet::from_json(&entry.fields_v1.as_ref()?.0)?,
        })
    }

    fn is(&self, manager: &Manager, applies: bool) -> bool {
        self.applies == applies && self.name == manager.name && self.subresource == manager.subresource
    }
}

/// As Kubernetes names them in conflicts.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name)?;
        if self.applies {
            return Ok(());
        }
        if !self.subresource.is_empty() {
            write!(f, " with subresource {:?}", self.subresource)?;
        }
        write!(f, " using {API_VERSION}")
    }
}

impl Record {
    /// What entries say, as far as they can be read.
    pub(super) fn of(entries: Option<&[ManagedFieldsEntry]>) -> Self {
        let mut record = Self::default();
        for entry in entries.into_iter().flatten().filter_map(Entry::read) {
            // Of two of one manager, the first counts.
            let is_same = |other: &Entry| {
                (&other.name, &other.subresource, other.applies)
                    == (&entry.name, &entry.subresource, entry.applies)
            };
            if !record.entries.iter().any(is_same) {
                record.entries.push(entry);
            }
        }
        record
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What a manager applied last, and what all others own.
    pub(super) fn of_applier(&self, manager: &Manager) -> (FieldSet, FieldSet) {
        let (mut mine, mut others) = (FieldSet::default(), FieldSet::default());
        for entry in &self.entries {
            let whose = if entry.is(manager, true) {
                &mut mine
            } else {
                &mut others
            };
            whose.unite(entry.fields.clone());
        }
        (mine, others)
    }

    /// What a manager owns that sets fields without applying.
    pub(super) fn of_updater(&self, manager: &Manager) -> FieldSet {
        let mine = self.entries.iter().find(|entry| entry.is(manager, false));
        mine.map(|entry| entry.fields.clone()).unwrap_or_default()
    }

    /// Which of the fields that an applier sets are others'.
    pub(super) fn contested(&self, manager: &Manager, set: &FieldSet) -> Vec<Contested> {
        let others = self.entries.iter().filter(|entry| !entry.is(manager, true));
        let contested = others.map(|entry| Contested {
            manager: entry.to_string(),
            fields: entry.fields.in_both(set).paths(),
        });
        contested
            .filter(|contested| !contested.fields.is_empty())
            .collect()
    }

    /// Takes what somebody set, and what is gone, from all others.
    pub(super) fn take_from_others(
        &mut self,
        manager: &Manager,
        applies: bool,
        set: &FieldSet,
        gone: &FieldSet,
    ) {
        for entry in self
            .entries
            .iter_mut()
            .filter(|entry| !entry.is(manager, applies))
        {
            entry.fields = entry.fields.without(set).without(gone);
        }
    }

    /// Makes what those who own the field at `mark` have set of these fields, without applying, what `manager` has applied.
    pub(super) fn hand_over(
        &mut self,
        manager: &Manager,
        mark: &[String],
        fields: &FieldSet,
        now: Timestamp,
    ) {
        let owns_mark = |entry: &Entry| {
            let mut steps = mark.iter();
            steps
                .try_fold(&entry.fields, |fields, step| fields.at(step))
                .is_some()
        };
        let (mut taken, _) = self.of_applier(manager);
        for entry in self
            .entries
            .iter_mut()
            .filter(|entry| !entry.applies && owns_mark(entry))
        {
            taken.unite(entry.fields.in_both(fields));
            entry.fields = entry.fields.without(fields);
        }
        self.set(manager, true, taken, false, now);
    }

    /// From now on somebody owns these fields. The time is that of the last change of what they own, or of its values
    /// (`moved`).
    pub(super) fn set(
        &mut self,
        manager: &Manager,
        applies: bool,
        fields: FieldSet,
        moved: bool,
        now: Timestamp,
    ) {
        match self.entries.iter_mut().find(|entry| entry.is(manager, applies)) {
            Some(entry) if entry.fields == fields && !moved => {}
            Some(entry) => {
                entry.fields = fields;
                entry.time = Some(now);
            }
            None => self.entries.push(Entry {
                name: manager.name.clone(),
                subresource: manager.subresource.to_owned(),
                applies,
                time: Some(now),
                fields,
            }),
        }
    }

    /// As in `managedFields`, without those who own nothing; `None` when nobody owns anything.
    pub(super) fn entries(mut self) -> Option<Vec<ManagedFieldsEntry>> {
        self.entries.retain(|entry| !entry.fields.is_empty());
        self.entries.sort_by_key(|entry| (!entry.applies, entry.time));
        self.forget_the_oldest();
        let entries: Vec<ManagedFieldsEntry> = self.entries.iter().map(Entry::to_wire).collect();
        (!entries.is_empty()).then_some(entries)
    }

    fn forget_the_oldest(&mut self) {
        let updaters = self.entries.iter().filter(|entry| !entry.applies).count();
        if updaters <= UPDATERS_MAX {
            return;
        }
        let mut ancient = FieldSet::default();
        let mut time = None;
        let first = self.entries.len() - updaters;
        for entry in self.entries.drain(first..=first + updaters - UPDATERS_MAX) {
            ancient.unite(entry.fields);
            time = entry.time;
        }
        let ancient = Entry {
            name: ANCIENT.to_owned(),
            subresource: String::new(),
            applies: false,
            time,
            fields: ancient,
        };
        self.entries.insert(first, ancient);
    }
}

impl Entry {
    fn to_wire(&self) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            api_version: Some(API_VERSION.to_owned()),
            fields_type: Some("FieldsV1".to_owned()),
            fields_v1: Some(FieldsV1(self.fields.to_json())),
            manager: Some(self.name.clone()),
            operation: Some(if self.applies { "Apply" } else { "Update" }.to_owned()),
            subresource: Some(self.subresource.clone()).filter(|name| !name.is_empty()),
            time: self.time.map(Time),
        }
    }
}
