do $$
begin
    if to_regclass('_sqlx_migrations') is not null then
        revoke select on _sqlx_migrations from tollkeeper_api, tollkeeper_ingestor;
    end if;
end
$$;
