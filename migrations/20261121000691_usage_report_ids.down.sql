drop table usage_report_ids;
