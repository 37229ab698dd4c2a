grant select, insert, update, delete on console_devices to tollkeeper_api;
