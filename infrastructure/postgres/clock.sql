-- name: now
-- The time of the database.
select clock_timestamp();
