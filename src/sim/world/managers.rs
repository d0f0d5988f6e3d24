//! The managers among the nodes: who leads, and whether there are enough of them to decide anything.

use jiff::Timestamp;

use super::World;
use super::model::{Id, Node};
use super::refusal::{Code, Refusal};

/// Where the managers stand with one another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Managers {
    /// Who decides; nobody does without it.
    leader: Option<Id>,
    /// Who led before nobody did.
    last: Option<Id>,
    /// When those that are left will have agreed on another one.
    election: Option<Timestamp>,
    /// Whether they are cut off from one another, however many run.
    apart: bool,
}

impl Managers {
    pub(super) fn has_leader(&self) -> bool {
        self.leader.is_some()
    }

    pub(super) fn next_election(&self) -> Option<Timestamp> {
        self.election
    }
}

impl World {
    /// How many managers answer, and how many there are.
    pub(crate) fn count_managers(&self) -> (usize, usize) {
        let all = self.nodes.iter().filter(|(_, node)| node.manager);
        all.fold((0, 0), |(alive, all), (_, node)| {
            (alive + usize::from(node.alive), all + 1)
        })
    }

    /// Cuts the managers off from one another, or lets them find their leader again.
    pub(crate) fn set_quorum(&mut self, has_quorum: bool) {
        self.managers.apart = !has_quorum;
        self.review_managers();
        if has_quorum && self.managers.election.is_some() {
            self.elect();
        }
    }

    /// The leader hands over to another manager; until that one has taken over, nobody leads.
    ///
    /// # Errors
    /// When nobody leads, or no other manager answers.
    pub(crate) fn move_leader(&mut self) -> Result<(), Refusal> {
        self.require_leader()?;
        let next = self
            .candidates()
            .find(|id| self.managers.leader.as_ref() != Some(id));
        if next.is_none() {
            return Err(Refusal::rpc(
                Code::FailedPrecondition,
                "there is no other manager that could lead",
            ));
        }
        self.lead(None);
        self.managers.election = self.now.checked_add(self.timing.handover).ok();
        Ok(())
    }

    /// Refuses to demote a manager that the others cannot do without.
    ///
    /// # Errors
    /// The engine's.
    pub(super) fn check_demotion(&self, node: &Node) -> Result<(), Refusal> {
        let (alive, all) = self.count_managers();
        if all == 1 {
            return Err(Refusal::rpc(
                Code::FailedPrecondition,
                "attempting to demote the last manager of the swarm",
            ));
        }
        let left = alive - usize::from(node.alive);
        if left * 2 < all {
            return Err(Refusal::rpc(
                Code::FailedPrecondition,
                "can't remove member from the raft: this would result in a loss of quorum",
            ));
        }
        Ok(())
    }

    /// Draws the consequences of managers that came, went or fell silent.
    pub(super) fn review_managers(&mut self) {
        let (alive, all) = self.count_managers();
        let has_quorum = alive * 2 > all && !self.managers.apart;
        let can_lead = |id: &Id| self.candidates().any(|candidate| candidate == *id);
        if self
            .managers
            .leader
            .as_ref()
            .is_some_and(|id| !has_quorum || !can_lead(id))
        {
            self.lead(None);
        }
        if !has_quorum {
            self.managers.election = None;
        } else if self.managers.leader.is_none() && self.managers.election.is_none() {
            self.managers.election = self.now.checked_add(self.timing.election).ok();
        }
    }

    /// The managers that are left agree on a leader: not on the last one, if there is a choice.
    pub(super) fn elect(&mut self) {
        self.managers.election = None;
        let last = self.managers.last.take();
        let next = self.candidates().min_by_key(|id| last.as_ref() == Some(id));
        self.lead(next);
    }

    /// Refuses when no manager leads.
    ///
    /// # Errors
    /// As the engine says it.
    pub(crate) fn require_leader(&self) -> Result<(), Refusal> {
        if self.managers.has_leader() {
            return Ok(());
        }
        Err(Refusal::rpc(
            Code::Unknown,
            "The swarm does not have a leader. It's possible that too few managers are online. Make sure more than \
             half of the managers are online.",
        ))
    }

    /// The managers that answer.
    fn candidates(&self) -> impl Iterator<Item = Id> {
        let alive = self.nodes.iter().filter(|(_, node)| node.manager && node.alive);
        alive.map(|(id, _)| id.clone())
    }

    /// Takes it that this manager leads.
    pub(super) fn follow(&mut self, leader: Id) {
        self.lead(Some(leader));
    }

