drop table console_flows;
