-- $1 tokens, one a minute up to now, whatever their number: few of each rare kind, and always as many,
-- evenly among the others.
insert into api_tokens (id, account_id, name, environment, token_prefix, scopes, metadata, expires_at,
    state, revocation_reason, revoked_at, issued_by, created_at, updated_at, version)
select id,
    case when rare then $3::uuid else $2::uuid end,
    case when rare then 'Deploys of the shop ' else 'worker ' end || n,
    case when rare then 'test' else 'live' end,
    case when rare then 'tk_test_Rare' else 'tk_live_' || lpad(to_hex(n % 60000), 4, '0') end,
    case when rare then array['orders:read', 'orders:write'] else array['orders:read'] end,
    '{"team": "billing"}',
    case when rare then now() + n * interval '1 second'
        when n % 3 > 0 then now() + interval '1 year' + n * interval '1 second' end,
    state,
    case when state = 'revoked' then 'superseded' end,
    case when state = 'revoked' then at end,
    case when rare then $4::uuid end,
    at, at, 1
from generate_series(1, $1::bigint) as n,
    lateral (select now() - ($1 - n) * interval '1 minute') as t (at),
    lateral (select n % ($1 / 60) = 7 % ($1 / 60)) as r (rare),
    lateral (select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0')
        || '70008' || lpad(to_hex(n), 15, '0'))::uuid) as i (id),
    lateral (select case when rare then 'suspended' when n % 2 = 0 then 'revoked' else 'active' end)
        as s (state)
