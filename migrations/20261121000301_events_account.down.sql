drop index events_account;
alter table events drop column account_id;
