with rows as materialized (
    select n, token, event, secret from import_baseline where n > $1 and n <= $1 + 1000
),
head as (
    update event_log_head
    set position = position + 1000, recorded_at = clock_timestamp(),
        hash = (select secret from rows where n = $1 + 1000)
    returning position - 1000 as before, recorded_at
),
logged as (
    insert into events (
        position, event_id, stream_type, stream_id, stream_version, type, schema_version, payload,
        actor, request_id, occurred_at, recorded_at, hash, account_id
    )
    select before + n - $1, event, 'token', token, 1, 'TokenImported', 1, $3, 'operator:bench',
        '01890a5d-ac96-774b-bcce-b302099a8058', recorded_at, recorded_at, secret, $2
    from rows, head
),
known as (
    insert into api_tokens (
        id, account_id, name, environment, token_prefix, scopes, metadata, expires_at, state,
        created_at, updated_at, version
    )
    select token, $2, 'a token', 'live', 'old_Ab3x', array['orders:read', 'orders:write'],
        '{"team": "billing"}', recorded_at + interval '1 day', 'active', recorded_at, recorded_at, 1
    from rows, head
)
insert into api_token_secrets (secret_hash, token_id) select secret, token from rows
