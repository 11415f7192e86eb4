-- name: table
-- One row per product.
create table {table} (
    org_id text not null,
    version integer not null,
    position bigint not null,
    product_id text not null,
    sku text not null,
    name text not null,
    base_price bigint not null,
    currency text not null,
    cost_price bigint,
    short_description text not null,
    description text not null,
    dimensions jsonb not null,
    category text not null,
    subcategory text not null,
    tags text[] not null,
    images jsonb not null,
    variants jsonb not null,
    overrides jsonb not null,
    status text not null,
    created_at timestamptz not null,
    created_position bigint not null,
    updated_at timestamptz not null,
    search text not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)

-- name: indexes
-- After the rows, for a fill is faster without. Of the columns that most facts change only updated_at is indexed, and by a
-- kind of index that lets an update leave the others alone (a heap-only tuple).
alter table {table} add primary key (org_id, product_id);
create unique index on {table} (org_id, created_position);
create index on {table} (org_id, category, created_position);
create index on {table} using brin (updated_at) with (pages_per_range = 8, autosummarize = on);
create index on {table} (org_id, lower(sku));
create index on {table} using gin (search gin_trgm_ops);
create index on {table} using gin (to_tsvector('simple', search))

-- name: view
-- What readers see. The function looks for words under its owner's rights, because row security lets no operator that
-- is not leakproof, such as those of text search, near an index; it confines itself to the reader's organisation.
-- It is planned for any search alike, and so by index: of the hundreds of words that slips are, statistics would make
-- most of the table.
create or replace view projections.{view} with (security_invoker = true) as
select org_id, version, position, product_id, sku, name, base_price, currency, cost_price, short_description, description,
    dimensions, category, subcategory, tags, images, variants, overrides, status, created_at, created_position, updated_at,
    search
from {table};
select show_limit();
create or replace function projections.catalogue_search(wanted text, words tsquery, slips tsquery, likely tsquery)
    returns table (product_id text, rank integer)
    language sql stable security definer rows 50
    set search_path = pg_catalog, public
    set pg_trgm.word_similarity_threshold = 0.4
    set plan_cache_mode = force_generic_plan
as $$
    -- Slips are looked for where little is found without, and rank below it; what only looks alike, where nothing is.
    -- Of many that fit, how well each does is not worth the time of finding out.
    with fitting as materialized (
        select c.product_id, lower(c.name) as name, c.search
        from projections.{view} c
        where c.org_id = (select current_org())
            and (
                to_tsvector('simple', c.search) @@ words
                -- A part of less than three letters no index has: null looks for nothing.
                or c.search like case when length(wanted) > 2
                    then '%' || regexp_replace(wanted, '([\\%_])', '\\\1', 'g') || '%'
                end
            )
    ),
    better as (
        select f.product_id,
            case
                when f.name = wanted then 4000
                when starts_with(f.name, wanted) then 3000
                when (select count(*) from fitting) > 400 then case when strpos(f.name, wanted) > 0 then 2000 else 1000 end
                when to_tsvector('simple', f.name) @@ words then 2000
                when strpos(f.search, wanted) > 0 then 1500
                else 1000
            end
            + case
                when (select count(*) from fitting) > 400 then 0
                else round(1000 * word_similarity(wanted, f.search))::integer
            end as rank
        from fitting f
    ),
    slipped as materialized (
        select c.product_id, c.name
        from projections.{view} c
        where (select count(*) from fitting) < 5
            and c.org_id = (select current_org())
            and to_tsvector('simple', c.search) @@ slips
            and c.product_id not in (select f.product_id from fitting f)
    ),
    near as (
        select s.product_id,
            500
            + case
                when (select count(*) from slipped) > 400 then 0
                else round(300 * word_similarity(wanted, s.name))::integer
                    + case when to_tsvector('simple', s.name) @@ likely then 100 else 0 end
            end as rank
        from slipped s
    ),
    alike as (
        select c.product_id, round(400 * word_similarity(wanted, c.search))::integer as rank
        from projections.{view} c
        where not exists (select from fitting)
            and not exists (select from slipped)
            and c.org_id = (select current_org())
            and wanted !~ '[0-9]'
            and wanted <% c.search
    )
    select * from better union all select * from near union all select * from alike
$$;
revoke all on function projections.catalogue_search(text, tsquery, tsquery, tsquery) from public;
grant execute on function projections.catalogue_search(text, tsquery, tsquery, tsquery) to syncstore_app
