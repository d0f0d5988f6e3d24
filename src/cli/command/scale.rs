//! `whoosh scale`: changes the number of agents of a role, or of the roles that do not say their own.

use serde_json::{Map, Value, json};

use crate::cli::change::change;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::{object, target};
use crate::resource::{Kind, nearest};

/// Arguments of `scale`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Three reviewers
  whoosh scale team/payments --role reviewer --replicas 3

  # Two agents for every role that does not say its own number
  whoosh scale team payments --replicas 2

  # Only if nobody scaled it meanwhile
  whoosh scale team/payments --role reviewer --current-replicas 2 --replicas 3")]
pub struct ScaleArgs {
    /// A team or council, as KIND/NAME or KIND NAME
    #[arg(value_name = "OBJECT", required = true, num_args = 1..=2, add = complete::objects())]
    what: Vec<String>,
    /// How many agents there are to be
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    replicas: i64,
    /// The role that is scaled; without it, the roles that do not say their own number
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// Scale only if the number is this one now; -1 does not look
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    current_replicas: Option<i64>,
}

pub(crate) async fn run(ctx: &Context, args: &ScaleArgs) -> Result<Outcome, CliError> {
    let (kind, name) = target::parse_one(&args.what)?;
    let key = ctx.key(kind, &name)?;
    let patch = |live: &Value| {
        let spec = scaled(&live["spec"], kind, args).map_err(CliError::Failed)?;
        Ok(Some(json!({"spec": spec})))
    };
    change(ctx, &key, false, patch).await?;
    ctx.print(&format!("{} scaled\n", object::slashed(&key)))?;
    Ok(Outcome::Done)
}

/// The part of the spec that changes.
fn scaled(spec: &Value, kind: Kind, args: &ScaleArgs) -> Result<Value, String> {
    if !kind.owns_agents() {
        return Err(format!(
            "{} has no agents of its own to scale",
            kind.with_article()
        ));
    }
    let base = spec["replicas"].as_u64().unwrap_or(1);
    let Some(role) = &args.role else {
        return scale_all(spec, kind, base, args);
    };
    let mut roles = spec["roles"].as_array().cloned().unwrap_or_default();
    let position = roles.iter().position(|entry| entry["name"] == role.as_str());
    let current = position
        .and_then(|at| roles[at]["replicas"].as_u64())
        .unwrap_or(base);
    match position {
        Some(at) => roles[at]["replicas"] = args.replicas.into(),
        // A council's roles need an entry only where they differ.
        None if kind == Kind::Council => roles.push(json!({"name": role, "replicas": args.replicas})),
        None => {
            let names = roles.iter().filter_map(|entry| entry["name"].as_str());
            let known: Vec<&str> = names.clone().collect();
            return Err(format!(
                "there is no role \"{role}\"{}; the roles are {}",
                nearest::hint(role, names),
                known.join(", ")
            ));
        }
    }
    check_current(current, args)?;
    Ok(json!({"roles": roles}))
}

fn scale_all(spec: &Value, kind: Kind, current: u64, args: &ScaleArgs) -> Result<Value, String> {
    if kind == Kind::Council {
        return Err("a council is scaled by role: name one with --role".to_owned());
    }
    let own_number = |role: &Value| {
        role.as_object()
            .is_some_and(|role: &Map<_, _>| role.contains_key("replicas"))
    };
    if spec["roles"]
        .as_array()
        .is_some_and(|roles| roles.iter().all(own_number))
    {
        return Err("every role says its own number: name the one to scale with --role".to_owned());
    }
    check_current(current, args)?;
    Ok(json!({"replicas": args.replicas}))
}

fn check_current(current: u64, args: &ScaleArgs) -> Result<(), String> {
    match args.current_replicas {
        Some(expected) if expected >= 0 && expected.cast_unsigned() != current => Err(format!(
            "there are {current} agents declared, not {expected}; nothing was changed"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        kind: Kind,
        spec: Value,
        role: Option<&str>,
        current: Option<i64>,
        expected: Result<Value, &str>,
    ) {
        let args = ScaleArgs {
            what: Vec::new(),
            replicas: 3,
            role: role.map(str::to_owned),
            current_replicas: current,
        };
        match (scaled(&spec, kind, &args), expected) {
            (Ok(patch), Ok(expected)) => assert_eq!(patch, expected),
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
            (outcome, expected) => panic!("{outcome:?} is not {expected:?}"),
        }
    }

    #[test]
    fn a_role_or_the_rest_is_scaled() {
        let team = json!({"roles": [{"name": "a", "replicas": 2, "template": "t"}, {"name": "b"}]});
        check(
            Kind::Team,
            team.clone(),
            Some("a"),
            Some(2),
            Ok(json!({"roles": [{"name": "a", "replicas": 3, "template": "t"}, {"name": "b"}]})),
        );
        check(
            Kind::Team,
            team.clone(),
            None,
            Some(1),
            Ok(json!({"replicas": 3})),
        );
        check(
            Kind::Team,
            team.clone(),
            Some("b"),
            Some(7),
            Err("there are 1 agents declared, not 7"),
        );
        check(
            Kind::Team,
            team,
            Some("bb"),
            None,
            Err("there is no role \"bb\" (did you mean \"b\"?)"),
        );
        let full = json!({"roles": [{"name": "a", "replicas": 0}]});
        check(
            Kind::Team,
            full,
            None,
            None,
            Err("name the one to scale with --role"),
        );
        check(
            Kind::Council,
            json!({}),
            Some("quality-lead"),
            None,
            Ok(json!({"roles": [{"name": "quality-lead", "replicas": 3}]})),
        );
        check(Kind::Council, json!({}), None, None, Err("by role"));
        check(
            Kind::AgentTemplate,
            json!({}),
            None,
            None,
            Err("no agents of its own"),
        );
    }
}
