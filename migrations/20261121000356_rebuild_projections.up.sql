-- Rebuilds the projected tables beside the live ones, compares them, and replaces what differs.
--
-- What is rebuilt stands in temporary tables: they have the columns of the live ones as these are
-- today, nobody else sees them, and they go with the session, so that a rebuild that was killed
-- leaves nothing behind. The functions name no column that they need not, so that a new column needs
-- no change here.

-- Makes the tables anew. The server is to notice within moments that the program it works for is
-- gone: until then it would hold the lock against the next one.
create function rebuild_begin() returns void language plpgsql
set client_min_messages = 'warning' as $$
begin
    perform set_config('client_connection_check_interval', '1s', false);
    perform rebuild_end();
    create temporary table rebuild_accounts (like accounts);
    create temporary table rebuild_api_tokens (like api_tokens);
    create temporary table rebuild_api_token_secrets (like api_token_secrets);
    create temporary table rebuild_differences (
        "table" text   not null,
        -- The account, or the token; a secret is told by its token and never by its hash.
        id      uuid   not null,
        kind    text   not null,
        columns text[] not null
    );
end
$$;

create function rebuild_end() returns void language sql
set client_min_messages = 'warning' as $$
    drop table if exists pg_temp.rebuild_accounts, pg_temp.rebuild_api_tokens,
        pg_temp.rebuild_api_token_secrets, pg_temp.rebuild_differences
$$;

-- Takes the rows of whole histories, in the form of `project`. Those of `again` were taken before, at
-- an earlier position.
create function rebuild_take(again uuid[], projections jsonb) returns void language plpgsql as $$
begin
    if cardinality(again) > 0 then
        delete from rebuild_accounts where id = any (again);
        delete from rebuild_api_tokens where id = any (again);
        delete from rebuild_api_token_secrets where token_id = any (again);
    end if;
    insert into rebuild_accounts
    select r.* from jsonb_populate_recordset(null::accounts, projections -> 'accounts') as r;
    insert into rebuild_api_tokens
    select r.* from jsonb_populate_recordset(null::api_tokens, projections -> 'api_tokens') as r;
    insert into rebuild_api_token_secrets
    select r.*
    from jsonb_populate_recordset(null::api_token_secrets, projections -> 'api_token_secrets') as r;
end
$$;

-- To be called once most rows are there: nobody else looks after temporary tables.
create function rebuild_index() returns void language plpgsql as $$
begin
    alter table rebuild_accounts add primary key (id);
    alter table rebuild_api_tokens add primary key (id);
    alter table rebuild_api_token_secrets add primary key (secret_hash);
    create index on rebuild_api_token_secrets (token_id);
    analyze rebuild_accounts, rebuild_api_tokens, rebuild_api_token_secrets;
end
$$;

-- Which columns of two rows differ; none where there is one row only.
create function rebuild_differing_columns(live jsonb, rebuilt jsonb) returns text[]
language sql immutable as $$
    select coalesce(array_agg(l.key order by l.key), '{}')
    from jsonb_each(live) as l
    where rebuilt is not null and l.value is distinct from rebuilt -> l.key
$$;

-- Notes every row that the live tables have and should not have, or the other way round, or that is
-- not the same. All columns are compared.
create function rebuild_compare() returns void language plpgsql as $$
begin
    truncate rebuild_differences;

    insert into rebuild_differences
    select 'accounts', coalesce(l.id, r.id),
        case when r.id is null then 'extra' when l.id is null then 'missing' else 'different' end,
        rebuild_differing_columns(to_jsonb(l), to_jsonb(r))
    from accounts as l full join rebuild_accounts as r on r.id = l.id
    where l::record is distinct from r::record;

    insert into rebuild_differences
    select 'api_tokens', coalesce(l.id, r.id),
        case when r.id is null then 'extra' when l.id is null then 'missing' else 'different' end,
        rebuild_differing_columns(to_jsonb(l), to_jsonb(r))
    from api_tokens as l full join rebuild_api_tokens as r on r.id = l.id
    where l::record is distinct from r::record;

    -- A secret that stands with another token concerns both.
    insert into rebuild_differences
    select 'api_token_secrets', token.id,
        case when r.token_id is null then 'extra' when l.token_id is null then 'missing'
            else 'different' end,
        rebuild_differing_columns(to_jsonb(l), to_jsonb(r))
    from api_token_secrets as l
        full join rebuild_api_token_secrets as r on r.secret_hash = l.secret_hash
        cross join lateral (
            select distinct id from unnest(array[l.token_id, r.token_id]) as id
            where id is not null
        ) as token
    where l::record is distinct from r::record;
