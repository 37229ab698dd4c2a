drop table usage_sources;
