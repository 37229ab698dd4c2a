create or replace function lock_accounts(
    active         uuid[],
    changing       uuid[],
    limited        uuid[],
    additions      integer[],
    default_limits integer[]
) returns void language plpgsql as $$
declare
    account     uuid;
    found_state text;
    own_limit   integer;
    most        integer;
    adding      integer;
    live        integer;
begin
    for account in
        select distinct id from unnest(active || changing || limited) as id order by id
    loop
        if account = any (changing) then
            select state, token_limit into found_state, own_limit
            from accounts where id = account for update;
        elsif account = any (limited) then
            select state, token_limit into found_state, own_limit
            from accounts where id = account for no key update;
        else
            select state, token_limit into found_state, own_limit
            from accounts where id = account for share;
        end if;
        if account = any (active) and found_state is distinct from 'active' then
            raise exception 'account is not active' using errcode = 'TK001', detail = account;
        end if;
        if account = any (limited) then
            select sum(l.adding), nullif(coalesce(own_limit, min(l.most)), 0) into adding, most
            from unnest(limited, additions, default_limits) as l (id, adding, most)
            where l.id = account;
            if most is not null then
                select count(*) into live from (
                    select from api_tokens as t
                    where t.account_id = account and t.state <> 'revoked'
                        and (t.expires_at is null or t.expires_at > clock_timestamp())
                    limit most
                ) as counted;
                if live + adding > most then
                    raise exception 'account has too many tokens'
                        using errcode = 'TK002', detail = account;
                end if;
            end if;
        end if;
    end loop;
end
$$;
