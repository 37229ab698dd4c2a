revoke all on console_identities, console_links, console_attempts, console_flows from tollkeeper_api;
