-- What people declared. An object's resourceVersion is the column `revision` alone, never a part of `metadata`.
CREATE TABLE objects (
    kind       text   COLLATE "C" NOT NULL,
    namespace  text   COLLATE "C" NOT NULL,
    name       text   COLLATE "C" NOT NULL,
    uid        text   NOT NULL UNIQUE CHECK (uid <> ''),
    generation bigint NOT NULL,
    revision   bigint NOT NULL,
    metadata   jsonb  NOT NULL,
    spec       jsonb  NOT NULL,
    status     jsonb,
    PRIMARY KEY (kind, namespace, name)
);

-- Every change of an object, in commit order.
CREATE TABLE revisions (
    revision  bigint      PRIMARY KEY,
    change    text        NOT NULL CHECK (change IN ('Added', 'Modified', 'Deleted')),
    kind      text        COLLATE "C" NOT NULL,
    namespace text        COLLATE "C" NOT NULL,
    name      text        COLLATE "C" NOT NULL,
    object    jsonb       NOT NULL,
    actor     text        NOT NULL,
    reason    text        NOT NULL,
    at        timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX revisions_of_object ON revisions (kind, namespace, name, revision);

-- One row. A write locks it last and holds it to its commit, so that revisions are numbered in commit order.
CREATE TABLE head (
    single      boolean PRIMARY KEY DEFAULT true CHECK (single),
    revision    bigint  NOT NULL DEFAULT 0,
    -- Revisions up to this one have been forgotten.
    compacted   bigint  NOT NULL DEFAULT 0,
    -- The leader's epoch: here, so that a write checks it under the lock that it takes anyway.
    epoch       bigint  NOT NULL DEFAULT 0,
    instance_id uuid    NOT NULL DEFAULT gen_random_uuid()
) WITH (fillfactor = 10);

INSERT INTO head DEFAULT VALUES;

-- Wakes watchers at commit. They read the log themselves.
CREATE FUNCTION notify_revisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('whoosh_revisions', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER revisions_notify AFTER INSERT ON revisions FOR EACH STATEMENT EXECUTE FUNCTION notify_revisions();
