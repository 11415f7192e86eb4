-- name: live
-- Which generation of each view is being read, and of what shape it is.
select view, generation, shape from projection_generations where state = 'live'

-- name: of_view
-- All generations of a view.
select generation, shape, state, started_at, live_at, events
from projection_generations where view = %(view)s order by generation

-- name: begin
-- The next generation of a view.
insert into projection_generations (view, generation, shape, state)
select %(view)s, coalesce(max(generation), 0) + 1, %(shape)s, 'building'
from projection_generations where view = %(view)s
returning generation

-- name: retire
-- What is read until now.
update projection_generations set state = 'retired' where view = %(view)s and state = 'live'
returning generation

-- name: enliven
-- What is read from now on.
update projection_generations set state = 'live', live_at = clock_timestamp(), events = %(events)s
where view = %(view)s and generation = %(generation)s

-- name: forget
-- After its table is gone.
delete from projection_generations where view = %(view)s and generation = %(generation)s and state <> 'live'
