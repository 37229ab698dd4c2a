-- Whether the ledger holds every number of each source up to the one given with it. No two ranges of a
-- source overlap, so adding up their lengths is enough.
create function usage_settled(sources uuid[], numbers bigint[]) returns boolean
language sql stable parallel safe as $$
    select not exists (
        select from unnest(sources, numbers) as wanted (source, number)
        where wanted.number > (
            select coalesce(sum(least(ledger.last, wanted.number) - ledger.first + 1), 0)
            from usage_ledger ledger
            where ledger.source = wanted.source and ledger.first <= wanted.number
        )
    )
$$;
