-- name: append_commands
-- Many commands of one organisation, one outcome each, in one round trip.
select command, outcome, stream_version, last_position, stored_fingerprint, stored_response, claim_kind, claim_value,
    claim_owner
from append_commands(
    %(org_id)s::text,
    %(streams)s::text[], %(partition_keys)s::text[], %(shards)s::smallint[], %(expected)s::integer[],
    %(events)s::integer[],
    %(keys)s::text[], %(fingerprints)s::bytea[], %(responses)s::bytea[],
    %(e_command)s::integer[], %(e_ids)s::uuid[], %(e_types)s::text[], %(e_schemas)s::smallint[], %(e_data)s::text[],
    %(e_occurred_at)s::timestamptz[], %(e_actors)s::text[], %(e_correlations)s::uuid[], %(e_causations)s::uuid[],
    %(e_batches)s::uuid[],
    %(c_command)s::integer[], %(c_kinds)s::text[], %(c_values)s::text[],
    %(r_command)s::integer[], %(r_kinds)s::text[], %(r_values)s::text[]
);
