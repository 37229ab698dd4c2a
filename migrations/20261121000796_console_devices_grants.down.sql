revoke all on console_devices from tollkeeper_api;
