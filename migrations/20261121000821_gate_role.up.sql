-- What a gate may do in the database, the layer in a service that reads the primary itself, is granted to a
-- role of its own: such a service is somebody else's program, and must not be able to change what it checks.
--
-- As for the other roles: it belongs to the whole server, may be there already, may be made by another
-- database's migration at this moment, and the migrating user may have no right to make it.
do $$
begin
    if exists (select from pg_roles where rolname = 'tollkeeper_gate') then
        return;
    end if;
    create role tollkeeper_gate nologin;
exception
    when duplicate_object or unique_violation then
        null;
    when insufficient_privilege then
        raise exception
            'the role tollkeeper_gate is missing, and % may not make roles: have an administrator of the server '
            'run `create role tollkeeper_gate nologin;`, then migrate again',
            current_user
            using errcode = 'insufficient_privilege';
end
$$;

do $$
begin
    execute format('grant usage on schema %I to tollkeeper_gate', current_schema());
end
$$;
