-- name: append_commands
-- Many commands of one organisation, one outcome each, in one round trip.
select command, outcome, stream_version, last_position, stored_fingerprint, stored_response, claim_kind, claim_value,
    claim_owner
from append_commands(
    %(org_id)b::text,
    %(streams)b::text[], %(expected)b::integer[], %(versions)b::integer[],
    %(keys)b::text[], %(fingerprints)b::bytea[], %(responses)b::bytea[],
    %(e_command)b::integer[], %(e_streams)b::text[], %(e_versions)b::integer[], %(e_partition_keys)b::text[],
    %(e_shards)b::smallint[], %(e_ids)b::uuid[], %(e_types)b::text[], %(e_schemas)b::smallint[], %(e_data)b::text[],
    %(e_occurred_at)b::timestamptz[], %(e_actors)b::text[], %(e_correlations)b::uuid[], %(e_causations)b::uuid[],
    %(e_batches)b::uuid[],
    %(c_command)b::integer[], %(c_streams)b::text[], %(c_kinds)b::text[], %(c_values)b::text[],
    %(r_command)b::integer[], %(r_streams)b::text[], %(r_kinds)b::text[], %(r_values)b::text[]
);

-- name: append_command
-- One command with one event and a key, and its outcome.
select command, outcome, stream_version, last_position, stored_fingerprint, stored_response, claim_kind, claim_value,
    claim_owner
from append_command(
    %(org_id)s::text, %(stream)s::text, %(expected)s::integer,
    %(key)s::text, %(fingerprint)s::bytea, %(response)s::bytea,
    %(partition_key)s::text, %(shard)s::smallint, %(id)s::uuid, %(type)s::text, %(schema)s::smallint, %(data)s::text,
    %(occurred_at)s::timestamptz, %(actor)s::text, %(correlation)s::uuid, %(causation)s::uuid, %(batch)s::uuid
);
