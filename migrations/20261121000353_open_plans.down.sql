create or replace function project_revocation_jobs(rows jsonb) returns void language sql as $$
    insert into revocation_jobs
    select r.* from jsonb_populate_recordset(null::revocation_jobs, rows) as r order by r.id
$$;

drop index revocation_jobs_plans;
