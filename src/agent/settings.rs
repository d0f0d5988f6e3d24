//! All that an agent takes from its environment.

use std::time::Duration;

use jiff::SignedDuration;

use crate::bus::{ClusterId, Servers, ServersError, Subjects};
use crate::resource::env;

use super::environment::{Environment, EnvironmentError, Reader};
use super::identity::Identity;

/// The port of `/health` and `/ready` where nothing else is said.
pub const DEFAULT_PORT: u16 = 8080;

const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(10);
const DEFAULT_STOP_GRACE: Duration = Duration::from_secs(10);

/// Who an agent is and how it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who it is.
    pub identity: Identity,
    /// Where it answers health checks; 0 picks a free port and logs it.
    pub port: u16,
    /// How long it may take to stop before it is killed.
    pub stop_grace: Duration,
    /// How often it reports while no beats arrive.
    pub heartbeat: Duration,
    /// Where it reports to, if anywhere.
    pub bus: Option<BusSettings>,
}

/// Where an agent reports to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusSettings {
    /// The NATS servers.
    pub servers: Servers,
    /// Whose beats it follows.
    pub cluster: ClusterId,
    /// Below which subjects.
    pub subjects: Subjects,
}

impl Settings {
    /// Reads the settings from environment variables (names: [`crate::resource::env`]).
    ///
    /// # Errors
    /// Every problem at once; no message holds a credential.
    pub fn from_environment(environment: &Environment) -> Result<Self, EnvironmentError> {
        let mut reader = Reader::new(environment);
        let identity = Identity::read(&mut reader);
        let port = reader.parsed(env::AGENT_PORT, port).unwrap_or(DEFAULT_PORT);
        let stop_grace = reader
            .parsed(env::STOP_GRACE, |text| duration(text, SignedDuration::ZERO))
            .unwrap_or(DEFAULT_STOP_GRACE);
        let heartbeat = reader
            .parsed(env::HEARTBEAT_INTERVAL, |text| {
                duration(text, SignedDuration::from_millis(100))
            })
            .unwrap_or(DEFAULT_HEARTBEAT);
        let bus = BusSettings::read(&mut reader);
        reader.finish(identity.map(|identity| Self {
            identity,
            port,
            stop_grace,
            heartbeat,
            bus,
        }))
    }
}

impl BusSettings {
    /// `None` without servers, or after a problem that `reader` keeps.
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let servers = reader.secret(env::NATS_URL, env::NATS_URL_FILE, |list| {
            list.parse()
                .map_err(|problem: ServersError| format!("is refused: {problem}"))
        });
        let cluster = reader
            .parsed(env::BACKBEAT_CLUSTER_ID, str::parse)
            .unwrap_or_default();
        let subjects = reader
            .parsed(env::BACKBEAT_PREFIX, Subjects::with_prefix)
            .unwrap_or_default();
        Some(Self {
            servers: servers?,
            cluster,
            subjects,
        })
    }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("is {text:?}, expected a port from 1 to 65535"))
}

