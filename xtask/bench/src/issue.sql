with new as materialized (
    select gen_random_uuid() as token, gen_random_uuid() as event,
        sha256(convert_to(gen_random_uuid()::text, 'UTF8')) as secret, clock_timestamp() as at
)
select appended.first_position
from new, append_group(
    array['ACCOUNT']::uuid[], '{}'::uuid[], array['ACCOUNT']::uuid[], array[1],
    array[null]::integer[],
    array[event], array['token'], array[token], array[1]::bigint[], array['ACCOUNT']::uuid[],
    array['TokenIssued'], array[1],
    array['\xPAYLOAD'::bytea],
    array['operator-bench'], array['01890a5d-ac96-774b-bcce-b302099a8058'], array[at],
    array[sha256(secret)],
    jsonb_build_object(
        'api_tokens', jsonb_build_array(jsonb_build_object(
            'id', token, 'account_id', 'ACCOUNT', 'name', 'a token', 'environment', 'live',
            'token_prefix', 'tk_live_Ab3x', 'scopes', '["orders.read", "orders.write"]'::jsonb,
            'metadata', '{"team": "billing"}'::jsonb, 'expires_at', at + interval '1 day',
            'state', 'active', 'created_at', at, 'updated_at', at, 'version', 1,
            'expiry_notice', 1
        )),
        'api_token_secrets', jsonb_build_array(jsonb_build_object(
            'secret_hash', secret::text, 'token_id', token
        ))
    )
) as appended;
