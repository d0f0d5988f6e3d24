-- Who made a token and who revoked it is kept: a token that was revoked stays as a record, and its name is free again.
ALTER TABLE tokens
    -- NULL for those that were made before this was kept.
    ADD COLUMN created_by text,
    ADD COLUMN revoked_at timestamptz,
    ADD COLUMN revoked_by text,
    ADD CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)),
    DROP CONSTRAINT tokens_pkey,
    ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;
