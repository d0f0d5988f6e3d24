//! A plan in the words of the wire.

use crate::resource::preview::{Preview, PreviewBlocked, PreviewChange, PreviewField, PreviewKind};

use super::action::{Blocked, Change, ChangeKind, FieldChange, Plan, Report, Target};

/// What the plan would do, for people and machines.
pub fn preview(plan: &Plan) -> Preview {
    let Report {
        changes,
        blocked,
        suspended,
    } = &plan.report;
    let stops = |change: &&Change| {
        matches!(change.what, Target::Service(_))
            && matches!(change.kind, ChangeKind::Remove | ChangeKind::Replace)
    };
    Preview {
        interrupted: if *suspended {
            0
        } else {
            changes.iter().filter(stops).count()
        },
        changes: changes.iter().map(change).collect(),
        blocked: blocked.iter().map(self::blocked).collect(),
        suspended: *suspended,
    }
}

fn change(change: &Change) -> PreviewChange {
    let Change {
        kind,
        what,
        because,
        drift,
    } = change;
    PreviewChange {
        action: match kind {
            ChangeKind::Create => PreviewKind::Create,
            ChangeKind::Remove => PreviewKind::Remove,
            ChangeKind::Replace => PreviewKind::Replace,
            ChangeKind::InPlace => PreviewKind::InPlace,
        },
        kind: what.kind().to_owned(),
        name: what.name().to_owned(),
        fields: because.iter().map(field).collect(),
        drift: *drift,
    }
}

fn field(FieldChange { field, old, new }: &FieldChange) -> PreviewField {
    PreviewField {
        field: field.clone(),
        old: old.clone(),
        new: new.clone(),
    }
}

fn blocked(blocked: &Blocked) -> PreviewBlocked {
    let Blocked {
        agent,
        service: _,
        reason,
        message,
    } = blocked;
    PreviewBlocked {
        agent: agent.clone(),
        reason: reason.to_string(),
        message: message.clone(),
    }
}
