-- Which uids an object names as its owners (metadata.ownerReferences), so that what belongs to one that goes is found. In a
-- column of its own: with an index on metadata itself, no row could be updated in place.
ALTER TABLE objects ADD COLUMN owners jsonb
    GENERATED ALWAYS AS (nullif(jsonb_path_query_array(metadata, '$.ownerReferences[*].uid'), '[]'::jsonb)) STORED;
CREATE INDEX objects_of_owner ON objects USING gin (owners) WHERE owners IS NOT NULL;
