-- Tells keys and tokens that a person has brought from tokens that were merely renewed.
-- phase: before the code that uses it

alter table shop_secrets add column authorisation bigint not null default 1;

comment on column shop_secrets.authorisation is 'Counts what people have brought; a connector made from an older one is made anew.';
