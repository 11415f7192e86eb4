-- The live runner copies large batches of rows into a table of its connection. Everybody may make such tables unless an
-- installation has taken that right from the public.
-- phase: before the code that uses it

do $$
begin
    execute format('grant temporary on database %I to syncstore_worker', current_database());
end
$$;
