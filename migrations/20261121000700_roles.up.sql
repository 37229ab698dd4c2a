-- What each part of Tollkeeper may do in the database is granted to these roles, and whoever logs in for
-- a part is a member of its role: the migrating user owns everything and need not serve anything.
--
-- Roles belong to the whole server and not to this database. They may be there already, or be made by
-- another database's migration at this moment; and the migrating user may have no right to make any.
do $$
declare
    wanted text;
begin
    foreach wanted in array
        array['tollkeeper_api', 'tollkeeper_ingestor', 'tollkeeper_dashboards']
    loop
        if exists (select from pg_roles where rolname = wanted) then
            continue;
        end if;
        begin
            execute format('create role %I nologin', wanted);
        exception
            when duplicate_object or unique_violation then
                null;
            when insufficient_privilege then
                raise exception
                    'the role % is missing, and % may not make roles: have an administrator of the server '
                    'run `create role tollkeeper_api nologin; create role tollkeeper_ingestor nologin; '
                    'create role tollkeeper_dashboards nologin;`, then migrate again',
                    wanted, current_user
                    using errcode = 'insufficient_privilege';
        end;
    end loop;
end
$$;

-- Elsewhere than in a new database, everybody may not be allowed what PostgreSQL allows everybody there.
do $$
begin
    execute format(
        'grant usage on schema %I to tollkeeper_api, tollkeeper_ingestor, tollkeeper_dashboards',
        current_schema()
    );
end
$$;
