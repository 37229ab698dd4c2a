-- Finds the run that a source belongs to.
create index usage_reporters_by_source on usage_reporters using gin (sources);
