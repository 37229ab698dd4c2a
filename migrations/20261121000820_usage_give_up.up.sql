-- Says of the process that a source belongs to that its spool is lost: what the ledger lacks of all its
-- sources was dropped, and nothing follows. Until then they hold back what is known to be complete, for ever.
-- Gives back what was given up. Should it arrive after all, it is counted all the same.
create function usage_give_up(of_source uuid) returns table (source uuid, first bigint, last bigint)
language plpgsql as $$
#variable_conflict use_column
declare
    run usage_reporters;
    lost uuid[];
begin
    select * into run from usage_reporters where sources @> array[of_source];
    if run.ended_at is null and run.seen_at > now() - interval '10 seconds' then
        raise exception 'the process on % is running and sends what it has', run.name;
    end if;
    if run.id is null and not exists (select from usage_sources where source = of_source) then
        raise exception 'there is no source %', of_source;
    end if;
    lost := coalesce(run.sources, array[of_source]);
    -- Locked as ingestors do it, so that none of them counts meanwhile.
    insert into usage_sources (source) select lane from unnest(lost) as lane order by lane
    on conflict (source) do update set last_seen_at = usage_sources.last_seen_at;
    update usage_sources as known
    set final_sequence = greatest(
        known.final_sequence,
        run.appended[array_position(run.sources, known.source)],
        (select max(ledger.last) from usage_ledger as ledger where ledger.source = known.source),
        0
    )
    where known.source = any (lost);
    return query
    insert into usage_ledger (source, first, last, outcome)
    select gap.source, gap.first, gap.last, 'dropped'
    from (
        select known.source, held.last + 1 as first,
            lead(held.first, 1, known.final_sequence + 1)
                over (partition by known.source order by held.first) - 1 as last
        from usage_sources as known
        cross join lateral (
            select 0::bigint as first, 0::bigint as last
            union all
            select ledger.first, ledger.last from usage_ledger as ledger where ledger.source = known.source
        ) as held
        where known.source = any (lost)
    ) as gap
    where gap.first <= gap.last
    returning usage_ledger.source, usage_ledger.first, usage_ledger.last;
end
$$;
