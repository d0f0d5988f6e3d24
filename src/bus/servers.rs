//! The NATS servers of a `NATS_URL`, with the credentials kept apart so that no log can show them.

use std::fmt;
use std::str::FromStr;

use async_nats::{ConnectOptions, ServerAddr};

/// One or more NATS servers and, if the URL held any, the credentials for them.
///
/// Parsed from `nats://host:4222`, `tls://host`, `host`, or a list of them parted by commas. Credentials are
/// `user:password@` or `token@`, percent-encoded where needed, and count for every server of the list.
/// `Debug` and `Display` show addresses only.
#[derive(Clone, PartialEq, Eq)]
pub struct Servers {
    addresses: Vec<ServerAddr>,
    credentials: Credentials,
}

#[derive(Clone, PartialEq, Eq)]
enum Credentials {
    None,
    Token(String),
    UserPassword(String, String),
}

/// Why a `NATS_URL` is refused. The URL itself is never part of the message: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServersError {
    /// An entry of the list cannot be parsed.
    #[error("server {0} of the list is not an address like nats://host:4222 or tls://host:4222")]
    Address(usize),
    /// Two entries carry different credentials.
    #[error("server {0} of the list has other credentials than the ones before it; use the same for all")]
    Credentials(usize),
}

impl Servers {
    /// The servers, without credentials.
    pub(super) fn addresses(&self) -> &[ServerAddr] {
        &self.addresses
    }

    /// Adds the credentials to `options`.
    pub(super) fn authenticate(&self, options: ConnectOptions) -> ConnectOptions {
        match &self.credentials {
            Credentials::None => options,
            Credentials::Token(token) => options.token(token.clone()),
            Credentials::UserPassword(user, password) => {
                options.user_and_password(user.clone(), password.clone())
            }
        }
    }
}

impl FromStr for Servers {
    type Err = ServersError;

    fn from_str(list: &str) -> Result<Self, ServersError> {
        let mut servers = Self {
            addresses: Vec::new(),
            credentials: Credentials::None,
        };
        for (number, entry) in (1..).zip(list.split(',')) {
            let (address, credentials) = parse_entry(entry.trim()).ok_or(ServersError::Address(number))?;
            match (&servers.credentials, credentials) {
                (_, Credentials::None) => {}
                (Credentials::None, found) => servers.credentials = found,
                (known, found) if *known == found => {}
                _ => return Err(ServersError::Credentials(number)),
            }
            servers.addresses.push(address);
        }
        Ok(servers)
    }
}

fn parse_entry(entry: &str) -> Option<(ServerAddr, Credentials)> {
    let address: ServerAddr = entry.parse().ok()?;
    if !matches!(address.scheme(), "nats" | "tls") || address.host().is_empty() {
        return None;
    }
    let credentials = match (address.username(), address.password()) {
        (None, None) => Credentials::None,
        (Some(token), None) => Credentials::Token(percent_decode(token)?),
        (user, Some(password)) => Credentials::UserPassword(
            percent_decode(user.unwrap_or_default())?,
            percent_decode(password)?,
        ),
    };
    let mut url = address.into_inner();
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some((ServerAddr::from_url(url).ok()?, credentials))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let digit = |index: usize| char::from(*tail.get(index)?).to_digit(16);
            decoded.push(u8::try_from(digit(0)? * 16 + digit(1)?).ok()?);
            rest = tail.get(2..)?;
        } else {
            decoded.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(decoded).ok()
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.addresses.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", address.as_url_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Servers({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Servers, ServersError};

    #[test]
    fn addresses_and_credentials_are_parted() {
        fn check(list: &str, shown: &str, credentials: Credentials) {
            let servers: Servers = list.parse().unwrap();
            assert_eq!(servers.to_string(), shown, "{list}");
            assert!(servers.credentials == credentials, "credentials of {list}");
        }
        let user = |user: &str, password: &str| Credentials::UserPassword(user.into(), password.into());
        check("nats://nats:4222", "nats://nats:4222", Credentials::None);
        check("nats", "nats://nats", Credentials::None);
        check("tls://nats.example", "tls://nats.example", Credentials::None);
        check(
            "nats://bob:hunter2@nats:4222",
            "nats://nats:4222",
            user("bob", "hunter2"),
        );
        check("bob:p%40ss%2f@nats", "nats://nats", user("bob", "p@ss/"));
        check(
            "nats://s3cret@nats",
            "nats://nats",
            Credentials::Token("s3cret".into()),
        );
        check("nats://[::1]:4222", "nats://[::1]:4222", Credentials::None);
        check(
            "nats://bob:x@a, nats://b:4222",
            "nats://a,nats://b:4222",
            user("bob", "x"),
        );
        check(
            "nats://bob:x@a,nats://bob:x@b",
            "nats://a,nats://b",
            user("bob", "x"),
        );
    }

    #[test]
    fn what_is_not_a_nats_address_is_refused() {
        fn check(list: &str, error: ServersError) {
            assert_eq!(list.parse::<Servers>().unwrap_err(), error, "{list:?}");
        }
        for bad in [
            "",
            "nats://",
            "http://nats",
            "ws://nats",
            "nats://nats:99999",
            "nats://a:%zz@b",
        ] {
            check(bad, ServersError::Address(1));
        }
        check("nats://a,", ServersError::Address(2));
        check("nats://bob:x@a,nats://bob:y@b", ServersError::Credentials(2));
    }

    #[test]
    fn no_message_shows_a_credential() {
        let servers: Servers = "nats://bob:hunter2@nats".parse().unwrap();
        let refused = "nats://bob:hunter2@nats,http://bob:hunter2@nats"
            .parse::<Servers>()
            .unwrap_err();
        let clash = "nats://bob:hunter2@a,nats://bob:other@b"
            .parse::<Servers>()
            .unwrap_err();
        for shown in [
            format!("{servers:?}{servers}"),
            format!("{refused:?}{refused}"),
            format!("{clash:?}{clash}"),
        ] {
            assert!(!shown.contains("hunter2") && !shown.contains("bob"), "{shown}");
        }
    }
}
