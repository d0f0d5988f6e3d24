//! What schemas cannot say of a Policy.

use super::super::quantity::Measure;
use super::super::schema::quoted;
use super::cause::CauseReason;
use super::syntax::{self, Checked, check as must};
use super::view::{Causes, Node};

pub(super) fn check(spec: &Node<'_>, causes: &mut Causes) {
    let (allow, limits) = (spec.field("allow"), spec.field("limits"));
    for path in allow.field("hostPaths").items() {
        causes.text(&path.field("path"), host_path);
    }
    causes.texts(&allow.field("capabilities"), syntax::capability);
    for range in allow.field("hostPorts").items() {
        let (from, to) = (range.field("from"), range.field("to"));
        if let (Some(first), Some(last)) = (from.number(), to.number())
            && last < first
        {
            let message = format!("must not be below the first, {first}, got {last}");
            causes.add(&to, CauseReason::Invalid, message);
        }
    }
    for (block, lists) in [
        (&allow, &["sysctls", "foreignNetworks"][..]),
        (&limits, &["images", "networks", "secrets", "volumes"]),
    ] {
        for list in lists {
            causes.texts(&block.field(list), syntax::line);
        }
    }
    let quota = limits.field("quota");
    for (name, measure) in [("cpu", Measure::Cpu), ("memory", Measure::Memory)] {
        let amount = quota.field(name);
        if let Some(text) = amount.text()
            && let Err(error) = measure.parse(text)
        {
            causes.add(&amount, CauseReason::Invalid, error.to_string());
        }
    }
}

/// A path of a node, which stands for all that is below it.
fn host_path(text: &str) -> Checked {
    syntax::absolute_path(text)?;
    must(!text.contains('*'), || {
        format!(
            "must not hold \"*\": a path stands for all that is below it, as \"/srv\" does for \"/srv/models\", got {}",
            quoted(text)
        )
    })
}
