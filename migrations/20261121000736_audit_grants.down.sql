revoke all on audit_entries, audit_refusals from tollkeeper_api, tollkeeper_dashboards;
