drop table usage_reports;
