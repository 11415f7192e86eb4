-- Who may call the API, what they were answered, and the work they left to be done in the background.
-- phase: before the code that uses it

create table api_keys (
    org_id text not null,
    id text not null primary key,
    name text not null,
    hash bytea not null,
    scopes text[] not null,
    created_at timestamptz not null default now(),
    revoked_at timestamptz,
    last_used_at timestamptz
);

comment on column api_keys.hash is 'SHA-256 of the secret, which is 256 random bits: there is nothing to guess, so no slow hash is needed.';

create index api_keys_org on api_keys (org_id, created_at);

create table command_answers (
    org_id text not null,
    key text not null,
    fingerprint bytea not null,
    answer bytea not null,
    created_at timestamptz not null default now(),
    primary key (org_id, key)
);

comment on table command_answers is
    'Answers to commands that touch several streams; those of one stream keep theirs in idempotency_keys.';

create index command_answers_created_at on command_answers using brin (created_at);

create table jobs (
    org_id text not null,
    id uuid not null,
    kind text not null,
    state text not null default 'waiting' check (state in ('waiting', 'running', 'finished', 'cancelled', 'failed')),
    actor text not null,
    correlation_id uuid not null,
    idempotency_key text,
    fingerprint bytea,
    parameters json not null,
    payload bytea,
    report json,
    error text,
    total integer not null,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    lease_until timestamptz not null default '-infinity',
    primary key (org_id, id)
);

comment on column jobs.payload is 'The file of an import, until the job has ended.';
comment on column jobs.lease_until is 'Whoever works on the job renews it; when it has run out, anyone may go on.';

create unique index jobs_idempotency on jobs (org_id, idempotency_key) where idempotency_key is not null;
create index jobs_open on jobs (created_at) where state in ('waiting', 'running');

create table job_items (
    org_id text not null,
    job_id uuid not null,
    number integer not null,
    request json not null,
    state text not null default 'waiting' check (state in ('waiting', 'done', 'unchanged', 'refused', 'cancelled')),
    product_id text,
    version integer,
    position bigint,
    problem json,
    primary key (org_id, job_id, number),
    foreign key (org_id, job_id) references jobs (org_id, id) on delete cascade
) with (fillfactor = 80);

do $$
declare
    name text;
begin
    foreach name in array array['api_keys', 'command_answers', 'jobs', 'job_items'] loop
        execute format('alter table %I enable row level security', name);
        execute format('create policy own_org on %I to syncstore_app using (org_id = current_org()) '
                       'with check (org_id = current_org())', name);
        execute format('create policy every_org on %I to syncstore_worker using (true) with check (true)', name);
        execute format('grant select, insert, update on %I to syncstore_app', name);
        execute format('grant select, insert, update, delete on %I to syncstore_worker', name);
    end loop;
end
$$;

-- Whose key it is is known only when it has been found, so these three see across organisations: one key or job each.
create function api_key(asked text)
    returns table (org_id text, name text, hash bytea, scopes text[])
    language sql stable security definer set search_path = public
    as $$ select org_id, name, hash, scopes from api_keys where id = asked and revoked_at is null $$;

create function api_key_used(used text) returns void
    language sql security definer set search_path = public
    as $$
        update api_keys set last_used_at = now()
        where id = used and (last_used_at is null or last_used_at < now() - interval '1 minute')
    $$;

create function take_job(kinds text[], lease interval)
    returns table (org_id text, id uuid, kind text)
    language sql security definer set search_path = public
    as $$
        update jobs set state = 'running', started_at = coalesce(started_at, now()), lease_until = now() + lease
        where (jobs.org_id, jobs.id) in (
            select org_id, id from jobs
            where state in ('waiting', 'running') and lease_until < now() and kind = any (kinds)
            order by created_at limit 1 for update skip locked
        )
        returning org_id, id, kind
    $$;

revoke all on function api_key, api_key_used, take_job from public;
grant execute on function api_key, api_key_used, take_job to syncstore_app, syncstore_worker;

-- Readiness compares what is there with what the code was written for.
grant select on schema_migrations to syncstore_app, syncstore_worker;
