-- An account keeps its newest plans only.
create index revocation_jobs_plans on revocation_jobs (account_id, created_at, id)
    where state = 'planned';

-- The lease is by the clock that it is compared with: the database's.
create or replace function project_revocation_jobs(rows jsonb) returns void language sql as $$
    insert into revocation_jobs
    select r.*
    from jsonb_array_elements(rows) as given
        cross join jsonb_populate_record(
            null::revocation_jobs,
            given || jsonb_build_object('leased_until', clock_timestamp() + interval '15 seconds')
        ) as r
    order by r.id
$$;
