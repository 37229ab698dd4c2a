drop table usage_ledger;
