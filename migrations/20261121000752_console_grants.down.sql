revoke all on console_people, console_sessions from tollkeeper_api;
