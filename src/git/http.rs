//! Git's HTTP transport, carried by the HTTP client that the rest of the program has.
//!
//! The client that comes with the library would bring a second set of features, follow redirects by its own rules, and
//! not say what the server said. This one follows none, says what each status means, and reads no more than it may.

use std::any::Any;
use std::fmt::Write as _;
use std::io::{self, BufReader, Cursor, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gix_transport::client::blocking_io::http::{GetResponse, Http, PostBodyDataKind, PostResponse};
use gix_url::Scheme;
use hyper::body::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Certificate, RequestBuilder, Response, StatusCode};
use tokio::runtime::Runtime;

use super::error::{GitError, quoted};
use super::limits::{Limits, bytes};
use super::trouble::{Trouble, chain};
use super::url::is_loopback;
use super::{Credentials, Request};

const CONNECT_WITHIN: Duration = Duration::from_secs(20);
/// What frames and progress may add to the bytes of a pack.
const FRAMES: u64 = 1024 * 1024;

/// An HTTP client for one repository. As it follows no redirect, what it says of who we are goes to the url's host alone.
pub(super) struct Client {
    http: reqwest::Client,
    authorization: Option<HeaderValue>,
    line: Line,
}

/// What each exchange needs of the client.
#[derive(Clone)]
struct Line {
    runtime: Arc<Runtime>,
    trouble: Trouble,
    limits: Limits,
}

impl Client {
    /// A client with the request's credentials and certificates, for a server at `url`; one of this machine is spoken to
    /// without a proxy.
    ///
    /// # Errors
    /// If they cannot be used.
    pub(super) fn new(request: &Request, url: &gix_url::Url, trouble: Trouble) -> Result<Self, GitError> {
        if request.credentials.is_some() && url.scheme != Scheme::Https {
            return Err(unusable("they are sent by https:// alone"));
        }
        // An error only says that it was given before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let set_up = |error: &(dyn std::error::Error + 'static)| GitError::Worker { why: chain(error) };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| set_up(&error))?;
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_WITHIN);
        if url.host().is_some_and(is_loopback) {
            builder = builder.no_proxy();
        }
        if let Some(pem) = &request.ca {
            builder = builder.tls_certs_merge(certificates(pem)?);
        }
        let http = builder.build().map_err(|error| set_up(&error))?;
        Ok(Self {
            authorization: authorization(&http, request.credentials.as_ref())?,
            http,
            line: Line {
                runtime: Arc::new(runtime),
                trouble,
                limits: request.limits.clone(),
            },
        })
    }

    fn exchange(
        &self,
        builder: RequestBuilder,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Arc<Mutex<Exchange>> {
        let mut map = HeaderMap::new();
        for header in headers {
            let Some((name, value)) = header.as_ref().split_once(':') else {
                continue;
            };
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value.trim())) {
                map.append(name, value);
            }
        }
        if let Some(authorization) = &self.authorization {
            map.insert(AUTHORIZATION, authorization.clone());
        }
        Arc::new(Mutex::new(Exchange {
            line: self.line.clone(),
            state: State::Asking(builder.headers(map), Vec::new()),
        }))
    }
}

/// What a failed request says, with what to do where that is known.
fn with_advice(why: String) -> String {
    // As `openssl req -x509` makes it, and git takes it.
    match why.contains("CaUsedAsEndEntity") {
        true => format!(
            "{why}; the server shows the certificate of an authority as its own: give it one that an authority signed, or that was \
             made with `-addext basicConstraints=critical,CA:FALSE`"
        ),
        false => why,
    }
}

/// The certificates of an authority.
///
/// # Errors
/// If there are none, or they cannot be read.
pub fn certificates(pem: &str) -> Result<Vec<Certificate>, GitError> {
    let why = match Certificate::from_pem_bundle(pem.as_bytes()) {
        Ok(found) if !found.is_empty() => return Ok(found),
        Ok(_) => "it holds no certificate in PEM".to_owned(),
        Err(error) => chain(&error),
    };
    Err(unusable(&format!("of the certificate authority, {why}")))
}

fn unusable(why: &str) -> GitError {
    GitError::Credentials { why: why.to_owned() }
}

fn authorization(
    http: &reqwest::Client,
    credentials: Option<&Credentials>,
) -> Result<Option<HeaderValue>, GitError> {
    match credentials {
        None => Ok(None),
        Some(Credentials::Ssh { .. }) => Err(unusable("they are a key for ssh, and the url is none of ssh")),
        Some(Credentials::Token { username, token }) => {
            if username.contains(':') {
                return Err(unusable("the username has a colon in it"));
            }
            let request = http.get("https://localhost").basic_auth(username, Some(token));
            let built = request
                .build()
                .map_err(|_| unusable("they cannot be sent in a header"))?;
            Ok(built.headers().get(AUTHORIZATION).cloned())
        }
    }
}

impl Http for Client {
    type Headers = BufReader<Head>;
    type ResponseBody = BufReader<Body>;
    type PostBody = Upload;

