-- The API adds entries and counts refusals, and removes neither; see audit_forget. Dashboards show who was
-- refused what, and not from where.
grant select, insert on audit_entries to tollkeeper_api;
grant select, insert, update (last_at, count) on audit_refusals to tollkeeper_api;

grant select (recorded_at, actor, action, subject_type, subject_id) on audit_entries
    to tollkeeper_dashboards;
grant select (first_at, last_at, count, actor, operation, status, code) on audit_refusals
    to tollkeeper_dashboards;
