drop table console_attempts;
