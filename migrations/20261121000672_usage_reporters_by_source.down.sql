drop index usage_reporters_by_source;
