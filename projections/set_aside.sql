-- name: of_key
-- Who has set a key aside.
select parts::text from set_aside where key = %(key)s