    fn lead(&mut self, next: Option<Id>) {
        let old = std::mem::replace(&mut self.managers.leader, next.clone());
        if old.is_some() {
            self.managers.last.clone_from(&old);
        }
        let changed = old
            .map(|id| (id, false))
            .into_iter()
            .chain(next.map(|id| (id, true)));
        for (id, leads) in changed {
            if let Some(mut node) = self.nodes.get(&id).cloned() {
                node.leads = leads;
                self.nodes.put(id, node);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sim::NodeSettings;
    use crate::sim::world::Timing;

    const SECOND: Duration = Duration::from_secs(1);

    /// Three managers and a worker.
    fn world() -> World {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 7, Timing::default());
        for number in 1..=4 {
            world.add_node(NodeSettings {
                hostname: format!("node-{number}"),
                is_manager: number <= 3,
                ..NodeSettings::default()
            });
        }
        world
    }

    fn pass(world: &mut World, time: Duration) {
        let until = world.now.checked_add(time).unwrap();
        world.advance_to(until);
    }

    /// The host names of those that say that they lead; at most one.
    fn leaders(world: &World) -> Vec<&str> {
        let leading = world.nodes.iter().filter(|(_, node)| node.leads);
        leading.map(|(_, node)| node.hostname.as_str()).collect()
    }

    fn set_manager(world: &mut World, name: &str, manager: bool) -> Result<(), Refusal> {
        let node = world.find_node(name)?.clone();
        world.update_node(name, node.meta.version, node.availability, node.labels, manager)
    }

    #[test]
    fn another_manager_leads_when_the_leader_fails() {
        let mut world = world();
        assert_eq!(leaders(&world), ["node-1"]);
        world.fail_node("node-1").unwrap();
        assert!(leaders(&world).is_empty());
        assert_eq!(world.require_managers().unwrap_err().status, 500);
        pass(&mut world, 11 * SECOND);
        world.require_managers().unwrap();
        assert_eq!(leaders(&world).len(), 1);
        assert_ne!(leaders(&world), ["node-1"]);
        pass(&mut world, 5 * SECOND);
        assert!(
            !world.find_node("node-1").unwrap().ready,
            "the new leader notices"
        );
        world.return_node("node-1").unwrap();
        pass(&mut world, 11 * SECOND);
        assert_ne!(leaders(&world), ["node-1"], "nobody elects anew for that");
    }

    #[test]
    fn two_of_three_decide_and_one_does_not() {
        let mut world = world();
        world.fail_node("node-2").unwrap();
        assert_eq!(leaders(&world), ["node-1"]);
        world.fail_node("node-3").unwrap();
        pass(&mut world, 3600 * SECOND);
        let refusal = world.require_managers().unwrap_err();
        assert!(refusal.message.contains("does not have a leader"), "{refusal}");
        assert_eq!((world.count_managers(), world.next_due()), ((1, 3), None));
        world.return_node("node-2").unwrap();
        pass(&mut world, 11 * SECOND);
        world.require_managers().unwrap();
        assert_eq!(leaders(&world).len(), 1);
    }

    #[test]
    fn nobody_hands_over_without_a_quorum() {
        let mut world = world();
        world.set_quorum(false);
        world.move_leader().unwrap_err();
        pass(&mut world, 3600 * SECOND);
        world.require_managers().unwrap_err();
    }

    #[test]
    fn a_leader_hands_over() {
        let mut world = world();
        world.move_leader().unwrap();
        world.require_managers().unwrap_err();
        pass(&mut world, SECOND);
        world.require_managers().unwrap();
        assert_ne!(leaders(&world), ["node-1"]);
        let mut alone = World::new(Timestamp::UNIX_EPOCH, 7, Timing::default());
        alone.add_node(NodeSettings::default());
        alone.move_leader().unwrap_err();
        assert_eq!(leaders(&alone), ["node-1"]);
    }

    #[test]
    fn roles_change_as_far_as_the_quorum_bears_it() {
        let mut world = world();
        set_manager(&mut world, "node-4", true).unwrap();
        assert_eq!(world.count_managers(), (4, 4));
        world.fail_node("node-4").unwrap();
        world.fail_node("node-3").unwrap();
        assert!(leaders(&world).is_empty(), "two of four are no majority");
        world.return_node("node-3").unwrap();
        pass(&mut world, 11 * SECOND);
        let kept = set_manager(&mut world, "node-2", false);
        kept.unwrap();
        let refusal = set_manager(&mut world, "node-3", false).unwrap_err();
        assert!(
            refusal.message.contains("would result in a loss of quorum"),
            "{refusal}"
        );
        set_manager(&mut world, "node-4", false).unwrap();
        set_manager(&mut world, "node-3", false).unwrap();
        let refusal = set_manager(&mut world, "node-1", false).unwrap_err();
        assert!(refusal.message.contains("the last manager"), "{refusal}");
    }
}
