-- Who may act. Times are this server's alone.
CREATE TABLE leases (
    name       text        PRIMARY KEY,
    -- NULL once it was given up.
    holder     text,
    -- Grows with each change of holder.
    epoch      bigint      NOT NULL,
    expires_at timestamptz NOT NULL
);
