//! The rules for single texts. Each says what is wrong and how it is right.

use super::super::image::ImageRef;
use super::super::names::ENGINE_NETWORKS;
use super::super::nearest;
use super::super::policy::bare_capability;
use super::super::schema::quoted;

/// Linux' capabilities (`capabilities(7)`), without `CAP_`.
const CAPABILITIES: [&str; 41] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];
/// The longest DNS-1123 label, and the longest name in a label key or value.
const LABEL_MAX: usize = 63;
/// The length of the ids that a Swarm gives.
const ENGINE_ID: usize = 25;
/// What one environment variable may hold on Linux, a little less than `MAX_ARG_STRLEN`.
const VARIABLE_MAX: usize = 128_000;

/// What a rule finds: nothing, or a message.
pub(super) type Checked = Result<(), String>;

pub(super) fn check(holds: bool, message: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(message()) }
}

fn is_word(text: &str, first: fn(char) -> bool, rest: fn(char) -> bool) -> bool {
    text.starts_with(first) && text.chars().all(rest)
}

fn is_alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

fn is_label_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

fn is_dns_label(text: &str) -> bool {
    let ends = |c: char| is_label_char(c) && c != '-';
    text.len() <= LABEL_MAX
        && text.starts_with(ends)
        && text.ends_with(ends)
        && text.chars().all(is_label_char)
}

/// A DNS-1123 label: names of objects, namespaces and roles.
pub fn dns_label(text: &str) -> Result<(), String> {
    check(is_dns_label(text), || {
        let count = text.chars().count();
        let length = if count > LABEL_MAX {
            format!(" ({count} characters)")
        } else {
            String::new()
        };
        let hint = suggestion(text)
            .map(|name| format!("; try \"{name}\""))
            .unwrap_or_default();
        format!(
            "must be a DNS label, got {}{length}: at most {LABEL_MAX} of a-z, 0-9 and \"-\", with a letter or \
             digit at both ends{hint}",
            quoted(text)
        )
    })
}

/// The label nearest in form to `text`; `None` when nothing of it fits.
fn suggestion(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let fitted: String = lower
        .chars()
        .map(|c| if is_label_char(c) { c } else { '-' })
        .collect();
    let words: Vec<&str> = fitted.split('-').filter(|word| !word.is_empty()).collect();
    let head: String = words.join("-").chars().take(LABEL_MAX).collect();
    Some(head.trim_end_matches('-').to_owned()).filter(|label| is_dns_label(label))
}

/// The part of a label key after its prefix, or a label's value.
fn is_qualified(text: &str) -> bool {
    text.len() <= LABEL_MAX
        && text.starts_with(is_alphanumeric)
        && text.ends_with(is_alphanumeric)
        && text.chars().all(is_name)
}

/// A label or annotation key: `name` or `prefix.example/name`.
pub(in crate::resource) fn label_key(text: &str) -> Checked {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let domain = |prefix: &str| prefix.len() <= 253 && prefix.split('.').all(is_dns_label);
    check(prefix.is_none_or(domain) && is_qualified(name), || {
        format!(
            "the key {} must be a name of at most {LABEL_MAX} letters, digits, \"-\", \"_\" and \".\", perhaps after \
             a DNS name and \"/\", as in \"app\" or \"example.com/app\"",
            quoted(text)
        )
    })
}

/// A label's value.
pub(in crate::resource) fn label_value(text: &str) -> Checked {
    check(text.is_empty() || is_qualified(text), || {
        format!(
            "the value {} must be empty or at most {LABEL_MAX} letters, digits, \"-\", \"_\" and \".\", with a \
             letter or digit at both ends",
            quoted(text)
        )
    })
}

/// Any text that says something.
pub(super) fn present(text: &str) -> Checked {
    check(!text.trim().is_empty(), || "must not be empty".to_owned())
}

/// A text that an environment variable carries.
pub(super) fn variable(text: &str) -> Checked {
    check(text.len() <= VARIABLE_MAX, || {
        format!(
            "has {} bytes; an environment variable carries it, which holds at most {VARIABLE_MAX}",
            text.len()
        )
    })
}

