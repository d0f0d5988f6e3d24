//! The Kubernetes-conventions API, health and metrics: the only room that knows axum.
//!
//! ```text
//! server (Unix socket), tcp (TLS) -> connections -> trace -> authenticate (tokens, jwt) -> limits -> router -> paths, options, payload
//!    -> verbs::{read, watch, write, delete, status, scale, plan, history, simulate} -> admission, judge, escalation -> store
//!    -> agents, logs, events, namespaces, definitions (views: polled, kept), pods and services (none) · discovery, openapi · reviews, tokens · health
//! a forge -> hooks (a proof of its own in the place of a token) -> verbs::change -> store
//! a program of this process -> declare -> admission, judge, escalation
//! every failure -> status::ApiError -> a Kubernetes `Status`
//! ```

mod admission;
mod agents;
mod answer;
mod authenticate;
mod caller;
mod connections;
mod declare;
mod definitions;
mod discovery;
mod escalation;
mod events;
mod form;
mod health;
mod hooks;
mod identity;
mod impatient;
mod judge;
mod jwt;
mod kept;
mod limits;
mod logs;
mod lowering;
mod namespaces;
mod openapi;
mod options;
mod paths;
mod payload;
mod places;
mod pods;
mod polled;
mod quota;
mod rates;
mod recent;
mod reviews;
mod router;
mod server;
mod services;
mod state;
mod status;
mod stream;
mod table;
mod tcp;
mod tls;
mod tokens;
mod trace;
mod transfer;
mod verbs;
mod way_in;
mod write_options;
mod yaml;

pub use caller::Home;
pub use connections::MAX_CONNECTIONS;
pub use declare::{Changes, Declaration, DeclareError, Wanted};
pub use jwt::{JwtIssuer, JwtKeyError};
pub use kept::Kept;
pub use limits::{MAX_BODY, TIMEOUT};
pub use places::{MAX_REQUESTS, MAX_REQUESTS_OF_ONE};
pub use quota::Turns;
pub use router::router;
pub use server::{ServeError, Socket};
pub use state::Api;
pub use tcp::{ListenError, SecurePort};
pub use tls::{Authority, TlsError, from_files};
