-- Which uids an object names as its owners (metadata.ownerReferences), so that what belongs to one that goes is found.
--
-- Until now nothing was deleted with its owner. Owners that are not there any more, or never were, are forgotten here, once,
-- so that nothing is deleted because of them now.
UPDATE objects AS object
SET metadata = object.metadata - 'ownerReferences' || coalesce((
    SELECT jsonb_build_object('ownerReferences', jsonb_agg(reference))
    FROM jsonb_array_elements(object.metadata->'ownerReferences') AS reference
    WHERE reference->>'apiVersion' <> 'chorus.services/v1'
       OR EXISTS (SELECT FROM objects AS owner
                  WHERE owner.uid = reference->>'uid' AND owner.namespace = object.namespace
                    AND owner.kind = reference->>'kind' AND owner.name = reference->>'name')
    HAVING count(*) > 0
), '{}'::jsonb)
WHERE jsonb_typeof(object.metadata->'ownerReferences') = 'array';

-- In a column of its own: with an index on metadata itself, no row could be updated in place.
ALTER TABLE objects ADD COLUMN owners jsonb
    GENERATED ALWAYS AS (nullif(jsonb_path_query_array(metadata, '$.ownerReferences[*].uid'), '[]'::jsonb)) STORED;
CREATE INDEX objects_of_owner ON objects USING gin (owners) WHERE owners IS NOT NULL;
