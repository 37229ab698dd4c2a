grant select, insert, update on console_people to tollkeeper_api;
grant select, insert, update, delete on console_sessions to tollkeeper_api;
