//! The address of a server, which may hold a password: given as it is, or in a file of its own.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

/// A server's address. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ServerUrl(String);

impl ServerUrl {
    /// The address that stands in one of two places; the command line has at most one of them.
    pub(super) fn of<'a>(given: &'a Option<Self>, in_file: &'a Option<Self>) -> Option<&'a str> {
        given.as_ref().or(in_file.as_ref()).map(Self::as_str)
    }

    /// The address itself.
    fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerUrl(…)")
    }
}

/// Reads the address that is given. What is wrong with it is told without it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given;

/// Reads the address that a file holds, up to the end of its line.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFile;

impl TypedValueParser for Given {
    type Value = ServerUrl;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<ServerUrl, Error> {
        let url = value.to_str().and_then(url);
        url.ok_or_else(|| refused(command, arg, &format!("is {NO_URL}")))
    }
}

impl TypedValueParser for InFile {
    type Value = ServerUrl;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<ServerUrl, Error> {
        // Somebody may have put the address itself here.
        if value.to_string_lossy().contains("://") {
            let why = "is an address; name the file that holds it";
            return Err(refused(command, arg, why));
        }
        let path = Path::new(value).display();
        let text = std::fs::read_to_string(value)
            .map_err(|error| refused(command, arg, &format!("is {path}, which cannot be read: {error}")))?;
        let url = url(text.trim_end_matches(['\r', '\n']));
        url.ok_or_else(|| refused(command, arg, &format!("is {path}; what it holds is {NO_URL}")))
    }
}

const NO_URL: &str =
    "not an address; write it like postgres://user@host/database or nats://host:4222, in one line";

fn url(text: &str) -> Option<ServerUrl> {
    let is_url = text.contains("://") && !text.contains(char::is_control);
    is_url.then(|| ServerUrl(text.to_owned()))
}

/// Unlike clap's own error, this does not repeat the value.
fn refused(command: &Command, arg: Option<&Arg>, why: &str) -> Error {
    let of = arg.map(|arg| format!(" of '{arg}'")).unwrap_or_default();
    let mut command = command.clone();
    command.error(ErrorKind::ValueValidation, format!("the value{of} {why}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Args {
        #[arg(long, value_parser = Given, conflicts_with = "url_file")]
        url: Option<ServerUrl>,
        #[arg(long, value_name = "FILE", value_parser = InFile)]
        url_file: Option<ServerUrl>,
    }

    #[test]
    fn an_address_is_given_or_in_a_file_and_never_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        const URL: &str = "postgres://whoosh:hunter2@db/whoosh";
        let good = file("good", &format!("{URL}\n"));
        let windows = file("windows", &format!("{URL}\r\n"));
        let bare = file("bare", URL);
        let bad = file("bad", "hunter2");
        let long = file("long", &format!("{URL}\n{URL}\n"));
        let none = folder.path().join("none").to_str().unwrap().to_owned();
        for (arguments, expected) in [
            (&["--url", URL][..], Ok(URL)),
            (&["--url-file", &good], Ok(URL)),
            (&["--url-file", &windows], Ok(URL)),
            (&["--url-file", &bare], Ok(URL)),
            (
                &["--url", "hunter2@db"],
                Err("of '--url <URL>' is not an address"),
            ),
            (&["--url-file", URL], Err("name the file that holds it")),
            (
                &["--url-file", &bad],
                Err("/bad; what it holds is not an address"),
            ),
            (&["--url-file", &long], Err("in one line")),
            (
                &["--url-file", &none],
                Err("/none, which cannot be read: No such file"),
            ),
            (
                &["--url", URL, "--url-file", &good],
                Err("cannot be used with '--url-file <FILE>'"),
            ),
        ] {
            let told = Args::try_parse_from([&["test"][..], arguments].concat());
            let shown = format!("{told:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            match (told, expected) {
                (Ok(args), Ok(url)) => {
                    let found = args.url.or(args.url_file);
                    assert_eq!(found.as_ref().map(ServerUrl::as_str), Some(url), "{arguments:?}");
                }
                (Err(error), Err(part)) => {
                    let error = error.to_string();
                    assert!(error.contains(part) && !error.contains("hunter2"), "{error}");
                }
                (told, _) => panic!("{arguments:?}: {told:?}"),
            }
        }
    }
}