fn duration(text: &str, least: SignedDuration) -> Result<Duration, String> {
    let parsed = text
        .parse::<SignedDuration>()
        .ok()
        .filter(|duration| *duration >= least);
    parsed
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| {
            format!("is {text:?}, expected a duration of at least {least:#}, such as 10s or 1m30s")
        })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Environment, Settings};

    fn environment(changes: &[(&str, &str)]) -> Environment {
        let base = [
            ("CHORUS_AGENT_NAME", "team_default_payments_reviewer_2"),
            ("CHORUS_ROLE", "reviewer"),
            ("CHORUS_SLOT", "2"),
        ];
        let all = base.iter().chain(changes);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn three_variables_make_an_agent() {
        let settings = Settings::from_environment(&environment(&[])).unwrap();
        assert_eq!(settings.identity.id.as_str(), "team_default_payments_reviewer_2");
        assert_eq!((settings.port, settings.bus), (8080, None));
        assert_eq!(settings.stop_grace, Duration::from_secs(10));
        assert_eq!(settings.heartbeat, Duration::from_secs(10));
        assert!(!settings.identity.coordinated);
    }

    #[test]
    fn every_variable_finds_its_place() {
        let settings = Settings::from_environment(&environment(&[
            ("CHORUS_AGENT_ID", "payments:reviewer-2"),
            ("CHORUS_OWNER_UID", "6f1c"),
            ("CHORUS_TEAM_ID", "payments"),
            ("CHORUS_PROJECT", "acme/payments"),
            ("CHORUS_TASK_ID", "42"),
            ("CHORUS_TASK_TITLE", "Make refunds idempotent"),
            (
                "CHORUS_TASK_DESC",
                "first line
second line",
            ),
            ("CHORUS_PRIORITY", "high"),
            (
                "CHORUS_EXTERNAL_URL",
                "https://git.example/acme/payments/issues/42",
            ),
            ("CHORUS_CAPABILITIES", "review, test,"),
            ("CHORUS_EXPERTISE", "rust"),
            ("CHORUS_MODEL", "llama3.1:8b"),
            ("CHORUS_SYSTEM_PROMPT", "Be brief."),
            ("WHOOSH_COORDINATOR", "true"),
            ("WHOOSH_ENDPOINT", "http://whoosh:8080"),
            ("WHOOSH_STOP_GRACE", "1m30s"),
            ("NATS_URL", "nats://nats:4222"),
            ("CHORUS_BACKBEAT_CLUSTER_ID", "lab"),
            ("CHORUS_BACKBEAT_PREFIX", "site1.backbeat"),
            ("CHORUS_HEARTBEAT_INTERVAL", "500ms"),
            ("CHORUS_AGENT_PORT", "9090"),
        ]))
        .unwrap();
        let bus = settings.bus.unwrap();
        assert_eq!(bus.subjects.status(&bus.cluster), "site1.backbeat.status.lab");
        assert_eq!(bus.servers.to_string(), "nats://nats:4222");
        assert_eq!(
            (settings.port, settings.heartbeat),
            (9090, Duration::from_millis(500))
        );
        assert_eq!(settings.stop_grace, Duration::from_secs(90));
        let identity = settings.identity;
        assert_eq!(identity.id.as_str(), "payments:reviewer-2");
        assert_eq!((identity.slot, identity.coordinated), (2, true));
        assert_eq!(identity.capabilities, ["review", "test"]);
        assert_eq!(
            identity.task.description.as_deref(),
            Some(
                "first line
second line"
            )
        );
        assert_eq!(identity.endpoint.as_deref(), Some("http://whoosh:8080"));
    }

    #[test]
    fn every_grace_that_a_spec_may_have_is_taken() {
        for (text, expected) in [
            ("0s", Duration::ZERO),
            ("500ms", Duration::from_millis(500)),
            ("1h", Duration::from_secs(3600)),
        ] {
            let settings = Settings::from_environment(&environment(&[("WHOOSH_STOP_GRACE", text)])).unwrap();
            assert_eq!(settings.stop_grace, expected, "{text}");
        }
    }

    #[test]
    fn each_wrong_value_is_explained() {
        fn check(variable: &str, value: &str, expected: &str) {
            let error = Settings::from_environment(&environment(&[(variable, value)])).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("1 problem in the environment: {variable} {expected}")
            );
        }
        check("CHORUS_AGENT_NAME", "", "is missing");
        check("CHORUS_ROLE", "  ", "is missing");
        check("CHORUS_SLOT", "", "is missing");
        check("CHORUS_SLOT", "-1", "is \"-1\", expected a whole number from 0");
        check(
            "CHORUS_AGENT_NAME",
            "the reviewer",
            "holds ' '; only letters, digits and '_', ':' and '-' are allowed; or set CHORUS_AGENT_ID as well",
        );
        check(
            "CHORUS_AGENT_ID",
            "a.b",
            "holds '.'; only letters, digits and '_', ':' and '-' are allowed",
        );
        check("WHOOSH_COORDINATOR", "yes", "is \"yes\", expected true or false");
        check(
            "WHOOSH_ENDPOINT",
            "whoosh:8080",
            "must start with http:// or https:// and a host",
        );
        check(
            "CHORUS_EXTERNAL_URL",
            "https://",
            "must start with http:// or https:// and a host",
        );
        check(
            "CHORUS_AGENT_PORT",
            "99999",
            "is \"99999\", expected a port from 1 to 65535",
        );
        check(
            "WHOOSH_STOP_GRACE",
            "10",
            "is \"10\", expected a duration of at least 0s, such as 10s or 1m30s",
        );
        check(
            "CHORUS_HEARTBEAT_INTERVAL",
            "-1s",
            "is \"-1s\", expected a duration of at least 100ms, such as 10s or 1m30s",
        );
        check(
            "NATS_URL",
            "http://bob:hunter2@nats",
            "is refused: server 1 of the list is not an address like nats://host:4222 or tls://host:4222",
        );
        check(
            "CHORUS_BACKBEAT_CLUSTER_ID",
            "*",
            "holds '*'; only letters, digits and '_' and '-' are allowed",
        );
        check(
            "CHORUS_BACKBEAT_PREFIX",
            "a.>",
            "holds '>'; only letters, digits and '_' and '-' are allowed",
        );
    }

    #[test]
    fn the_address_of_nats_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nats-url");
        let file = path.to_str().unwrap();
        let read = |changes: &[(&str, &str)]| {
            let settings = Settings::from_environment(&environment(changes));
            settings
                .map(|settings| settings.bus.unwrap().servers)
                .map_err(|error| error.to_string())
        };
        let missing = read(&[("NATS_URL_FILE", file)]).unwrap_err();
        assert!(
            missing.contains("NATS_URL_FILE is ") && missing.contains("which cannot be read"),
            "{missing}"
        );
        std::fs::write(&path, "nats://bob:hunter2@nats:4222\n").unwrap();
        let url = [("NATS_URL", "nats://bob:hunter2@nats:4222")];
        assert_eq!(read(&[("NATS_URL_FILE", file)]), read(&url));
        let both = read(&[("NATS_URL_FILE", file), ("NATS_URL", "nats://nats")]).unwrap_err();
        assert_eq!(
            both,
            "1 problem in the environment: NATS_URL_FILE and NATS_URL are both set; set one of them"
        );
        std::fs::write(&path, "http://bob:hunter2@nats").unwrap();
        let wrong = read(&[("NATS_URL_FILE", file)]).unwrap_err();
        assert!(
            wrong.contains("what it holds is refused") && !wrong.contains("hunter2"),
            "{wrong}"
        );
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let environment = Environment::from([("CHORUS_SLOT".to_owned(), "two".to_owned())]);
        let message = Settings::from_environment(&environment).unwrap_err().to_string();
        assert_eq!(
            message,
            "3 problems in the environment: CHORUS_AGENT_NAME is missing; CHORUS_ROLE is missing; \
             CHORUS_SLOT is \"two\", expected a whole number from 0"
        );
    }
}
