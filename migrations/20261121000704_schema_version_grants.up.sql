-- A process looks whether the schema is the one that it was built for. The table is the migrator's own,
-- and is not there where the migrations are applied by other means.
do $$
begin
    if to_regclass('_sqlx_migrations') is not null then
        grant select on _sqlx_migrations to tollkeeper_api, tollkeeper_ingestor;
    end if;
end
$$;
