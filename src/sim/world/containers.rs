//! Containers of this engine's own node, as far as tasks have them.

use super::World;
use super::model::{Container, Id, Task, TaskState};
use super::refusal::Refusal;

/// The signal on which a simulated container stops in good order, as one does that the engine tells to stop.
const TERM: u32 = 15;

impl World {
    /// The tasks of this node whose containers the engine still keeps.
    pub(crate) fn containers(&self) -> impl Iterator<Item = (&Task, &Container)> {
        self.tasks.iter().filter_map(|(_, task)| {
            let container = task.container.as_ref().filter(|container| container.kept)?;
            (task.node.as_ref() == Some(&self.own_node)).then_some((task, container))
        })
    }

    /// Finds a container by id, the start of an id, or name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn find_container(&self, name: &str) -> Result<&Task, Refusal> {
        let named = |(task, container): &(&Task, &Container)| {
            container.id.starts_with(name) || task.name() == name.trim_start_matches('/')
        };
        self.containers()
            .find(named)
            .map(|(task, _)| task)
            .ok_or_else(|| Refusal::new(404, format!("No such container: {name}")))
    }

    /// Kills a container.
    ///
    /// # Errors
    /// When there is none, or it does not run.
    pub(crate) fn kill_container(&mut self, name: &str, signal: u32) -> Result<(), Refusal> {
        let task = self.find_container(name).map_err(|refusal| {
            let message = format!("Cannot kill container: {name}: {}", refusal.message);
            Refusal::new(refusal.status, message)
        })?;
        let task = task.clone();
        if !runs(&task) {
            return Err(Refusal::new(
                409,
                format!(
                    "Cannot kill container: {name}: Container {} is not running",
                    task.container.as_ref().map_or("", |container| &container.id)
                ),
            ));
        }
        self.tell_container(&task, "kill", &[("signal", &signal.to_string())]);
        let exit_code = match signal {
            TERM => 0,
            other => 128 + i64::from(other),
        };
        self.container_dies(&task.id, exit_code);
        Ok(())
    }

    /// Removes a container; with `force` one that runs.
    ///
    /// # Errors
    /// When there is none, or it runs.
    pub(crate) fn remove_container(&mut self, name: &str, force: bool) -> Result<(), Refusal> {
        let task = self.find_container(name)?.clone();
        if runs(&task) {
            if !force {
                return Err(Refusal::new(
                    409,
                    format!(
                        "You cannot remove a running container {}. Stop the container before attempting removal \
                         or force remove",
                        task.container.as_ref().map_or("", |container| &container.id)
                    ),
                ));
            }
            self.kill_container(name, 9)?;
        }
        self.tell_container(&task, "destroy", &[]);
        self.edit_task(&task.id, |task| {
            if let Some(container) = &mut task.container {
                container.kept = false;
            }
        });
        Ok(())
    }

    /// The containers of a service end by themselves, on whatever node; how many did.
    pub(crate) fn end_containers(&mut self, service: &str, exit_code: i64) -> usize {
        let Some(id) = self.names.get(service).cloned() else {
            return 0;
        };
        let running = self
            .tasks_of(&id)
            .into_iter()
            .filter(|id| self.tasks.get(id).is_some_and(runs));
        let running: Vec<Id> = running.collect();
        for task in &running {
            self.container_dies(task, exit_code);
        }
        running.len()
    }

    /// A task's container ends by itself, or was killed.
    pub(crate) fn container_dies(&mut self, task: &Id, exit_code: i64) {
        let Some(task) = self.tasks.get(task).filter(|task| runs(task)).cloned() else {
            return;
        };
        self.tell_death(&task, exit_code);
        if !task.is_wanted() {
            self.end(&task.id, TaskState::Shutdown, "shutdown", "", exit_code);
        } else if exit_code == 0 {
            self.end(&task.id, TaskState::Complete, "finished", "", 0);
        } else {
            let err = format!("task: non-zero exit ({exit_code})");
            self.end(&task.id, TaskState::Failed, task.status.message, &err, exit_code);
        }
    }
}

fn runs(task: &Task) -> bool {
    matches!(task.status.state, TaskState::Starting | TaskState::Running)
}
