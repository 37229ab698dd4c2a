-- Run once, by the superuser, when compose.yaml's Postgres makes its data folder: who may log in, and as
-- what. Everything else is the migrations', which the owner applies.
\set owner_password `cat /run/secrets/database_owner_password`
\set api_password `cat /run/secrets/database_api_password`
\set ingestor_password `cat /run/secrets/database_ingestor_password`
\set dashboards_password `cat /run/secrets/dashboards_database_password`

create role tollkeeper_api nologin;
create role tollkeeper_ingestor nologin;
create role tollkeeper_dashboards nologin;
-- Nobody logs in with it here: it is for services of yours that check tokens themselves.
create role tollkeeper_gate nologin;

create role tollkeeper_owner login password :'owner_password';
-- So that runbooks can see what others do at the server, and end it.
grant pg_read_all_stats, pg_signal_backend to tollkeeper_owner;
create role api login password :'api_password' in role tollkeeper_api;
create role ingestor login password :'ingestor_password' in role tollkeeper_ingestor;
create role dashboards login password :'dashboards_password' in role tollkeeper_dashboards;

create database tollkeeper owner tollkeeper_owner;
revoke connect, temporary on database tollkeeper from public;
grant connect on database tollkeeper
    to tollkeeper_api, tollkeeper_ingestor, tollkeeper_dashboards, tollkeeper_gate;
