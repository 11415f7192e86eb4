-- name: record_levels
-- The last known level of each stock stream; an older event changes nothing.
insert into stock_levels (org_id, product_id, stream_id, sku, warehouse, on_hand, version)
select org_id, product_id, stream_id, sku, warehouse, on_hand, version
from unnest(
    %(org_ids)s::text[], %(product_ids)s::text[], %(stream_ids)s::text[], %(skus)s::text[], %(warehouses)s::text[],
    %(on_hand)s::bigint[], %(versions)s::integer[]
) as told (org_id, product_id, stream_id, sku, warehouse, on_hand, version)
on conflict (org_id, product_id, stream_id) do update
set on_hand = excluded.on_hand, version = excluded.version
where stock_levels.version < excluded.version;

-- name: levels_of
-- Every level of some products.
select product_id, sku, warehouse, on_hand from stock_levels
where org_id = %(org_id)s and product_id = any (%(product_ids)s);
