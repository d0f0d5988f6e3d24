-- Who may come in over the network. A token itself is never stored: what it is known by is its SHA-256.
CREATE TABLE tokens (
    name       text        COLLATE "C" PRIMARY KEY,
    hash       bytea       NOT NULL UNIQUE CHECK (length(hash) = 32),
    role       text        NOT NULL CHECK (role IN ('admin', 'edit', 'view', 'agent')),
    -- NULL is all of them.
    namespaces text[],
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    used_at    timestamptz
);
