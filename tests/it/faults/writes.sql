-- What the controllers write, in order, and by which of their lives.
CREATE TABLE written (revision bigint, life text);
-- What is to happen at which of the workload's writes, counted since the sequence began anew.
CREATE TABLE armed (nth bigint, act text);
CREATE SEQUENCE reached MINVALUE 0 START 0;
CREATE SEQUENCE met MINVALUE 0 START 0;

CREATE FUNCTION meet_fault() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- Sequences count what is rolled back, too.
    number bigint;
    found text;
BEGIN
    INSERT INTO written VALUES (NEW.revision, current_setting('application_name'));
    IF NEW.name = 'pay' THEN
        number := nextval('reached');
        SELECT act INTO found FROM armed WHERE nth = number;
        IF found IS NOT NULL THEN
            PERFORM nextval('met');
        END IF;
        IF found = 'refuse' THEN
            RAISE EXCEPTION 'refused by the plan' USING ERRCODE = 'query_canceled';
        ELSIF found = 'hold' THEN
            PERFORM pg_advisory_xact_lock(7);
        END IF;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER meet_fault BEFORE INSERT ON revisions FOR EACH ROW
WHEN (NEW.actor = 'system:whoosh:controller') EXECUTE FUNCTION meet_fault();
