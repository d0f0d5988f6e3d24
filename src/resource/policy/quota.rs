//! How much the Teams and Councils of a namespace declare, or their agents use, and how much they may.

use std::ops::{AddAssign, SubAssign};

use super::Rules;
use crate::resource::policy_spec::Quota;
use crate::resource::quantity::Measure;
use crate::resource::validate::{Cause, CauseReason};

/// How much is declared, or used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Number of agents.
    pub agents: i64,
    /// Sum of their processor limits, in billionths of a core.
    pub nano_cpus: i64,
    /// Sum of their memory limits, in bytes.
    pub memory_bytes: i64,
}

impl Usage {
    /// The larger of two, each by itself.
    pub fn max(self, other: Self) -> Self {
        Self {
            agents: self.agents.max(other.agents),
            nano_cpus: self.nano_cpus.max(other.nano_cpus),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, more: Self) {
        self.agents = self.agents.saturating_add(more.agents);
        self.nano_cpus = self.nano_cpus.saturating_add(more.nano_cpus);
        self.memory_bytes = self.memory_bytes.saturating_add(more.memory_bytes);
    }
}

impl SubAssign for Usage {
    fn sub_assign(&mut self, less: Self) {
        self.agents = self.agents.saturating_sub(less.agents);
        self.nano_cpus = self.nano_cpus.saturating_sub(less.nano_cpus);
        self.memory_bytes = self.memory_bytes.saturating_sub(less.memory_bytes);
    }
}

impl Rules {
    /// Whether a Policy limits how much is declared.
    pub fn has_quota(&self) -> bool {
        self.limits().any(|(_, limits)| limits.quota.is_some())
    }

    /// What is too much when a change of an object, a template or a service brings the namespace from `before` to `after`. A change that makes
    /// nothing more is not refused: a namespace that is over its quota already can be made smaller step by step.
    pub fn over_quota(&self, before: &Usage, after: &Usage) -> Vec<Cause> {
        let quotas = self
            .limits()
            .filter_map(|(name, limits)| Some((name, limits.quota.as_ref()?)));
        quotas
            .flat_map(|(name, quota)| over(name, quota, before, after))
            .collect()
    }
}

fn over(policy: &str, quota: &Quota, before: &Usage, after: &Usage) -> Vec<Cause> {
    let Quota { agents, cpu, memory } = quota;
    // A quantity that is none was refused when the Policy was stored; what cannot be read allows nothing.
    let read = |measure: Measure, text: &str| measure.parse(text).unwrap_or_default();
    let cpu = cpu.as_ref().map(|cpu| read(Measure::Cpu, &cpu.0));
    let memory = memory.as_ref().map(|memory| read(Measure::Memory, &memory.0));
    let exactly = |count: i64, unit: i64, shown: &str, small: &str| match count % unit {
        0 => format!("{}{shown}", count / unit),
        _ => format!("{count}{small}"),
    };
    let cores = |nano: i64| format!("{} of processor limits", exactly(nano, 1_000_000, "m", "n"));
    let mebibytes = |bytes: i64| format!("{} of memory limits", exactly(bytes, 1 << 20, "Mi", " bytes"));
    type Shown<'a> = &'a dyn Fn(i64) -> String;
    let rows: [(Option<i64>, i64, i64, Shown<'_>); 3] = [
        (*agents, before.agents, after.agents, &|agents| {
            format!("{agents} agents")
        }),
        (cpu, before.nano_cpus, after.nano_cpus, &cores),
        (memory, before.memory_bytes, after.memory_bytes, &mebibytes),
    ];
    rows.into_iter()
        .filter_map(|(most, before, after, shown)| {
            let most = most.filter(|most| after > *most && after > before)?;
            let message = format!(
                "the namespace would have {}, and the quota of the Policy \"{policy}\" is {}: declare fewer or smaller \
                 agents, or have the quota raised",
                shown(after),
                shown(most)
            );
            Some(Cause::new("spec", CauseReason::Forbidden, message))
        })
        .collect()
}
