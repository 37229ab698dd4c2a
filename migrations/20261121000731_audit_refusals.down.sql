drop table audit_refusals;
