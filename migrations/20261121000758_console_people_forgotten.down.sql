revoke delete on console_people from tollkeeper_api;