end
$$;

-- How many rows each table should have, and how many differ from that.
create function rebuild_counts() returns table (
    "table" text, "rows" bigint, missing bigint, extra bigint, different bigint
) language plpgsql as $$
#variable_conflict use_column
begin
    return query
    select t."table", t."rows",
        count(*) filter (where d.kind = 'missing'),
        count(*) filter (where d.kind = 'extra'),
        count(*) filter (where d.kind = 'different')
    from (
        select 'accounts' as "table", count(*) as "rows" from rebuild_accounts
        union all
        select 'api_tokens', count(*) from rebuild_api_tokens
        union all
        select 'api_token_secrets', count(*) from rebuild_api_token_secrets
    ) as t left join rebuild_differences as d on d."table" = t."table"
    group by t."table", t."rows" order by t."table";
end
$$;

-- The first differences.
create function rebuild_first_differences(most integer) returns table (
    "table" text, id uuid, kind text, columns text[]
) language plpgsql as $$
#variable_conflict use_column
begin
    return query
    select d."table", d.id, d.kind, d.columns from rebuild_differences as d
    order by d."table", d.id, d.kind, d.columns limit most;
end
$$;

-- Replaces what differs, all of it or none, where the rebuilt rows are what the log says up to
-- `up_to`. Tells whether it did: if something has happened since to an account or token that is to be
-- replaced, nothing is changed.
--
-- No row of a table that the log knows nothing of is touched, but for the personal data of an
-- account that the log does not have.
--
-- Locks are taken in the order of `append_group`: accounts by id, the head, projected rows. Under
-- the head's lock nobody else writes projected rows.
create function rebuild_replace(up_to bigint) returns boolean language plpgsql
set lock_timeout = '3s' as $$
declare
    wrong_accounts uuid[];
    wrong_tokens   uuid[];
begin
    select coalesce(array_agg(distinct d.id) filter (where d."table" = 'accounts'), '{}'),
        coalesce(array_agg(distinct d.id) filter (where d."table" <> 'accounts'), '{}')
    into wrong_accounts, wrong_tokens
    from rebuild_differences as d;

    perform from accounts where id in (
        select unnest(wrong_accounts)
        union all
        select t.account_id from api_tokens as t where t.id = any (wrong_tokens)
        union all
        select t.account_id from rebuild_api_tokens as t where t.id = any (wrong_tokens)
    ) order by id for update;
    perform from event_log_head for update;
    if exists (
        select from events
        where position > up_to
            and (stream_id = any (wrong_accounts) or stream_id = any (wrong_tokens))
    ) then
        return false;
    end if;

    delete from api_token_secrets where token_id = any (wrong_tokens);
    delete from api_tokens where id = any (wrong_tokens);

    -- Two accounts may each have what is the other's, so that neither could be put right first.
    update accounts set external_id = null, identity_issuer = null, identity_subject = null
    where id = any (wrong_accounts);
    perform project_accounts(chunk."rows") from (
        select jsonb_agg(to_jsonb(r)) as "rows" from (
            select a.*, row_number() over (order by a.id) as number
            from rebuild_accounts as a where a.id = any (wrong_accounts)
        ) as r group by (r.number - 1) / 1000
    ) as chunk;

    insert into api_tokens
    select r.* from rebuild_api_tokens as r where r.id = any (wrong_tokens) order by r.id;
    insert into api_token_secrets
    select r.* from rebuild_api_token_secrets as r where r.token_id = any (wrong_tokens)
    order by r.secret_hash;

    delete from account_profiles as p
    where p.account_id = any (wrong_accounts)
        and not exists (select from rebuild_accounts as r where r.id = p.account_id);
    delete from accounts as a
    where a.id = any (wrong_accounts)
        and not exists (select from rebuild_accounts as r where r.id = a.id);

    update event_log_head set generation = generation + 1;
    return true;
end
$$;
