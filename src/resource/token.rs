//! Tokens and the way in over the network, as the API tells of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::access::Grant;

/// A token that is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewToken {
    /// What people call it, a DNS-1123 label.
    pub name: String,
    /// What its bearer may do.
    #[serde(flatten)]
    pub grant: Grant,
    /// For how long, at most a hundred years; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u64>,
}

/// A token as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenInfo {
    /// What people call it.
    pub name: String,
    /// What its bearer may do.
    #[serde(flatten)]
    pub grant: Grant,
    /// When it was made.
    pub created: Timestamp,
    /// By whom; `None` where that is not known any more.
    pub created_by: Option<String>,
    /// From when on it counts no more; `None` for never.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// By whom.
    pub revoked_by: Option<String>,
    /// The token itself, when it is made and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// All tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenList {
    /// By name.
    pub items: Vec<TokenInfo>,
}

/// Where the API is served over the network, and what its clients trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WayIn {
    /// For example `https://127.0.0.1:6443`.
    pub server: String,
    /// The certificate that the server's is signed by, as PEM; empty when it is one of the user's own.
    pub certificate_authority: String,
}