    fn get(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix_error::Result<GetResponse<Self::Headers, Self::ResponseBody>> {
        let exchange = self.exchange(self.http.get(url), headers);
        lock(&exchange).answer().map_err(gix_error::Error::from_error)?;
        Ok(GetResponse {
            headers: BufReader::new(Head::of(&exchange)),
            body: BufReader::new(Body::of(&exchange)),
        })
    }

    fn post(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _body: PostBodyDataKind,
    ) -> gix_error::Result<PostResponse<Self::Headers, Self::ResponseBody, Self::PostBody>> {
        let exchange = self.exchange(self.http.post(url), headers);
        Ok(PostResponse {
            headers: BufReader::new(Head::of(&exchange)),
            body: BufReader::new(Body::of(&exchange)),
            post_body: Upload(exchange),
        })
    }

    fn configure(&mut self, _config: &dyn Any) -> gix_error::Result {
        Ok(())
    }
}

/// A request and its answer. The request leaves when the answer is first read: what is to be sent is whole by then.
struct Exchange {
    line: Line,
    state: State,
}

enum State {
    Asking(RequestBuilder, Vec<u8>),
    Answered(Response),
    Failed,
}

fn lock(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Exchange {
    fn answer(&mut self) -> io::Result<&mut Response> {
        if matches!(self.state, State::Asking(..))
            && let State::Asking(builder, sent) = std::mem::replace(&mut self.state, State::Failed)
        {
            let answer = self.line.runtime.block_on(builder.body(sent).send());
            let response = answer
                .map_err(|error| GitError::Unreachable {
                    why: with_advice(chain(&error.without_url())),
                })
                .and_then(accepted)
                .map_err(|error| self.line.trouble.note(error))?;
            self.state = State::Answered(response);
        }
        match &mut self.state {
            State::Answered(response) => Ok(response),
            State::Asking(..) | State::Failed => Err(io::Error::other("the request failed")),
        }
    }

    fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        let line = self.line.clone();
        let response = self.answer()?;
        line.runtime.block_on(response.chunk()).map_err(|error| {
            line.trouble.note(GitError::Damaged {
                why: format!("it ends before its end ({})", chain(&error.without_url())),
            })
        })
    }
}

/// What a status means.
fn accepted(response: Response) -> Result<Response, GitError> {
    let status = response.status();
    let why = status.to_string();
    let header = |name| {
        let value = response.headers().get(name).map(HeaderValue::as_bytes);
        String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
    };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Err(GitError::Refused { why })
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(GitError::NoRepository {
            why: format!("{why}; many servers say so, too, when the credentials may not see it"),
        }),
        status if status.is_redirection() => Err(GitError::Url {
            why: format!(
                "the server redirects to {:?}, and redirects are not followed; write the url that it has moved to",
                quoted(header(LOCATION).split(['?', '#']).next().unwrap_or_default())
            ),
        }),
        status if !status.is_success() => Err(GitError::Unreachable {
            why: format!("it answers {why}"),
        }),
        _ if !header(CONTENT_TYPE).starts_with("application/x-git-upload-pack-") => {
            Err(GitError::NoRepository {
                why: format!(
                    "there is something else at that url ({:?})",
                    quoted(&header(CONTENT_TYPE))
                ),
            })
        }
        _ => Ok(response),
    }
}

/// The headers of an answer, one a line.
pub(super) struct Head {
    exchange: Arc<Mutex<Exchange>>,
    text: Option<Cursor<String>>,
}

impl Head {
    fn of(exchange: &Arc<Mutex<Exchange>>) -> Self {
        Self {
            exchange: Arc::clone(exchange),
            text: None,
        }
    }
}

impl Read for Head {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.text.is_none() {
            let mut text = String::new();
            for (name, value) in lock(&self.exchange).answer()?.headers() {
                // Writing to a text does not fail.
                let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
            }
            self.text = Some(Cursor::new(text));
        }
        self.text.as_mut().map_or(Ok(0), |text| text.read(buffer))
    }
}

/// The body of an answer, up to its limit.
pub(super) struct Body {
    exchange: Arc<Mutex<Exchange>>,
    chunk: Bytes,
    left: u64,
}

impl Body {
    fn of(exchange: &Arc<Mutex<Exchange>>) -> Self {
        let left = lock(exchange).line.limits.pack.saturating_add(FRAMES);
        Self {
            exchange: Arc::clone(exchange),
            chunk: Bytes::new(),
            left,
        }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            let mut exchange = lock(&self.exchange);
            let Some(chunk) = exchange.chunk()? else {
                return Ok(0);
            };
            let Some(left) = self.left.checked_sub(chunk.len() as u64) else {
                let limit = bytes(exchange.line.limits.pack);
                return Err(exchange
                    .line
                    .trouble
                    .note(GitError::too_large("an answer of the server", limit)));
            };
            self.left = left;
            self.chunk = chunk;
        }
        let count = buffer.len().min(self.chunk.len());
        buffer[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}

/// What is to be sent.
pub(super) struct Upload(Arc<Mutex<Exchange>>);

impl Write for Upload {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut lock(&self.0).state {
            State::Asking(_, sent) => sent.extend_from_slice(buffer),
            State::Answered(_) | State::Failed => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
