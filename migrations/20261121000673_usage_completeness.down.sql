drop view usage_completeness;
