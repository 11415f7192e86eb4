-- name: freshness
-- The mark of the slowest partition that has records waiting, else of the furthest; and how many wait.
select json_build_object(
    'position', coalesce(min(position) filter (where highwater > next_offset), max(position), 0),
    'lag', coalesce(sum(greatest(highwater - next_offset, 0)), 0),
    'moved_at', max(moved_at),
    'measured_at', min(measured_at),
    'anything_set_aside', (select found from anything_set_aside)
)::text
from consumer_offsets
where consumer = %(consumer)s

-- name: reached
-- Whether the last fact applied of a stream is at or beyond a position.
select coalesce((
    select position >= %(position)s
    from projections.history
    where org_id = %(org_id)s and stream_id = %(stream_id)s
    order by version desc
    limit 1
), false)
