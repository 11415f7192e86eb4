-- name: linked
-- An item at the shop is this listing.
insert into shop_items (org_id, connection_id, external_id, listing_id)
values (%(org_id)s, %(connection_id)s, %(external_id)s, %(listing_id)s)
on conflict (org_id, connection_id, external_id) do update set listing_id = excluded.listing_id;

-- name: unlinked
-- The item is nobody's any more.
delete from shop_items
where org_id = %(org_id)s and connection_id = %(connection_id)s and external_id = %(external_id)s;

-- name: all_of
-- Every item of a shop that is a listing of ours.
select external_id, listing_id from shop_items
where org_id = %(org_id)s and connection_id = %(connection_id)s
order by external_id;

-- name: listings_of
-- Which listings some items are; items that are nobody's are absent.
select external_id, listing_id from shop_items
where org_id = %(org_id)s and connection_id = %(connection_id)s and external_id = any (%(external_ids)s);
