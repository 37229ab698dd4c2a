grant select, insert on console_identities to tollkeeper_api;
grant select, insert, update, delete on console_links to tollkeeper_api;
grant select, insert, update, delete on console_attempts to tollkeeper_api;
grant select, insert, delete on console_flows to tollkeeper_api;
