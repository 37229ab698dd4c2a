drop table quota_balances;
