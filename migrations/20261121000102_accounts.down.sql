drop function project_account_profiles(jsonb);
drop function project_accounts(jsonb);
drop table account_profiles;
drop table accounts;