/// A word that travels in a list parted by commas.
pub(super) fn listed(text: &str) -> Checked {
    present(text)?;
    check(!text.contains(',') && !text.contains(char::is_control), || {
        format!("must be one word or phrase without commas, got {}", quoted(text))
    })
}

/// A text on one line.
pub(super) fn line(text: &str) -> Checked {
    present(text)?;
    variable(text)?;
    check(!text.contains(char::is_control), || {
        "must be a single line".to_owned()
    })
}

/// A web address.
pub(super) fn url(text: &str) -> Checked {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest
        .and_then(|rest| rest.split(['/', '?', '#']).next())
        .unwrap_or_default();
    let clean = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    check(!host.is_empty() && clean, || {
        format!(
            "must be a web address like \"https://git.example/acme/payments/issues/42\", got {}",
            quoted(text)
        )
    })?;
    variable(text)
}

/// An image reference: `[registry[:port]/]name[:tag][@digest]`.
pub(super) fn image(text: &str) -> Checked {
    check(ImageRef::new(text).is_valid(), || {
        let lower = text.to_lowercase();
        let hint = if ImageRef::new(&lower).is_valid() {
            format!("; try \"{lower}\"")
        } else {
            String::new()
        };
        format!(
            "{} is not an image reference: write it like \"chorus-agent:dev\" or \"registry.example/team/agent:1.2\"{hint}",
            quoted(text)
        )
    })
}

/// The name of an environment variable.
pub(super) fn env_name(text: &str) -> Checked {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    check(is_word(text, first, rest), || {
        format!(
            "must be a name like \"RUST_LOG\": letters, digits, \"_\", \"-\" and \".\", not starting with a digit, got {}",
            quoted(text)
        )
    })
}

/// An absolute path in the container, without detours.
pub(super) fn absolute_path(text: &str) -> Checked {
    let clean = |part: &str| !part.is_empty() && part != "." && part != "..";
    let inside = text.strip_prefix('/').filter(|rest| rest.split('/').all(clean));
    // To the engine, `{{` begins a template, and a path that it expands is another one.
    let is_plain = !text.contains(char::is_control) && !text.contains("{{");
    check(inside.is_some() && is_plain, || {
        format!(
            "must be an absolute path like \"/var/cache/agent\", without \".\", \"..\", doubled or trailing \"/\", got {}",
            quoted(text)
        )
    })
}

/// The name of a file in a folder.
pub(super) fn file_name(text: &str) -> Checked {
    check(
        text.len() <= LABEL_MAX && is_word(text, is_alphanumeric, is_name),
        || {
            format!(
                "must be a file name of at most {LABEL_MAX} letters, digits, \"-\", \"_\" and \".\", starting with a \
             letter or digit, got {}",
                quoted(text)
            )
        },
    )
}

/// Where a secret's file goes: a name in `/run/secrets`, or an absolute path.
pub(super) fn secret_path(text: &str) -> Checked {
    if text.starts_with('/') {
        absolute_path(text)
    } else {
        file_name(text)
    }
}

/// The name of a volume.
pub(super) fn volume(text: &str) -> Checked {
    if text.starts_with(['/', '.', '~']) {
        return Err(format!(
            "must be the name of a volume, got the path {}: a path of the node is mounted with `type: bind`, where a \
             Policy allows it",
            quoted(text)
        ));
    }
    check(text.len() >= 2 && is_word(text, is_alphanumeric, is_name), || {
        format!(
            "must be the name of a volume, like \"agent-cache\", got {}",
            quoted(text)
        )
    })
}

/// A Linux capability, with or without `CAP_`.
pub(super) fn capability(text: &str) -> Checked {
    let bare = bare_capability(text);
    check(CAPABILITIES.contains(&bare.as_str()), || {
        let hint = nearest::hint(&bare, CAPABILITIES);
        format!("{} is no Linux capability{hint}", quoted(text))
    })
}

/// A kernel parameter's name.
pub(super) fn sysctl(text: &str) -> Checked {
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| is_name(c) && c != '.');
    check(text.contains('.') && text.split('.').all(is_part), || {
        format!(
            "must be a kernel parameter's name, like \"net.core.somaxconn\", got {}",
            quoted(text)
        )
    })
}

