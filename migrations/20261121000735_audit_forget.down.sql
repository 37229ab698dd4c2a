drop function audit_forget(timestamptz, integer);
