-- What is worth telling about an object. The same event again counts up.
CREATE TABLE events (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid           uuid        NOT NULL DEFAULT gen_random_uuid(),
    kind          text        NOT NULL,
    namespace     text        NOT NULL,
    name          text        NOT NULL,
    regarding_uid text        NOT NULL,
    type          text        NOT NULL CHECK (type IN ('Normal', 'Warning')),
    reason        text        NOT NULL,
    message       text        NOT NULL,
    count         integer     NOT NULL DEFAULT 1,
    first_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A hash, because a message may be longer than an index entry.
CREATE UNIQUE INDEX events_repeat ON events (regarding_uid, type, reason, hashtextextended(message, 0));
CREATE INDEX events_by_age ON events (last_at);
