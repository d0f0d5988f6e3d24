//! The conversation with a server: which references it has, and the objects of one commit.

use std::io::{self, BufRead, Read};
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use gix_error::{Class, ResourceExhaustionKind};
use gix_hash::ObjectId;
use gix_odb::pack;
use gix_protocol::fetch::negotiate::{Action, Round, one_round};
use gix_protocol::fetch::{Arguments, Context, Negotiate, Options, Response, Shallow, Tags};
use gix_protocol::handshake::Ref;
use gix_protocol::ls_refs::RefPrefixes;
use gix_protocol::{Handshake, LsRefsCommand};
use gix_transport::client::blocking_io::{Transport, connect, http, ssh};
use gix_transport::{Protocol, Service};
use gix_utils::progress::Discard;

use super::cache::{Cache, Tip};
use super::error::GitError;
use super::http::Client;
use super::limits::{Limits, bytes};
use super::reference::{self, Chosen, Told};
use super::ssh::Ssh;
use super::trouble::{Doing, Trouble};
use super::url::Place;
use super::{Credentials, Reference, Request};

const AGENT: &str = "git/whoosh";

/// A server that has been asked for a repository, and has it.
pub(super) struct Remote<'a> {
    limits: &'a Limits,
    trouble: Trouble,
    handshake: Handshake,
    transport: Box<dyn Transport + Send>,
    _ssh: Option<Ssh>,
}

impl<'a> Remote<'a> {
    /// Asks the server for the repository.
    ///
    /// # Errors
    /// If there is none, it may not be seen, or nobody answers.
    pub(super) fn open(request: &'a Request, place: &Place) -> Result<Self, GitError> {
        let trouble = Trouble::default();
        let ssh = match place {
            Place::Ssh(_) => Some(ssh_for(request)?),
            Place::Http(_) | Place::Daemon(_) | Place::Folder(_) => None,
        };
        let asking = |error: gix_error::Error| trouble.told(&error, Doing::Asking);
        let mut transport: Box<dyn Transport + Send> = match place {
            Place::Http(url) => {
                let client = Client::new(request, url, trouble.clone())?;
                Box::new(http::connect_http(client, url.clone(), Protocol::V2, false))
            }
            Place::Ssh(url) => {
                let options = ssh::connect::Options {
                    command: ssh.as_ref().map(|ssh| ssh.command.clone()),
                    disallow_shell: false,
                    kind: Some(ssh::ProgramKind::Ssh),
                };
                let connected = ssh::connect(url.clone(), Protocol::V2, options, false);
                Box::new(connected.map_err(|error| asking(gix_error::Error::from_error(error)))?)
            }
            Place::Daemon(url) => {
                connect::connect(url.clone(), connect::Options::default()).map_err(asking)?
            }
            Place::Folder(path) => local(path)
                .and_then(|url| connect::connect(url, connect::Options::default()).map_err(asking))?,
        };
        let asking = |error: gix_error::Error| match (asking(error), place) {
            (GitError::NoRepository { why }, Place::Folder(path)) => {
                strangers(path).unwrap_or(GitError::NoRepository { why })
            }
            (error, _) => error,
        };
        let handshake = gix_protocol::handshake(
            &mut transport,
            Service::UploadPack,
            // Credentials, where there are any, went with the request.
            |_action| {
                let why = "it accepts none of our keys".to_owned();
                Err(gix_error::Error::from_error(
                    trouble.note(GitError::Refused { why }),
                ))
            },
            Vec::new(),
            &mut Discard,
        )
        .map_err(asking)?;
        sha1_only(&handshake)?;
        Ok(Self {
            limits: &request.limits,
            trouble,
            handshake,
            transport,
            _ssh: ssh,
        })
    }

    /// Which commit `reference` means by now.
    ///
    /// # Errors
    /// If the repository has no such reference; the error names those that are near.
    pub(super) fn find(&mut self, reference: &Reference) -> Result<Chosen, GitError> {
        let told = match reference::prefix(reference) {
            Some(prefix) => self.references(&prefix)?,
            None => Vec::new(),
        };
        if let Some(chosen) = reference::choose(reference, &told) {
            return Ok(chosen);
        }
        let family = match reference::family(reference) {
            Some(prefix) => self.references(prefix)?,
            None => Vec::new(),
        };
        Err(reference::missing(reference, &family))
    }

