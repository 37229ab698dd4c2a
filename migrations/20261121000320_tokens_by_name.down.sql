drop index api_tokens_name;
drop extension pg_trgm;
