-- What is older than it is kept for goes in batches. The API may add to the audit log and not take from
-- it, so this runs as the owner, and takes nothing that is younger than the shortest retention there is:
-- whoever has the API's login cannot cover their tracks.
create function audit_forget(moment timestamptz, most integer) returns integer
    language plpgsql security definer as $$
declare
    entries  integer;
    refusals integer;
begin
    if moment > clock_timestamp() - interval '30 days' then
        raise exception 'the audit log is kept for 30 days at least' using errcode = 'TK011';
    end if;
    delete from audit_entries where number in (
        select number from audit_entries where recorded_at < moment
        order by recorded_at, number limit most
    );
    get diagnostics entries = row_count;
    delete from audit_refusals where number in (
        select number from audit_refusals where first_at < moment
        order by first_at, number limit most - entries
    );
    get diagnostics refusals = row_count;
    return entries + refusals;
end
$$;
do $$
begin
    execute format(
        'alter function audit_forget(timestamptz, integer) set search_path = %I, pg_temp', current_schema()
    );
end
$$;
revoke execute on function audit_forget(timestamptz, integer) from public;
grant execute on function audit_forget(timestamptz, integer) to tollkeeper_api;
