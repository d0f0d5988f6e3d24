//! What would come of a scenario, for people.

use super::paint::{Paint, Tone};
use super::table::{Cell, Table};
use crate::resource::outlook::{Managers, Move, ObjectOutlook, Outlook, Stranded, Unnoticed};

/// Tables of agents and objects, then what it comes to.
pub(crate) fn text(outlook: &Outlook, paint: Paint) -> String {
    let parts = [
        agents(outlook, paint),
        objects(&outlook.objects, paint),
        summary(outlook),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

fn agents(outlook: &Outlook, paint: Paint) -> String {
    let Outlook { moves, stranded, .. } = outlook;
    if moves.is_empty() && stranded.is_empty() {
        return String::new();
    }
    let mut table = Table::default();
    table.row(["NAMESPACE", "AGENT", "FROM", "TO", "RUNS AFTER"]);
    for Move {
        namespace,
        agent,
        from,
        to,
        after,
    } in moves
    {
        let after = after.map(seconds).unwrap_or_default();
        table.row([
            Cell::from(namespace),
            agent.into(),
            node(from),
            node(to),
            after.into(),
        ]);
    }
    for Stranded {
        namespace,
        agent,
        from,
        reason,
    } in stranded
    {
        let never = Cell::toned(&format!("never: {reason}"), Tone::Bad);
        table.row([
            Cell::from(namespace),
            agent.into(),
            node(from),
            node(&None),
            never,
        ]);
    }
    table.take(paint)
}

fn objects(objects: &[ObjectOutlook], paint: Paint) -> String {
    if objects.is_empty() {
        return String::new();
    }
    let mut table = Table::default();
    table.row(["NAMESPACE", "OBJECT", "BEFORE", "AFTER", "MESSAGE"]);
    for ObjectOutlook {
        namespace,
        object,
        before,
        after,
        message,
    } in objects
    {
        table.row([
            Cell::from(namespace),
            object.into(),
            node(before),
            after.into(),
            message.into(),
        ]);
    }
    table.take(paint)
}

fn summary(outlook: &Outlook) -> String {
    let Outlook {
        moves,
        stranded,
        managers,
        settled_after,
        unnoticed,
        objects: _,
    } = outlook;
    let mut text = String::new();
    let Managers {
        reachable,
        total,
        has_leader,
    } = managers;
    let majority = total / 2 + 1;
    if !has_leader && *reachable >= majority {
        text.push_str(
            "The managers still elect a leader when the simulation ends; watch for longer with --for.\n",
        );
    } else if !has_leader {
        text.push_str(&format!(
            "The managers lose their quorum: {reachable} of {total} answer. Agents elsewhere run on, and nothing is \
             replaced or changed until more than half of the managers are back.\n"
        ));
    } else if reachable < total {
        let spare = reachable.saturating_sub(majority);
        text.push_str(&format!(
            "{reachable} of {total} managers answer, and {spare} more may fail.\n"
        ));
    }
    if let Some(Unnoticed { nodes, after }) = unnoticed {
        let (nodes, are) = (nodes.join(", "), if nodes.len() == 1 { "is" } else { "are" });
        let after = seconds(*after);
        text.push_str(&format!(
            "That {nodes} {are} silent is not noticed when the simulation ends: it takes the managers about {after}; \
             watch for longer with --for.\n"
        ));
    }
    let moved = moves.iter().filter(|moved| moved.to.is_some()).count();
    let removed = moves.len() - moved;
    let mut facts = Vec::new();
    if let Some(after) = settled_after {
        let last = seconds(*after);
        facts.push(format!(
            "{} started, the last one after about {last}",
            agents_are(moved)
        ));
    }
    if removed > 0 {
        facts.push(format!("{} removed", agents_are(removed)));
    }
    if !stranded.is_empty() {
        facts.push(format!("{} left without a container", agents_are(stranded.len())));
    }
    if facts.is_empty() {
        facts.push("no agent moves".to_owned());
    }
    text.push_str(&format!("Simulated: {}.\n", facts.join("; ")));
    text
}

fn agents_are(count: usize) -> String {
    if count == 1 {
        "1 agent is".to_owned()
    } else {
        format!("{count} agents are")
    }
}

fn node(name: &Option<String>) -> Cell {
    Cell::or_none(name.as_deref().unwrap_or_default())
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.1}s")
}
