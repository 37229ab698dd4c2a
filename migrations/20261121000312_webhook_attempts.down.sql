drop table webhook_attempts;
