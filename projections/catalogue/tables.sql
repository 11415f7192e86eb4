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
create or replace view projections.{view} with (security_invoker = true) as
select org_id, version, position, product_id, sku, name, base_price, currency, cost_price, short_description, description,
    dimensions, category, subcategory, tags, images, variants, overrides, status, created_at, created_position, updated_at,
    search
from {table};
select show_limit();
create or replace function projections.catalogue_search(wanted text, words tsquery)
    returns table (product_id text, rank integer)
    language sql stable security definer
    set search_path = pg_catalog, public
    set pg_trgm.word_similarity_threshold = 0.5
as $$
    select c.product_id,
        case
            when lower(c.name) = wanted then 4000
            when starts_with(lower(c.name), wanted) then 3000
            when to_tsvector('simple', c.name) @@ words then 2000
            when strpos(c.search, wanted) > 0 then 1500
            when to_tsvector('simple', c.search) @@ words then 1000
            else 0
        end + round(1000 * word_similarity(wanted, c.search))::integer
    from projections.{view} c
    where c.org_id = current_org()
        and (
            to_tsvector('simple', c.search) @@ words
            or wanted !~ '[0-9]' and wanted <% c.search
            or length(wanted) > 2 and c.search like '%' || regexp_replace(wanted, '([\\%_])', '\\\1', 'g') || '%'
        )
$$;
revoke all on function projections.catalogue_search from public;
grant execute on function projections.catalogue_search to syncstore_app
