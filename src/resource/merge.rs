//! Agent blocks over one another: template, then the spec's defaults, then the role's own.

use super::agent_spec::{
    AgentSpec, ConfigFile, EnvVar, HealthCheck, HostAccess, HostPort, Mount, Placement, ResourceList,
    Resources, SecretFile, Sysctl,
};

/// Merges blocks, the strongest last.
///
/// Plain values and lists replace. `env`, `secrets`, `configs` (by name) and `mounts` (by target) merge by
/// their key: a later entry takes the place of the earlier one. `resources`, `healthCheck`, `placement` and `host`
/// merge field by field.
pub fn all(layers: &[&AgentSpec]) -> AgentSpec {
    layers
        .iter()
        .fold(AgentSpec::default(), |under, over| agent(under, (*over).clone()))
}

fn agent(under: AgentSpec, over: AgentSpec) -> AgentSpec {
    let AgentSpec {
        image,
        command,
        args,
        env,
        capabilities,
        expertise,
        model,
        system_prompt,
        resources,
        mounts,
        secrets,
        configs,
        health_check,
        placement,
        stop_grace_period,
        user,
        networks,
        host,
    } = over;
    AgentSpec {
        image: image.or(under.image),
        command: command.or(under.command),
        args: args.or(under.args),
        env: by_key(under.env, env, |variable: &EnvVar| &variable.name),
        capabilities: capabilities.or(under.capabilities),
        expertise: expertise.or(under.expertise),
        model: model.or(under.model),
        system_prompt: system_prompt.or(under.system_prompt),
        resources: both(under.resources, resources, merge_resources),
        mounts: by_key(under.mounts, mounts, |mount: &Mount| &mount.target),
        secrets: by_key(under.secrets, secrets, |secret: &SecretFile| &secret.name),
        configs: by_key(under.configs, configs, |config: &ConfigFile| &config.name),
        health_check: both(under.health_check, health_check, merge_health_check),
        placement: both(under.placement, placement, merge_placement),
        stop_grace_period: stop_grace_period.or(under.stop_grace_period),
        user: user.or(under.user),
        networks: networks.or(under.networks),
        host: both(under.host, host, merge_host),
    }
}

fn both<T>(under: Option<T>, over: Option<T>, merge: impl FnOnce(T, T) -> T) -> Option<T> {
    match (under, over) {
        (Some(under), Some(over)) => Some(merge(under, over)),
        (under, over) => over.or(under),
    }
}

fn by_key<T, K: PartialEq>(under: Option<Vec<T>>, over: Option<Vec<T>>, key: fn(&T) -> &K) -> Option<Vec<T>> {
    by(under, over, |one, other| key(one) == key(other))
}

fn by<T>(under: Option<Vec<T>>, over: Option<Vec<T>>, same: impl Fn(&T, &T) -> bool) -> Option<Vec<T>> {
    both(under, over, |mut merged, over| {
        for item in over {
            match merged.iter_mut().find(|old| same(old, &item)) {
                Some(old) => *old = item,
                None => merged.push(item),
            }
        }
        merged
    })
}

fn merge_resources(under: Resources, over: Resources) -> Resources {
    let Resources { limits, requests } = over;
    Resources {
        limits: merge_list(under.limits, limits),
        requests: merge_list(under.requests, requests),
    }
}

fn merge_list(under: ResourceList, over: ResourceList) -> ResourceList {
    let ResourceList { cpu, memory } = over;
    ResourceList {
        cpu: cpu.or(under.cpu),
        memory: memory.or(under.memory),
    }
}

fn merge_health_check(under: HealthCheck, over: HealthCheck) -> HealthCheck {
    let HealthCheck {
        command,
        interval,
        timeout,
        start_period,
        retries,
    } = over;
    HealthCheck {
        command: command.or(under.command),
        interval: interval.or(under.interval),
        timeout: timeout.or(under.timeout),
        start_period: start_period.or(under.start_period),
        retries: retries.or(under.retries),
    }
}

fn merge_placement(under: Placement, over: Placement) -> Placement {
    let Placement {
        constraints,
        preferences,
    } = over;
    Placement {
        constraints: constraints.or(under.constraints),
        preferences: preferences.or(under.preferences),
    }
}

