-- name: views
-- Every generation with the size of its table and how far its fill is.
select g.view, g.generation, g.shape, g.state, g.started_at, g.live_at, g.events,
    (select pg_total_relation_size(c.oid) from pg_class c
        where c.oid = to_regclass('projections.' || g.view || '_' || g.generation)) as bytes,
    (select greatest(c.reltuples, 0)::bigint from pg_class c
        where c.oid = to_regclass('projections.' || g.view || '_' || g.generation)) as rows,
    coalesce((select sum(b.expected) from projection_buckets b
        where b.view = g.view and b.generation = g.generation), 0)::bigint as expected,
    coalesce((select sum(b.events) from projection_buckets b
        where b.view = g.view and b.generation = g.generation), 0)::bigint as filled
from projection_generations g
order by g.view, g.generation
