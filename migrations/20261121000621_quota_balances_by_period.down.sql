drop index quota_balances_period;
