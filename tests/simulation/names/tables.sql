-- name: table
-- The rows.
create table {table} (org_id text, version integer, position bigint, stream_id text, name text, folded integer[]);

-- name: indexes
-- After the rows.
alter table {table} add primary key (org_id, stream_id);

-- name: view
-- What readers ask.
create or replace view projections.{view} as select * from {table};
