-- The roles stay: other databases of the server may use them.
do $$
begin
    execute format(
        'revoke usage on schema %I from tollkeeper_api, tollkeeper_ingestor, tollkeeper_dashboards',
        current_schema()
    );
end
$$;
