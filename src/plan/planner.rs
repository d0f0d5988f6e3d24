//! Brings a workload about.

use crate::resource::workload::Workload;

use super::action::Plan;
use super::observed::Observed;

/// What is to be done so that the Swarm runs what `workload` declares. The plan is empty when it does.
///
/// `instance` is the installation's id: what carries another one is never touched.
pub fn plan(_workload: &Workload, _observed: &Observed, _instance: &str) -> Plan {
    Plan::default()
}
