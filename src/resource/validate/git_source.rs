//! What schemas cannot say of a GitSource.

use std::time::Duration;

use super::super::access::ALL_NAMESPACES;
use super::super::git_source::is_variable;
use super::super::repository::RepositoryUrl;
use super::super::schema::quoted;
use super::super::versions::VersionRange;
use super::cause::CauseReason;
use super::syntax::{self, Checked, check as must};
use super::view::{Causes, Node};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The length of a commit's whole hash: SHA-1, in hexadecimal.
const HASH_LENGTH: usize = 40;
/// The kinds of SSH keys that sign.
const SSH_KEYS: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];
/// The shortest text of such a key: that of `ssh-ed25519`, 51 bytes in base64.
const SSH_KEY_MIN: usize = 68;
/// The ways of saying what is applied.
const REFERENCES: [&str; 4] = ["branch", "tag", "semver", "commit"];

pub(super) fn check(spec: &Node<'_>, causes: &mut Causes) {
    let url = spec.field("url");
    causes.text(&url, repository);
    let secret = spec.field("secretRef");
    for named in ["secretRef", "substituteFrom"] {
        causes.text(&spec.field(named).field("name"), syntax::dns_label);
    }
    if url
        .text()
        .is_some_and(|url| RepositoryUrl::of(url).scheme == "ssh")
        && !secret.exists()
    {
        let message = "is required for a repository by ssh: it names a secret with the files `identity`, a private key, and \
                       `known_hosts`";
        causes.add(&secret, CauseReason::Required, message);
    }
    let reference = spec.field("ref");
    let said: Vec<Node<'_>> = REFERENCES
        .iter()
        .map(|name| reference.field(name))
        .filter(Node::exists)
        .collect();
    if reference.exists() && said.len() != 1 {
        let message = format!("must say one of {}, got {}", REFERENCES.join(", "), said.len());
        causes.add(&reference, CauseReason::Invalid, message);
    }
    causes.text(&reference.field("branch"), reference_name);
    causes.text(&reference.field("tag"), reference_name);
    causes.text(&reference.field("semver"), versions);
    causes.text(&reference.field("commit"), commit);
    let (path, paths) = (spec.field("path"), spec.field("paths"));
    if path.exists() && paths.exists() {
        let message = "must not stand beside spec.path: name every folder here";
        causes.add(&paths, CauseReason::Invalid, message);
    }
    causes.text(&path, folder);
    causes.texts(&paths, folder);
    causes.texts(&spec.field("ignore"), syntax::line);
    let verify = spec.field("verify");
    causes.texts(&verify.field("keys"), public_key);
    if spec.field("commitStatus").exists() {
        let is_https = url
            .text()
            .is_some_and(|url| RepositoryUrl::of(url).scheme == "https");
        if !is_https || !spec.field("secretRef").exists() {
            let message = "must stand beside an https:// url, and a secretRef that holds a token";
            causes.add(&spec.field("commitStatus"), CauseReason::Invalid, message);
        }
    }
    let names_tag = reference.field("tag").exists() || reference.field("semver").exists();
    if verify.field("signed").text() == Some("Tag") && !names_tag {
        let message = "must be Commit where spec.ref names no tag, by its name or a version";
        causes.add(&verify.field("signed"), CauseReason::Invalid, message);
    }
    for (name, node) in spec.field("substitute").members() {
        if !is_variable(name) {
            let message = format!(
                "the name {} must be letters, digits and \"_\", with no digit first, as in \"REGION\"",
                quoted(name)
            );
            causes.add(&node, CauseReason::Invalid, message);
        }
    }
    causes.text(&spec.field("targetNamespace"), syntax::dns_label);
    let namespaces = spec.field("impersonate").field("namespaces");
    match namespaces
        .items()
        .find(|item| item.text() == Some(ALL_NAMESPACES))
    {
        Some(all) if namespaces.items().count() > 1 => {
            let message = "must stand alone: it stands for all namespaces";
            causes.add(&all, CauseReason::Invalid, message);
        }
        Some(_) => {}
        None => causes.texts(&namespaces, syntax::dns_label),
    }
    for dependency in spec.field("dependsOn").items() {
        causes.text(&dependency.field("name"), syntax::dns_label);
        causes.text(&dependency.field("namespace"), syntax::dns_label);
    }
    causes.duration(&spec.field("interval"), 5 * SECOND, DAY);
    causes.duration(&spec.field("retryInterval"), SECOND, DAY);
    causes.duration(&spec.field("timeout"), SECOND, 5 * MINUTE);
    let suspension = spec.field("suspension");
    causes.text(&suspension.field("reason"), syntax::line);
    causes.text(&suspension.field("by"), syntax::line);
}

