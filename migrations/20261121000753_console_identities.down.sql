drop table console_identities;
