//! What only shows when a file's objects are seen together: roles merged with the templates that come along.

use std::collections::BTreeMap;

use super::{Located, Problem};
use crate::resource::Object;
use crate::resource::lower::{self, Endpoints, Templates};
use crate::resource::policy::Rules;

/// Every problem of a merged spec. Templates that are not among the objects are not missed here.
pub(super) fn problems(objects: &[Located<Object>]) -> Vec<Problem> {
    let mut templates: BTreeMap<&str, Templates> = BTreeMap::new();
    for object in objects.iter().map(|located| &located.value) {
        if !object.kind.owns_agents() {
            let shelf = templates.entry(object.namespace()).or_default();
            shelf.extend(lower::template(object));
        }
    }
    let none = Templates::new();
    let owners = objects.iter().filter(|located| located.value.kind.owns_agents());
    owners
        .flat_map(|owner| {
            let templates = templates.get(owner.value.namespace()).unwrap_or(&none);
            let lowered = lower::lower(&owner.value, templates, &Endpoints::default(), &Rules::unknown());
            let causes = lowered.err().map(|invalid| invalid.causes).unwrap_or_default();
            causes.into_iter().map(|cause| owner.problem(cause))
        })
        .collect()
}