    fn references(&mut self, prefix: &str) -> Result<Vec<Told>, GitError> {
        if let Some(told) = &self.handshake.refs {
            let within = |told: &Told| told.name.starts_with(prefix);
            return Ok(told.iter().filter_map(told_of).filter(within).collect());
        }
        let mut prefixes = RefPrefixes::new();
        prefixes.extend([prefix.into()]);
        let command = LsRefsCommand::new(Some(prefixes), &self.handshake.capabilities, agent());
        let told = command
            .invoke_blocking(&mut self.transport, &mut Discard, false)
            .map_err(|error| self.trouble.told(&error, Doing::Asking))?;
        Ok(told.iter().filter_map(told_of).collect())
    }

    /// Receives what the cache lacks of a commit, and notes there that it has it.
    ///
    /// # Errors
    /// If the server does not send it, or more than the limits allow.
    pub(super) fn receive(&mut self, chosen: &Chosen, cache: &Cache) -> Result<Tip, GitError> {
        let objects = cache.objects()?;
        let mut wish = Wish {
            want: chosen.object,
            haves: cache.tips().into_iter().map(|tip| tip.commit).collect(),
            filter: format!("blob:limit={}", self.limits.file.saturating_add(1)),
            is_filtered: false,
        };
        let limits = self.limits;
        let trouble = self.trouble.clone();
        let packs = cache.packs();
        let write = |reader: &mut dyn BufRead,
                     progress: &mut dyn gix_utils::progress::DynNestedProgress,
                     interrupt: &AtomicBool|
         -> gix_error::Result<bool> {
            let mut counted = Counted {
                inner: reader,
                left: limits.pack,
                limit: limits.pack,
                trouble: trouble.clone(),
            };
            let options = pack::bundle::write::Options {
                thread_limit: Some(1),
                alloc_limit_bytes: usize::try_from(limits.object).ok(),
                ..Default::default()
            };
            let written = pack::Bundle::write_to_directory(
                &mut counted,
                Some(&packs),
                progress,
                interrupt,
                Some(objects),
                gix_hash::Kind::Sha1,
                options,
            );
            match written {
                Ok(written) => {
                    // It keeps others from collecting the pack, and there are none.
                    written
                        .keep_path
                        .map(std::fs::remove_file)
                        .transpose()
                        .map_err(gix_error::Error::from_error)?;
                    Ok(true)
                }
                Err(error) => {
                    let limit = Class::ResourceExhaustion(ResourceExhaustionKind::AllocationLimit);
                    if !error.classify().has(limit) {
                        return Err(error);
                    }
                    let what = "an object of the repository, or the list of all,";
                    Err(gix_error::Error::from_error(
                        trouble.note(GitError::too_large(what, bytes(limits.object))),
                    ))
                }
            }
        };
        let received = gix_protocol::fetch(
            &mut wish,
            write,
            Discard,
            &AtomicBool::new(false),
            Context {
                handshake: &mut self.handshake,
                transport: &mut self.transport,
                user_agent: agent(),
                trace_packetlines: false,
            },
            Options {
                shallow_file: cache.shallow(),
                shallow: &Shallow::DepthAtRemote(NonZeroU32::MIN),
                tags: Tags::None,
                reject_shallow_remote: false,
            },
        );
        received.map_err(|error| match hung_up(&error) {
            // It says why, and hangs up before all is asked: what it said cannot be heard any more.
            true if chosen.name == chosen.commit => {
                reference::missing(&Reference::Commit(chosen.name.clone()), &[])
            }
            _ => self.trouble.told(&error, Doing::Receiving),
        })?;
        let tip = Tip {
            commit: chosen.commit,
            is_filtered: wish.is_filtered,
        };
        cache.remember(tip)?;
        Ok(tip)
    }

    /// Takes leave, so that the server does not count it as a lost connection.
    pub(super) fn close(mut self) {
        // Nothing depends on whether it hears it.
        let _ = gix_protocol::indicate_end_of_interaction(&mut self.transport, false);
    }
}

