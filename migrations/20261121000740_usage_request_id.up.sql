-- By which a call is found again: the id that the client or its proxy gave the request, or that the answer
-- told. Null where there was none. No index: a call is looked for among those of a token.
alter table api_token_usage add column request_id text;
