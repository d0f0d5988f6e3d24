//! Services: made, changed, rolled back, removed, with the managers' checks.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::World;
use super::checks::check;
use super::model::{Id, Port, Scope, Service, Task, TaskState, UpdateState, UpdateStatus};
use super::queue::Due;
use super::refusal::{Code, Refusal};
use super::spec::{Mode, Spec};
use super::table::Row;

impl World {
    /// Finds a service by id, name, or the start of an id that no other has.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn find_service(&self, name: &str) -> Result<&Service, Refusal> {
        let by_name = || self.names.get(name).and_then(|id| self.services.get(id));
        let by_start = || {
            let mut found = self.services.starting(name);
            match (found.next(), found.next()) {
                (Some((_, row)), None) => Some(&row.value),
                _ => None,
            }
        };
        self.services
            .get(name)
            .or_else(by_name)
            .or_else(by_start)
            .ok_or_else(|| Refusal::not_found("service", name))
    }

    /// The services whose names begin like this.
    pub(crate) fn services_named(&self, start: &str) -> impl Iterator<Item = (&Id, &Arc<Row<Service>>)> {
        self.names
            .range::<str, _>((Bound::Included(start), Bound::Unbounded))
            .take_while(move |(name, _)| name.starts_with(start))
            .filter_map(|(_, id)| Some((id, self.services.row(id)?)))
    }

    /// Makes a service; its id.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn create_service(&mut self, request: &Value) -> Result<Id, Refusal> {
        let mut request = request.clone();
        if request["Name"] == "" || request["Name"].is_null() && request.is_object() {
            let number = self.dice.next() % 1_000_000;
            request["Name"] = format!("nameless_{number}").into();
        }
        let (spec, written) = self.read_spec(&request)?;
        self.check_spec(&spec, &written, None)?;
        if self.names.contains_key(&spec.name) {
            return Err(Refusal::rpc(
                Code::AlreadyExists,
                &format!(
                    "name conflicts with an existing object: service {} already exists",
                    spec.name
                ),
            ));
        }
        check_size([&spec])?;
        let id = self.dice.id();
        let meta = self.born();
        self.names.insert(spec.name.clone(), id.clone());
        self.tell("service", "create", &id, &spec.name, &[]);
        let service = Service {
            id: id.clone(),
            meta,
            spec: Arc::new(spec),
            spec_version: meta.version,
            previous: None,
            update: None,
            vips: Vec::new(),
            ports: Vec::new(),
        };
        self.services.put(id.clone(), service);
        self.plan(self.timing.allocate, Due::AllocateService(id.clone()));
        self.plan(self.timing.orchestrate, Due::Orchestrate(id.clone()));
        Ok(id)
    }

    /// Changes a service, or brings its previous spec back.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn update_service(
        &mut self,
        name: &str,
        version: u64,
        request: &Value,
        rollback: bool,
    ) -> Result<(), Refusal> {
        let (spec, written) = self.read_spec(request)?;
        let old = self.find_service(name)?.clone();
        self.check_spec(&spec, &written, Some(&old.id))?;
        if old.meta.version != version {
            return Err(Refusal::out_of_sequence());
        }
        if old.spec.name != spec.name {
            return Err(Refusal::rpc(
                Code::Unimplemented,
                "renaming services is not supported",
            ));
        }
        if matches!(old.spec.mode, Mode::Global) != matches!(spec.mode, Mode::Global) {
            return Err(Refusal::rpc(
                Code::Unimplemented,
                "service mode change is not allowed",
            ));
        }
        if rollback {
            let Some(previous) = old.previous else {
                return Err(Refusal::rpc(
                    Code::FailedPrecondition,
                    &format!("service {} does not have a previous spec", old.id),
                ));
            };
            let status = UpdateStatus {
                state: UpdateState::RollbackStarted,
                started: Some(self.now),
                completed: None,
                message: "manually requested rollback".to_owned(),
            };
            self.set_spec(&old.id, previous, Some(Arc::clone(&old.spec)), Some(status));
        } else {
            check_size([&spec, &*old.spec])?;
            self.set_spec(&old.id, Arc::new(spec), Some(Arc::clone(&old.spec)), None);
        }
        Ok(())
    }

    /// Puts a spec in place of the one that is there, with another to come back to.
    pub(super) fn set_spec(
        &mut self,
        id: &Id,
        spec: Arc<Spec>,
        previous: Option<Arc<Spec>>,
        status: Option<UpdateStatus>,
    ) {
        self.rollouts.remove(id);
        self.edit_service(id, |service, version| {
            service.spec = spec;
            service.previous = previous;
            service.spec_version = version;
            service.update = status;
        });
        self.plan(self.timing.allocate, Due::AllocateService(id.clone()));
        self.plan(self.timing.orchestrate, Due::Orchestrate(id.clone()));
    }

    /// Removes a service; its tasks go later.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn remove_service(&mut self, name: &str) -> Result<(), Refusal> {
        let service = self.find_service(name)?.clone();
        self.services.remove(&service.id);
        self.names.remove(&service.spec.name);
        self.rollouts.remove(&service.id);
        self.restarts.forget(&service.id);
        self.free_vips(&service);
        self.next_index();
        self.tell("service", "remove", &service.id, &service.spec.name, &[]);
        self.plan(self.timing.orchestrate, Due::Orchestrate(service.id));
        Ok(())
    }

    /// Writes a service, and tells what changed of it as the engine does.
    pub(super) fn edit_service(&mut self, id: &Id, edit: impl FnOnce(&mut Service, u64)) {
        let Some(old) = self.services.get(id).cloned() else {
            return;
        };
        let mut new = old.clone();
        new.meta = self.written(old.meta);
        let version = new.meta.version;
        edit(&mut new, version);
        let mut more: Vec<(&str, String)> = Vec::new();
        if let (Mode::Replicated(before), Mode::Replicated(after)) = (old.spec.mode, new.spec.mode)
            && before != after
        {
            more.push(("replicas.new", after.to_string()));
            more.push(("replicas.old", before.to_string()));
        }
        if old.spec.image != new.spec.image {
            more.push(("image.new", new.spec.image.clone()));
            more.push(("image.old", old.spec.image.clone()));
        }
        let state = |service: &Service| service.update.as_ref().map(|update| update.state);
        if state(&old) != state(&new)
            && let Some(state_now) = state(&new)
        {
            more.push(("updatestate.new", state_now.word().to_owned()));
            if let Some(before) = state(&old) {
                more.push(("updatestate.old", before.word().to_owned()));
            }
        }
        let more: Vec<(&str, &str)> = more.iter().map(|(key, value)| (*key, value.as_str())).collect();
        self.tell("service", "update", id, &new.spec.name, &more);
        self.services.put(id.clone(), new);
    }

    pub(super) fn read_spec(&self, request: &Value) -> Result<(Spec, Value), Refusal> {
        let (mut spec, written) = Spec::read(request, |name| self.network_of_spec(name))?;
        if spec.vip && spec.ports.iter().any(Port::is_ingress) {
            let ingress = self.ingress().map(|network| network.id.clone());
            spec.networks.splice(0..0, ingress);
        }
        Ok((spec, written))
    }

    fn network_of_spec(&self, name: &str) -> Result<Id, Refusal> {
        let mut networks = self.networks.iter().map(|(_, network)| network);
        let Some(network) = networks.find(|network| &*network.id == name || network.name == name) else {
            return Err(Refusal::new(500, format!("network {name} not found")));
        };
        if network.name == "none" {
            return Err(Refusal::new(
                404,
                "could not find the corresponding predefined swarm network: network none not found",
            ));
        }
        if network.scope == Scope::Swarm || network.is_predefined() {
            return Ok(network.id.clone());
        }
        Err(Refusal::new(
            403,
            format!(
                "The network {name} cannot be used with services. Only networks scoped to the swarm can be used, such \
                 as those created with the overlay driver."
            ),
        ))
    }

    /// What the managers check: the spec by itself, and then among what there is, of which the service `own` is not
    /// in its way.
    fn check_spec(&self, spec: &Spec, written: &Value, own: Option<&Id>) -> Result<(), Refusal> {
        check(written)?;
        let networks = written
            .pointer("/TaskTemplate/Networks")
            .and_then(Value::as_array);
        let mut targets = networks.into_iter().flatten().map(|network| &network["Target"]);
        if let Some(ingress) = self.ingress()
            && targets.any(|target| *target == *ingress.id)
        {
            return Err(Refusal::invalid(&format!(
                "Service cannot be explicitly attached to the ingress network {:?}",
                ingress.name
            )));
        }
        self.check_ports(spec, own)?;
        self.check_files(spec)
    }

    fn check_files(&self, spec: &Spec) -> Result<(), Refusal> {
        let lists = [
            ("secret", "Secret", &spec.secrets, &self.secrets),
            ("config", "Config", &spec.configs, &self.configs),
        ];
        for (kind, field, ids, table) in lists {
            let missing: Vec<usize> = (0..ids.len())
                .filter(|index| table.get(&ids[*index]).is_none())
                .collect();
            let name = |index: &usize| {
                spec.template
                    .pointer(&format!("/ContainerSpec/{field}s/{index}/{field}Name"))
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            match missing.as_slice() {
                [] => {}
                [one] => return Err(Refusal::invalid(&format!("{kind} not found: {}", name(one)))),
                more => {
                    let names: Vec<&str> = more.iter().map(name).collect();
                    return Err(Refusal::invalid(&format!(
                        "{kind}s not found: {}",
                        names.join(", ")
                    )));
                }
            }
        }
        Ok(())
    }

    /// Whether a task no longer runs what its service says.
    pub(super) fn is_outdated(&self, service: &Service, task: &Task) -> bool {
        if task.spec_version == service.spec_version {
            return false;
        }
        let (wanted, has) = (&service.spec, &task.spec);
        if wanted.endpoint != has.endpoint {
            return true;
        }
        if wanted.template == has.template {
            return false;
        }
        let without = |spec: &Spec| {
            let mut template = spec.template.clone();
            if let Value::Object(template) = &mut template {
                template.shift_remove("Placement");
            }
            template
        };
        if without(wanted) != without(has) {
            return true;
        }
        // Only the placement changed: a task stays where it still fits.
        let node = task.node.as_ref().and_then(|node| self.nodes.get(node));
        !node.is_some_and(|node| wanted.constraints.iter().all(|constraint| constraint.holds(node)))
    }

    pub(super) fn orchestrate_soon(&mut self, service: &Id) {
        self.plan(Duration::ZERO, Due::Orchestrate(service.clone()));
    }

    /// Says of a task how far it should get.
    pub(super) fn desire(&mut self, id: &Id, desired: TaskState) {
        let Some(task) = self.tasks.get(id) else { return };
        if task.desired >= desired && task.desired > TaskState::Ready || task.desired == desired {
            return;
        }
        self.edit_task(id, |task| task.desired = desired);
        if desired > TaskState::Running {
            self.wind_down(id);
        }
    }
}

/// Refuses what is too large for one message between managers: a service goes with its previous spec.
fn check_size<'a>(specs: impl IntoIterator<Item = &'a Spec>) -> Result<(), Refusal> {
    const MESSAGE_MAX: usize = 3 << 19;
    let size: usize = specs.into_iter().map(|spec| spec.json.len()).sum();
    if size > MESSAGE_MAX {
        return Err(Refusal::rpc(
            Code::Unknown,
            "raft: raft message is too large and can't be sent",
        ));
    }
    Ok(())
}
