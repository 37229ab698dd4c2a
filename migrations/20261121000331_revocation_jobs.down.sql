drop function project_revocation_job_tokens(jsonb);
drop function project_revocation_jobs(jsonb);
drop table revocation_job_tokens;
drop table revocation_jobs;