fn hung_up(error: &gix_error::Error) -> bool {
    let mut errors = error.iter_errors();
    errors.any(|error| {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        matches!(
            kind,
            Some(io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
        )
    })
}

fn agent() -> (&'static str, Option<String>) {
    ("agent", Some(AGENT.to_owned()))
}

fn ssh_for(request: &Request) -> Result<Ssh, GitError> {
    match &request.credentials {
        Some(Credentials::Ssh { key, known_hosts }) => {
            std::fs::create_dir_all(&request.cache).map_err(|error| GitError::Cache {
                why: format!("{}: {error}", request.cache.display()),
            })?;
            Ssh::new(&request.cache, key, known_hosts)
        }
        _ => Err(GitError::Credentials {
            why: "a url of ssh needs a private key, and the server's lines of known_hosts".to_owned(),
        }),
    }
}

fn local(path: &str) -> Result<gix_url::Url, GitError> {
    let missing = |why: &str| GitError::NoRepository {
        why: format!("{path:?} {why}"),
    };
    if !Path::new(path).is_dir() {
        return Err(missing("is no folder of the operator's machine"));
    }
    gix_url::parse(format!("file://{path}").as_str()).map_err(|_| missing("cannot be a repository's place"))
}

/// Why git hands out nothing of a folder that is there, if that is because of whose it is: then it says so to nobody whom we hear.
fn strangers(path: &str) -> Option<GitError> {
    let owner = std::fs::metadata(path).ok()?.uid();
    let us = rustix::process::geteuid().as_raw();
    (owner != us).then(|| GitError::Refused {
        why: format!("{path:?} belongs to the user {owner}, and Git reads for the user {us} what is theirs alone (`chown` it)"),
    })
}

fn sha1_only(handshake: &Handshake) -> Result<(), GitError> {
    let formats = handshake.capabilities.capability("object-format");
    match formats.and_then(|format| format.value().map(ToString::to_string)) {
        Some(format) if format != "sha1" => Err(GitError::Url {
            why: format!("the repository names its objects by {format:?}; only sha1 is understood"),
        }),
        _ => Ok(()),
    }
}

fn told_of(told: &Ref) -> Option<Told> {
    let (name, target, object, commit) = match told {
        Ref::Peeled {
            full_ref_name,
            tag,
            object,
        } => (full_ref_name, None, *tag, *object),
        Ref::Direct {
            full_ref_name,
            object,
        } => (full_ref_name, None, *object, *object),
        Ref::Symbolic {
            full_ref_name,
            target,
            tag,
            object,
        } => (full_ref_name, Some(target), tag.unwrap_or(*object), *object),
        Ref::Unborn { .. } => return None,
    };
    Some(Told {
        name: std::str::from_utf8(name).ok()?.to_owned(),
        target: target.map(ToString::to_string),
        object,
        commit,
    })
}

/// What is asked for: one commit, given those that are here already, in a single round.
struct Wish {
    want: ObjectId,
    haves: Vec<ObjectId>,
    filter: String,
    is_filtered: bool,
}

impl Negotiate for Wish {
    fn mark_complete_and_common_ref(&mut self) -> gix_error::Result<Action> {
        Ok(Action::MustNegotiate {
            remote_ref_target_known: Vec::new(),
        })
    }

    fn add_wants(&mut self, arguments: &mut Arguments, _known: &[bool]) -> bool {
        arguments.want(self.want);
        self.is_filtered = arguments.can_use_filter();
        if self.is_filtered {
            arguments.filter(&self.filter);
        }
        true
    }

    fn one_round(
        &mut self,
        _state: &mut one_round::State,
        arguments: &mut Arguments,
        _previous: Option<&Response>,
    ) -> gix_error::Result<(Round, bool)> {
        for have in &self.haves {
            arguments.have(have);
        }
        let round = Round {
            haves_sent: self.haves.len(),
            in_vain: 0,
            haves_to_send: self.haves.len(),
            previous_response_had_at_least_one_in_common: false,
        };
        Ok((round, true))
    }
}

/// A reader that ends with an error after so many bytes.
struct Counted<'a> {
    inner: &'a mut dyn BufRead,
    left: u64,
    limit: u64,
    trouble: Trouble,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = {
            let available = self.fill_buf()?;
            let count = available.len().min(buffer.len());
            buffer[..count].copy_from_slice(&available[..count]);
            count
        };
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let available = self.inner.fill_buf()?;
        if available.len() as u64 > self.left {
            let limit = bytes(self.limit);
            return Err(self
                .trouble
                .note(GitError::too_large("what the server sends of the commit", limit)));
        }
        Ok(available)
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
        self.inner.consume(count);
    }
}
