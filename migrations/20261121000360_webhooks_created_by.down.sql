alter table webhooks drop column created_by;