/// The name of an overlay network.
pub(super) fn network(text: &str) -> Checked {
    if ENGINE_NETWORKS.contains(&text) {
        return Err(format!(
            "\"{text}\" is the engine's own network; name an overlay network, like \"chorus_net\""
        ));
    }
    let is_id_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if text.len() == ENGINE_ID && text.chars().all(is_id_char) {
        return Err(format!(
            "{} is what the engine takes for a network's id; name the network, like \"chorus_net\"",
            quoted(text)
        ));
    }
    check(
        text.len() <= LABEL_MAX && is_word(text, is_alphanumeric, is_name),
        || {
            format!(
                "must be a network's name: at most {LABEL_MAX} letters, digits, \"-\", \"_\" and \".\", starting with a \
             letter or digit, got {}",
                quoted(text)
            )
        },
    )
}

/// A user, or `user:group`, by name or number.
pub(super) fn user(text: &str) -> Checked {
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let part = |part: &str| part.len() <= LABEL_MAX && is_word(part, first, is_name);
    let parts: Vec<&str> = text.split(':').collect();
    check(parts.len() <= 2 && parts.into_iter().all(part), || {
        format!(
            "must be a user or user:group, like \"65532:65532\" or \"agent\", got {}",
            quoted(text)
        )
    })
}

const NODE_FACTS: [&str; 6] = [
    "node.id",
    "node.hostname",
    "node.ip",
    "node.role",
    "node.platform.os",
    "node.platform.arch",
];
const LABEL_FACTS: [&str; 2] = ["node.labels", "engine.labels"];

/// A placement constraint: `key==value` or `key!=value`.
pub(super) fn constraint(text: &str) -> Checked {
    let Some((key, value)) = text.split_once("==").or_else(|| text.split_once("!=")) else {
        let hint = match text.split_once('=') {
            Some((key, value)) => format!("; try \"{}=={}\"", key.trim(), value.trim()),
            None => String::new(),
        };
        return Err(format!(
            "must be \"key==value\" or \"key!=value\", got {}{hint}",
            quoted(text)
        ));
    };
    let (key, value) = (key.trim(), value.trim());
    node_fact(key)?;
    if key == "node.role" && value != "manager" && value != "worker" {
        let hint = nearest::hint(value, ["manager", "worker"]);
        return Err(format!(
            "node.role is \"manager\" or \"worker\", got {}{hint}",
            quoted(value)
        ));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || " :-_.*()?+[]\\^$|/".contains(c);
    check(!value.is_empty() && value.chars().all(fits), || {
        format!("{} is no value that a node can be compared with", quoted(value))
    })
}

/// A preference: a node label to spread over.
pub(super) fn preference(text: &str) -> Checked {
    check(label_fact(text), || {
        let hint = nearest::did_you_mean(near_label(text).as_deref());
        format!(
            "must be a node label to spread over, like \"node.labels.zone\", got {}{hint}",
            quoted(text)
        )
    })
}

fn node_fact(key: &str) -> Checked {
    check(NODE_FACTS.contains(&key) || label_fact(key), || {
        let near = nearest::nearest(key, NODE_FACTS)
            .map(str::to_owned)
            .or_else(|| near_label(key));
        let hint = nearest::did_you_mean(near.as_deref());
        format!(
            "{} is nothing that is known of a node{hint}: use {}, node.labels.NAME or engine.labels.NAME",
            quoted(key),
            NODE_FACTS.join(", ")
        )
    })
}

fn label_fact(key: &str) -> bool {
    let name = LABEL_FACTS
        .iter()
        .find_map(|fact| key.strip_prefix(fact)?.strip_prefix('.'));
    name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| is_name(c) || c == '/'))
}

/// `node.labels.gpu` for `node.label.gpu`.
fn near_label(key: &str) -> Option<String> {
    let (second, _) = key.match_indices('.').nth(1)?;
    let near = nearest::nearest(&key[..second], LABEL_FACTS)?;
    Some(format!("{near}{}", &key[second..])).filter(|fact| label_fact(fact))
}
