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
    /// By whom; `None` for a token of before that was kept.
    pub created_by: Option<String>,
    /// From when on it counts no more; `None` for never.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub used: Option<Timestamp>,
    /// When it was revoked, and by whom.
    pub revoked: Option<(Timestamp, String)>,
}

struct Row {
    name: String,
    role: String,
    namespaces: Option<Vec<String>>,
    created: i64,
    created_by: Option<String>,
    expires: Option<i64>,
    used: Option<i64>,
    revoked: Option<i64>,
    revoked_by: Option<String>,
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
            created_by: self.created_by,
            // An end that no calendar has is as good as the last day that there is.
            expires: self
                .expires
                .map(|at| row::timestamp(at).unwrap_or(Timestamp::MAX)),
            used: self.used.map(row::timestamp).transpose()?,
            revoked: self.revoked.map(row::timestamp).transpose()?.zip(self.revoked_by),
        })
    }
}

impl Store {
    /// Keeps a token that `actor` makes, for `lifetime` or for ever; `None` when the name is taken.
    pub async fn create_token(
        &self,
        name: &str,
        hash: &TokenHash,
        grant: &Grant,
        lifetime: Option<Duration>,
        actor: &str,
    ) -> Result<Option<Token>, StoreError> {
        let namespaces = grant
            .namespaces
            .as_ref()
            .map(|all| all.iter().cloned().collect::<Vec<_>>());
        let query = sqlx::query_as!(
            Row,
            r#"
            INSERT INTO tokens (name, hash, role, namespaces, expires_at, created_by)
            VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5), $6)
            ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING
            RETURNING name, role, namespaces,
                      (extract(epoch FROM created_at) * 1000000)::bigint AS "created!",
                      (extract(epoch FROM expires_at) * 1000000)::bigint AS expires,
                      (extract(epoch FROM used_at) * 1000000)::bigint AS used,
                      (extract(epoch FROM revoked_at) * 1000000)::bigint AS revoked, created_by, revoked_by
            "#,
            name,
            hash.as_slice(),
            grant.role.word(),
            namespaces.as_deref(),
            lifetime.map(|lifetime| lifetime.as_secs_f64()),
            actor,
        );
        let made = ask(query.fetch_optional(self.pool())).await?;
        made.map(Row::into_token).transpose()
    }

    /// The token of a hash, unless it has expired or was revoked; notes that it was used.
    pub async fn token(&self, hash: &TokenHash) -> Result<Option<Token>, StoreError> {
        let query = sqlx::query_as!(
            Row,
            r#"
            WITH used AS (
                UPDATE tokens SET used_at = clock_timestamp()
                WHERE hash = $1 AND revoked_at IS NULL
                  AND (used_at IS NULL OR used_at < clock_timestamp() - make_interval(secs => $2))
            )
            SELECT name, role, namespaces,
                   (extract(epoch FROM created_at) * 1000000)::bigint AS "created!",
                   (extract(epoch FROM expires_at) * 1000000)::bigint AS expires,
                   (extract(epoch FROM used_at) * 1000000)::bigint AS used,
                   (extract(epoch FROM revoked_at) * 1000000)::bigint AS revoked, created_by, revoked_by
            FROM tokens
            WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
            "#,
            hash.as_slice(),
            USE_PERIOD.as_secs_f64(),
        );
        let found = ask(query.fetch_optional(self.pool())).await?;
        found.map(Row::into_token).transpose()
    }

    /// All tokens, by name; with `revoked`, those that were revoked, too.
    pub async fn tokens(&self, revoked: bool) -> Result<Vec<Token>, StoreError> {
        let query = sqlx::query_as!(
            Row,
            r#"
            SELECT name, role, namespaces,
                   (extract(epoch FROM created_at) * 1000000)::bigint AS "created!",
                   (extract(epoch FROM expires_at) * 1000000)::bigint AS expires,
                   (extract(epoch FROM used_at) * 1000000)::bigint AS used,
                   (extract(epoch FROM revoked_at) * 1000000)::bigint AS revoked, created_by, revoked_by
            FROM tokens
            WHERE $1 OR revoked_at IS NULL
            ORDER BY name, id
            "#,
            revoked,
        );
        let rows = ask(query.fetch_all(self.pool())).await?;
        rows.into_iter().map(Row::into_token).collect()
    }

    /// Has a token open nothing any more, and keeps that `actor` did so; whether there was one.
    pub async fn revoke_token(&self, name: &str, actor: &str) -> Result<bool, StoreError> {
        let query = sqlx::query!(
            r#"
            UPDATE tokens SET revoked_at = clock_timestamp(), revoked_by = $2
            WHERE name = $1 AND revoked_at IS NULL
            "#,
            name,
            actor,
        );
        Ok(ask(query.execute(self.pool())).await?.rows_affected() > 0)
    }
}
