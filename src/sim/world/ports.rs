//! Published ports: who has them, and which the managers choose.

use std::ops::RangeInclusive;

use super::World;
use super::model::{Id, Port, Service};
use super::refusal::Refusal;
use super::spec::Spec;

/// From where the managers choose.
const CHOSEN: RangeInclusive<u32> = 30_000..=32_767;

impl World {
    /// Gives a service its ports, and its addresses.
    pub(super) fn allocate_service(&mut self, id: &Id) {
        let Some(service) = self.services.get(id).cloned() else {
            return;
        };
        let (vips, ports) = (self.give_vips(&service), self.give_ports(&service));
        if (&vips, &ports) != (&service.vips, &service.ports) {
            self.edit_service(id, |service, _| (service.vips, service.ports) = (vips, ports));
        }
    }

    /// Those that it has stay while it asks for the same.
    fn give_ports(&mut self, service: &Service) -> Vec<Port> {
        let asked = &service.spec.ports;
        let pairs = || asked.iter().zip(&service.ports);
        if asked.len() == service.ports.len() && pairs().all(|(asked, port)| port.is_as(asked)) {
            return service.ports.clone();
        }
        let mut given = asked.clone();
        for port in given
            .iter_mut()
            .filter(|port| port.is_ingress() && port.published == 0)
        {
            port.published = self.choose_port(port.protocol);
        }
        given
    }

    /// On from the last one, so that a port is not given again at once; 0 when all are taken.
    fn choose_port(&mut self, protocol: &'static str) -> u32 {
        let last = self.chosen_ports.get(protocol).copied();
        let next = last.map_or(*CHOSEN.start(), |last| last + 1);
        let mut candidates = (next..=*CHOSEN.end()).chain(CHOSEN);
        let is_taken = |number: u32| {
            let mut ports = self.services.iter().flat_map(|(_, service)| published(service));
            ports.any(|port| (port.protocol, port.published) == (protocol, number))
        };
        let chosen = candidates.find(|number| !is_taken(*number));
        self.chosen_ports.extend(chosen.map(|chosen| (protocol, chosen)));
        chosen.unwrap_or_default()
    }

    /// Refuses ports that other services than `own` have.
    ///
    /// # Errors
    /// The managers' complaint.
    pub(super) fn check_ports(&self, spec: &Spec, own: Option<&Id>) -> Result<(), Refusal> {
        for port in spec.ports.iter().filter(|port| port.published != 0) {
            let clashes = |other: &&Port| {
                (other.protocol, other.published) == (port.protocol, port.published)
                    && (other.is_ingress() || port.is_ingress())
            };
            let others = self.services.iter().filter(|(id, _)| Some(*id) != own);
            let found = others
                .filter_map(|(_, other)| Some((other, published(other).find(clashes)?)))
                .next();
            if let Some((other, clash)) = found {
                let kind = if clash.is_ingress() {
                    "an ingress"
                } else {
                    "a host-published"
                };
                return Err(Refusal::invalid(&format!(
                    "port '{}' is already in use by service '{}' ({}) as {kind} port",
                    port.published, other.spec.name, other.id
                )));
            }
        }
        Ok(())
    }
}

/// The ports of a service: those that it has, and those that it asks for.
fn published(service: &Service) -> impl Iterator<Item = &Port> {
    service.spec.ports.iter().chain(&service.ports)
}