fn merge_host(under: HostAccess, over: HostAccess) -> HostAccess {
    let HostAccess {
        capabilities,
        sysctls,
        ports,
    } = over;
    HostAccess {
        capabilities: capabilities.or(under.capabilities),
        sysctls: by_key(under.sysctls, sysctls, |sysctl: &Sysctl| &sysctl.name),
        ports: by(under.ports, ports, |one: &HostPort, other| {
            (one.port, one.protocol) == (other.port, other.protocol)
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(layers: &[Value], merged: Value) {
        let layers: Vec<AgentSpec> = layers
            .iter()
            .map(|layer| serde_json::from_value(layer.clone()).unwrap())
            .collect();
        let result = all(&layers.iter().collect::<Vec<_>>());
        assert_eq!(serde_json::to_value(result).unwrap(), merged, "{layers:?}");
    }

    #[test]
    fn plain_values_and_lists_are_replaced() {
        check(&[], json!({}));
        check(
            &[
                json!({"image": "template:1", "args": ["a", "b"], "model": "small", "user": "1"}),
                json!({"image": "defaults:1", "stopGracePeriod": "5s", "networks": ["a"]}),
                json!({"args": ["c"], "user": "2", "networks": []}),
            ],
            json!({
                "image": "defaults:1", "args": ["c"], "model": "small", "user": "2",
                "stopGracePeriod": "5s", "networks": []
            }),
        );
    }

    #[test]
    fn named_things_are_merged_by_name() {
        check(
            &[
                json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}),
                json!({"env": [{"name": "C", "value": "2"}, {"name": "A", "value": "2"}]}),
            ],
            json!({"env": [{"name": "A", "value": "2"}, {"name": "B", "value": "1"}, {"name": "C", "value": "2"}]}),
        );
        check(
            &[
                json!({"mounts": [{"target": "/a", "type": "volume", "source": "one"}], "secrets": [{"name": "s"}]}),
                json!({"mounts": [{"target": "/a", "type": "tmpfs"}], "secrets": [{"name": "t"}]}),
            ],
            json!({"mounts": [{"target": "/a", "type": "tmpfs"}], "secrets": [{"name": "s"}, {"name": "t"}]}),
        );
        check(
            &[
                json!({"configs": [{"name": "c", "path": "/c", "data": "old"}]}),
                json!({"configs": [{"name": "c", "data": "new"}]}),
            ],
            json!({"configs": [{"name": "c", "data": "new"}]}),
        );
    }

    #[test]
    fn blocks_are_merged_field_by_field() {
        check(
            &[
                json!({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}}}),
                json!({"resources": {"limits": {"cpu": "2"}, "requests": {"memory": "64Mi"}}}),
            ],
            json!({"resources": {
                "limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "64Mi"}
            }}),
        );
        check(
            &[
                json!({
                    "healthCheck": {"command": ["check"], "interval": "10s"},
                    "placement": {"constraints": ["node.role==worker"], "preferences": ["node.labels.zone"]}
                }),
                json!({"healthCheck": {"interval": "1s", "retries": 2}, "placement": {"constraints": []}}),
            ],
            json!({
                "healthCheck": {"command": ["check"], "interval": "1s", "retries": 2},
                "placement": {"constraints": [], "preferences": ["node.labels.zone"]}
            }),
        );
        check(
            &[
                json!({"host": {"capabilities": ["NET_RAW"], "ports": [{"port": 80}, {"port": 81}]}}),
                json!({"host": {
                    "sysctls": [{"name": "a.b", "value": "1"}],
                    "ports": [{"port": 80, "target": 8080}, {"port": 81, "protocol": "udp"}],
                }}),
            ],
            json!({"host": {
                "capabilities": ["NET_RAW"],
                "sysctls": [{"name": "a.b", "value": "1"}],
                "ports": [
                    {"port": 80, "target": 8080, "protocol": "tcp"}, {"port": 81, "protocol": "tcp"},
                    {"port": 81, "protocol": "udp"},
                ]
            }}),
        );
    }
}
