//! The wait for changes of AgentTemplates: their users' generations do not move with them.

use serde::Deserialize;
use serde_json::Value;

use super::condition::Verdict;
use super::object;
use crate::resource::kinds::TemplateStatus;
use crate::resource::lower;

/// A state of an AgentTemplate.
#[derive(Clone, Debug)]
pub(super) struct SeenTemplate {
    namespace: String,
    state: TemplateStatus,
}

impl SeenTemplate {
    /// That of a template as it was read.
    pub(super) fn of(template: &Value) -> Self {
        Self {
            namespace: object::namespace(template).to_owned(),
            state: TemplateStatus {
                name: object::name(template).to_owned(),
                uid: object::text(template, "/metadata/uid").to_owned(),
                observed_generation: object::generation(template),
            },
        }
    }

    /// Its namespace.
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whether roles of the object start from it.
    pub(super) fn is_used_by(&self, object: &Value) -> bool {
        self.namespace == object::namespace(object)
            && lower::template_names(&object["spec"]).contains(&self.state.name)
    }
}

/// A later generation of a template will do, too.
pub(super) fn judge_templates(seen: &[SeenTemplate], object: &Value) -> Verdict {
    let outdated = |seen: &SeenTemplate| {
        let templates = object.pointer("/status/templates").and_then(Value::as_array);
        let mut templates = templates.into_iter().flatten();
        !templates.any(|status| {
            TemplateStatus::deserialize(status).is_ok_and(|status| {
                (&status.name, &status.uid) == (&seen.state.name, &seen.state.uid)
                    && status.observed_generation >= seen.state.observed_generation
            })
        })
    };
    match seen
        .iter()
        .filter(|seen| seen.is_used_by(object))
        .find(|seen| outdated(seen))
    {
        None => Verdict::Met,
        Some(SeenTemplate { state, .. }) => Verdict::Waiting(format!(
            "the operator has not looked at generation {} of agenttemplate/{} yet",
            state.observed_generation, state.name
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_user_is_waited_for_until_its_status_speaks_of_the_template_as_it_was_applied() {
        let seen = SeenTemplate::of(&json!({
            "metadata": {"name": "small", "namespace": "default", "uid": "u2", "generation": 3},
        }));
        let team = |template: &str, templates: Value| {
            json!({
                "metadata": {"name": "payments", "namespace": "default"},
                "spec": {"roles": [{"name": "dev", "template": template}]},
                "status": {"templates": templates},
            })
        };
        let status = |uid: &str, generation: i64| json!([{"name": "small", "uid": uid, "observedGeneration": generation}]);
        let waiting = Verdict::Waiting(
            "the operator has not looked at generation 3 of agenttemplate/small yet".to_owned(),
        );
        for (object, expected) in [
            (team("small", status("u2", 3)), &Verdict::Met),
            (team("small", status("u2", 4)), &Verdict::Met),
            (team("large", json!([])), &Verdict::Met),
            (team("small", status("u2", 2)), &waiting),
            (team("small", status("u1", 9)), &waiting),
            (team("small", json!([])), &waiting),
        ] {
            assert_eq!(
                &judge_templates(std::slice::from_ref(&seen), &object),
                expected,
                "{object}"
            );
        }
    }
}
