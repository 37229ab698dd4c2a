-- The role stays: other databases of the server may use it.
do $$
begin
    execute format('revoke usage on schema %I from tollkeeper_gate', current_schema());
end
$$;
