-- name: insert_job
-- A new job, unless the key has one already.
insert into jobs (org_id, id, kind, actor, correlation_id, idempotency_key, fingerprint, parameters, payload, total)
values (%(org_id)s, %(id)s, %(kind)s, %(actor)s, %(correlation_id)s, %(key)s, %(fingerprint)s, %(parameters)s::json,
    %(payload)s, %(total)s)
on conflict (org_id, idempotency_key) where idempotency_key is not null do nothing
returning id

-- name: insert_items
-- What a job consists of, in order.
insert into job_items (org_id, job_id, number, request)
select %(org_id)s, %(id)s, place - 1, request::json
from unnest(%(requests)s::text[]) with ordinality as given (request, place)

-- name: job_of_key
-- The job that was made under a key.
select id, fingerprint from jobs where org_id = %(org_id)s and idempotency_key = %(key)s

-- name: job
-- A job with how its items stand.
select row_to_json(q)::text from (
    select j.id, j.kind, j.state, j.actor, j.correlation_id, j.parameters, j.report, j.error, j.total, j.created_at,
        j.started_at, j.finished_at,
        coalesce((
            select json_object_agg(c.state, c.items)
            from (
                select i.state, count(*) as items from job_items i
                where i.org_id = j.org_id and i.job_id = j.id group by i.state
            ) c
        ), '{}') as counts
    from jobs j where j.org_id = %(org_id)s and j.id = %(id)s
) q

-- name: payload
-- The file that a job works on.
select payload from jobs where org_id = %(org_id)s and id = %(id)s

-- name: items
-- A page of a job's items.
select coalesce(json_agg(q), '[]')::text from (
    select number, request, state, product_id, version, position, problem from job_items
    where org_id = %(org_id)s and job_id = %(id)s and number > %(after)s
        and (%(state)s::text is null or state = %(state)s)
    order by number limit %(limit)s
) q

-- name: take
-- The oldest job that nobody works on, whoever's it is.
select org_id, id, kind from take_job(%(kinds)s, make_interval(secs => %(lease)s))

-- name: settle
-- How items ended. What was done is told, also where the job was cancelled meanwhile.
update job_items i
set state = r.state, product_id = r.product_id, version = r.version, position = r.position, problem = r.problem::json
from unnest(%(numbers)s::integer[], %(states)s::text[], %(product_ids)s::text[], %(versions)s::integer[],
    %(positions)s::bigint[], %(problems)s::text[]) as r (number, state, product_id, version, position, problem)
where i.org_id = %(org_id)s and i.job_id = %(id)s and i.number = r.number and i.state in ('waiting', 'cancelled')

-- name: renew
-- Work goes on; no row when the job has been cancelled.
update jobs set lease_until = now() + make_interval(secs => %(lease)s), report = coalesce(%(report)s::json, report)
where org_id = %(org_id)s and id = %(id)s and state = 'running'
returning id

-- name: release
-- Whoever worked on it stops; anyone may go on at once.
update jobs set lease_until = '-infinity' where org_id = %(org_id)s and id = %(id)s and state = 'running'

-- name: finish
-- The end of a job; its file is not needed any more.
update jobs set state = %(state)s, error = %(error)s, report = coalesce(%(report)s::json, report), payload = null,
    finished_at = now()
where org_id = %(org_id)s and id = %(id)s and state = 'running'

-- name: cancel
-- Nothing more of the job is begun.
update jobs set state = 'cancelled', payload = null, finished_at = now()
where org_id = %(org_id)s and id = %(id)s and state in ('waiting', 'running')
returning id

-- name: cancel_items
-- What had not been done will not be.
update job_items set state = 'cancelled' where org_id = %(org_id)s and job_id = %(id)s and state = 'waiting'
