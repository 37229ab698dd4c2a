//! Statements over the sums of usage.
//!
//! They read the sums by hour, or those by day where more than eight days are looked at; both are found by
//! time. `$account` and `$token` are a quoted id, or `'all'`.

/// What a statement starts with: `calls`, the sums that the reader has chosen.
const CALLS: &str = "with calls as (
    select bucket, token_id, endpoint, method, status_class, requests, errors, latency
    from api_token_usage_hourly
    where $__timeTo()::timestamptz - $__timeFrom()::timestamptz <= interval '8 days'
        and bucket >= date_trunc('hour', $__timeFrom()::timestamptz)
        and bucket <= $__timeTo()::timestamptz
        and {chosen}
    union all
    select bucket, token_id, endpoint, method, status_class, requests, errors, latency
    from api_token_usage_daily
    where $__timeTo()::timestamptz - $__timeFrom()::timestamptz > interval '8 days'
        and bucket >= date_trunc('day', $__timeFrom()::timestamptz, 'UTC')
        and bucket <= $__timeTo()::timestamptz
        and {chosen}
)
";

const CHOSEN: &str =
    "(${token:sqlstring} = 'all' or token_id = nullif(${token:sqlstring}, 'all')::uuid)
        and (${account:sqlstring} = 'all' or token_id in (
            select id from api_tokens where account_id = nullif(${account:sqlstring}, 'all')::uuid
        ))";

/// How many counts a histogram has. Count `i`, from 1, is of calls below 2^(i+3) microseconds.
const BUCKETS: usize = 24;

/// A statement over `calls`.
pub(super) fn over_calls(rest: &str) -> String {
    CALLS.replace("{chosen}", CHOSEN) + rest
}

/// The histograms of a group, added up place by place.
pub(super) fn histogram() -> String {
    let places: Vec<String> = (1..=BUCKETS)
        .map(|place| format!("sum(latency[{place}])"))
        .collect();
    format!("array[{}]", places.join(", "))
}

/// Seconds that a share of the calls in a histogram took at most: the upper bound of a bucket.
pub(super) fn quantile(histogram: &str, share: f64) -> String {
    format!(
        "(select min(2 ^ (place + 3)) / 1e6 from (
        select place, sum(calls) over (order by place) as upto, sum(calls) over () as everything
        from unnest({histogram}) with ordinality as counts (calls, place)
    ) places where upto >= {share} * everything)"
    )
}
