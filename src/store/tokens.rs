//! Who may come in over the network: tokens, known by their hashes alone.

use std::time::Duration;

use jiff::Timestamp;

use super::{Store, StoreError, ask, row};
use crate::resource::access::Grant;

/// The SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// How precisely the last use of a token is noted: a write for each request would be one too many.
const USE_PERIOD: Duration = Duration::from_secs(60);

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What people call it.
    pub name: String,
    /// What its bearer may do.
    pub grant: Grant,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it counts no more; `None` for never.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub used: Option<Timestamp>,
}

struct Row {
    name: String,
    role: String,
    namespaces: Option<Vec<String>>,
    created: i64,
    expires: Option<i64>,
    used: Option<i64>,
}

impl Row {
    fn into_token(self) -> Result<Token, StoreError> {
        let role = self
            .role
            .parse()
            .map_err(|error| StoreError::Unreadable(format!("a token: {error}")))?;
        Ok(Token {
            name: self.name,
            grant: Grant {
                role,
                namespaces: self.namespaces.map(|all| all.into_iter().collect()),
            },
            created: row::timestamp(self.created)?,
            expires: self.expires.map(row::timestamp).transpose()?,
            used: self.used.map(row::timestamp).transpose()?,
        })
    }
}

impl Store {
    /// Keeps a token, for `lifetime` or for ever; `None` when the name is taken.
    pub async fn create_token(
        &self,
        name: &str,
        hash: &TokenHash,
        grant: &Grant,
        lifetime: Option<Duration>,
    ) -> Result<Option<Token>, StoreError> {
        let namespaces = grant
            .namespaces
            .as_ref()
            .map(|all| all.iter().cloned().collect::<Vec<_>>());
        let query = sqlx::query_as!(
            Row,
            r#"
            INSERT INTO tokens (name, hash, role, namespaces, expires_at)
            VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
            ON CONFLICT (name) DO NOTHING
            RETURNING name, role, namespaces,
                      (extract(epoch FROM created_at) * 1000000)::bigint AS "created!",
                      (extract(epoch FROM expires_at) * 1000000)::bigint AS expires,
                      (extract(epoch FROM used_at) * 1000000)::bigint AS used
            "#,
            name,
            hash.as_slice(),
            grant.role.word(),
            namespaces.as_deref(),
            lifetime.map(|lifetime| lifetime.as_secs_f64()),
        );
        let made = ask(query.fetch_optional(self.pool())).await?;
        made.map(Row::into_token).transpose()
    }

    /// The token of a hash, unless it has expired; notes that it was used.
    pub async fn token(&self, hash: &TokenHash) -> Result<Option<Token>, StoreError> {
        let query = sqlx::query_as!(
            Row,
            r#"
            WITH used AS (
                UPDATE tokens SET used_at = clock_timestamp()
                WHERE hash = $1 AND (used_at IS NULL OR used_at < clock_timestamp() - make_interval(secs => $2))
            )
            SELECT name, role, namespaces,
                   (extract(epoch FROM created_at) * 1000000)::bigint AS "created!",
                   (extract(epoch FROM expires_at) * 1000000)::bigint AS expires,
                   (extract(epoch FROM used_at) * 1000000)::bigint AS used
            FROM tokens
            WHERE hash = $1 AND (expires_at IS NULL OR expires_at > clock_timestamp())
            "#,
            hash.as_slice(),
            USE_PERIOD.as_secs_f64(),
        );
        let found = ask(query.fetch_optional(self.pool())).await?;
        found.map(Row::into_token).transpose()
    }

    /// All tokens, by name.
    pub async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        let query = sqlx::query_as!(
            Row,
            r#"
            SELECT name, role, namespaces,
                   (extract(epoch FROM created_at) * 1000000)::bigint AS "created!",
                   (extract(epoch FROM expires_at) * 1000000)::bigint AS expires,
                   (extract(epoch FROM used_at) * 1000000)::bigint AS used
            FROM tokens
            ORDER BY name
            "#,
        );
        let rows = ask(query.fetch_all(self.pool())).await?;
        rows.into_iter().map(Row::into_token).collect()
    }

    /// Forgets a token, which then opens nothing any more; whether there was one.
    pub async fn revoke_token(&self, name: &str) -> Result<bool, StoreError> {
        let query = sqlx::query!("DELETE FROM tokens WHERE name = $1", name);
        Ok(ask(query.execute(self.pool())).await?.rows_affected() > 0)
    }
}