/// Where a repository is. Credentials have no place in it: what is declared is shown to everybody who may look. So what may
/// hold some is not repeated either.
fn repository(text: &str) -> Checked {
    let place = RepositoryUrl::of(text);
    must(!place.user.is_some_and(|user| user.contains(':')), || {
        "must not hold a password: everybody who may read the object would see it; put it into the secret that \
         spec.secretRef names"
            .to_owned()
    })?;
    let got = || match place.user {
        Some(_) => String::new(),
        None => format!(", got {}", quoted(text)),
    };
    must(
        !text.contains(|c: char| c.is_whitespace() || c.is_control()),
        || format!("must not hold spaces or control characters{}", got()),
    )?;
    must(!text.contains(['?', '#']), || {
        "must be the address alone, without a query: everybody who may read the object would see what stands there".to_owned()
    })?;
    must(!place.path.split('/').any(|part| part == ".."), || {
        "must not hold \"..\": write the path that it leads to".to_owned()
    })?;
    let is_host = |host: &str| {
        // The colons of an address of IPv6 stand in brackets.
        let ported = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        let (name, port) = ported.unwrap_or((host, "443"));
        !name.is_empty() && !name.starts_with('-') && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    match place.scheme {
        "file" => must(place.host.is_empty() && place.path.len() > 1, || {
            format!(
                "must name an absolute path, as in \"file:///srv/git/fleet.git\"{}",
                got()
            )
        }),
        "https" | "http" | "git" => {
            must(place.user.is_none(), || {
                "must not hold a user or a token: everybody who may read the object would see them; put them into the \
                 secret that spec.secretRef names"
                    .to_owned()
            })?;
            must(is_host(place.host), || format!("must name a host{}", got()))
        }
        "ssh" => must(is_host(place.host) && place.user.is_none_or(is_host), || {
            format!(
                "must be like \"ssh://git@git.example/acme/fleet.git\" or \"git@git.example:acme/fleet.git\"{}",
                got()
            )
        }),
        _ => Err(format!(
            "must be like \"https://git.example/acme/fleet.git\" or \"git@git.example:acme/fleet.git\"{}",
            got()
        )),
    }
}

/// A branch or tag, by git's own rules as far as they keep it in its place.
fn reference_name(text: &str) -> Checked {
    must(!text.starts_with("refs/"), || {
        format!(
            "must be the name alone, as in \"main\" for \"refs/heads/main\", got {}",
            quoted(text)
        )
    })?;
    let parts = || text.split('/');
    let clean = !text.contains(|c: char| c.is_control() || " ~^:?*[\\".contains(c))
        && !text.contains("..")
        && !text.contains("@{")
        && parts().all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
        && !text.ends_with('.')
        && !text.starts_with('-');
    must(clean, || {
        format!(
            "must be a name like \"main\" or \"release/1.2\", got {}",
            quoted(text)
        )
    })
}

fn versions(text: &str) -> Checked {
    text.parse::<VersionRange>()
        .map(drop)
        .map_err(|error| error.to_string())
}

fn commit(text: &str) -> Checked {
    let hash = text.len() == HASH_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    must(hash, || {
        format!("must be the commit's whole hash, got {}", quoted(text))
    })
}

/// A key that signatures are checked by; a private one must not stand where everybody may look.
fn public_key(text: &str) -> Checked {
    let text = text.trim();
    let mut words = text.split_whitespace();
    let is_ssh = words.next().is_some_and(|kind| SSH_KEYS.contains(&kind))
        && words
            .next()
            .is_some_and(|key| key.starts_with("AAAA") && key.len() >= SSH_KEY_MIN)
        && !text.contains('\n');
    let is_openpgp = text.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----")
        && text.ends_with("-----END PGP PUBLIC KEY BLOCK-----");
    must(is_ssh || is_openpgp, || {
        format!(
            "must be a public key: a line like \"ssh-ed25519 AAAA… ada\" (kinds: {}), or an armored block of OpenPGP",
            SSH_KEYS.join(", ")
        )
    })
}

/// A folder below the repository's root.
fn folder(text: &str) -> Checked {
    let leaves = text.starts_with('/') || text.split('/').any(|part| part == "..");
    let odd = text.is_empty() || text.contains(|c: char| c.is_control() || c == '\\');
    must(!leaves && !odd, || {
        format!(
            "must be a folder below the repository's root, as in \"./prod\", got {}",
            quoted(text)
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{API_VERSION, object};
    use super::*;

    #[test]
    fn every_problem_of_a_source_is_told_at_once() {
        let raw = json!({
            "apiVersion": API_VERSION, "kind": "GitSource", "metadata": {"name": "fleet"},
            "spec": {
                "url": "https://git.example/fleet.git",
                "substitute": {"A-B": "x", "1": "y", "": "z", "_OK_1": "z"},
                "targetNamespace": "Prod",
                "impersonate": {"role": "agent", "namespaces": ["*", "prod"]},
                "dependsOn": [{"name": "Base"}, {"namespace": "x y"}, {"name": "good", "namespace": "other"}],
            },
        });
        let mut fields: Vec<String> = object(&raw)
            .unwrap_err()
            .causes
            .into_iter()
            .map(|cause| cause.field)
            .collect();
        fields.sort();
        let expected = [
            "spec.dependsOn[0].name",
            "spec.dependsOn[1].name",
            "spec.dependsOn[1].namespace",
            "spec.impersonate.namespaces[0]",
            "spec.impersonate.role",
            "spec.substitute.A-B",
            "spec.substitute[1]",
            "spec.substitute[]",
            "spec.targetNamespace",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn what_cannot_be_fetched_is_refused_at_the_door() {
        for (rule, good, bad) in [
            (
                repository as fn(&str) -> Checked,
                &[
                    "https://git.example/acme/fleet.git",
                    "file:///srv/git/fleet.git",
                    "http://127.0.0.1:3000/x",
                    "https://[::1]/x",
                    "https://[::1]:8443/x",
                    "ssh://git@git.example/fleet.git",
                    "ssh://git.example:2222/~/fleet.git",
                    "git@git.example:acme/fleet.git",
                ][..],
                &[
                    "https://ada:hunter2@git.example/fleet.git",
                    "https://hunter2@git.example/fleet.git",
                    "ssh://git:hunter2@git.example/fleet.git",
                    "git:hunter2@git.example:acme/fleet.git",
                    "ftp://ada:hunter2@git.example/fleet.git",
                    "ftp://hunter2@git.example/fleet.git",
                    "https://ada:hunter2@git.example/a b",
                    "https:///fleet.git",
                    "https://git.example?/fleet.git",
                    "https://git.example/fleet.git?access_token=hunter2",
                    "https://git.example/fleet.git#main",
                    "https://git.example:99999/fleet.git",
                    "https://git.example:/fleet.git",
                    "ssh://git.example#@other.test/fleet.git",
                    "file://host/fleet.git",
                    "ssh:///fleet.git",
                    "ssh://-oProxyCommand=id/fleet.git",
                    "ssh://-l@git.example/fleet.git",
                    "-l@git.example:fleet.git",
                    "git@git.example",
                    "ext::sh -c id",
                    "--upload-pack=id",
                    "https://git.example/a b",
                    "",
                ][..],
            ),
            (
                versions,
                &[">=1.0.0 <2.0.0", "1.x || 3.x", "^1.2"],
                &["", "abc", ">=1 main"],
            ),
            (
                folder,
                &["./prod", "a/b", "."],
                &["/etc", "../x", "a/../../b", "a\\b", ""],
            ),
            (
                reference_name,
                &["main", "release/1.2", "v1.0.0"],
                &[
                    "", "-x", "a..b", "a b", "a/", "/a", "a.lock", ".a", "a~1", "a@{1}", "a.",
                ],
            ),
            (
                public_key,
                &[
                    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPu5FpSxLj4DfbWgwkRHbFHtb0wXJXmFQ0Oyzh4xQgD ada",
                    "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDM\n-----END PGP PUBLIC KEY BLOCK-----\n",
                ],
                &[
                    "ada",
                    "ssh-ed25519",
                    "ssh-ed25519 AAAA a\n* cert-authority ssh-ed25519 AAAA",
                    "-----BEGIN OPENSSH PRIVATE KEY-----",
                ],
            ),
            (
                commit,
                &["0123456789abcdef0123456789abcdef01234567"],
                &["0123456", "main", "g123456789abcdef0123456789abcdef01234567"],
            ),
        ] {
            for text in good {
                assert_eq!(rule(text), Ok(()), "{text}");
            }
            for text in bad {
                let told = rule(text).expect_err(text);
                assert!(!told.contains("hunter2"), "{text}: {told}");
            }
        }
    }

    #[test]
    fn ssh_takes_a_secret() {
        let told = |spec: Value| {
            let mut causes = Causes::default();
            check(&Node::root(&spec), &mut causes);
            let told: Vec<String> = causes.found.iter().map(ToString::to_string).collect();
            told.join("; ")
        };
        let (ssh, https) = ("git@git.example:fleet.git", "https://git.example/fleet.git");
        let named = json!({"name": "fleet"});
        assert_eq!(told(json!({"url": https})), "");
        assert_eq!(told(json!({"url": ssh, "secretRef": named})), "");
        let missing = told(json!({"url": ssh}));
        assert!(missing.starts_with("secretRef: is required"), "{missing}");
        assert!(missing.contains("`known_hosts`"), "{missing}");
        let elsewhere = told(json!({"url": https, "secretRef": {"name": "../other"}}));
        assert!(
            elsewhere.starts_with("secretRef.name: must be a DNS label"),
            "{elsewhere}"
        );
    }
}
