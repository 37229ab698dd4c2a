-- The template under which a path counts in the rollups, for questions that only raw rows can answer:
-- segments that are numbers, UUIDs, ULIDs or long hexadecimal strings fold to {id}. The ingestor folds
-- by the same rules, and a test compares the two.
create function usage_endpoint_template(path text) returns text
language sql immutable strict parallel safe as $$
    select regexp_replace(path,
        '(^|/)(?=[^/]*[0-9])(?:[0-9]+|[0-9A-Fa-f]{16,}|[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25})(?=/|$)',
        '\1{id}', 'g')
$$;
