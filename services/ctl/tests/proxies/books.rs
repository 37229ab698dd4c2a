//! Three accounts of the same requests: what the clients were answered, what reached the
//! application, and what Tollkeeper counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollkeeper_testkit::wait_for;

use crate::Surroundings;
use crate::programs::Kind;
use crate::visitor::{HOME, Visitor};

/// Token, method, path.
type Passed = BTreeMap<(String, String, String), i64>;

/// Compares them all, but for requests that passed by JWT, of which nothing is counted, when everything is counted, and prints what it came to.
#[allow(clippy::print_stdout, reason = "the summary is for people")]
pub(crate) async fn agree(
    kind: Kind,
    around: &mut Surroundings,
    visitors: &[Arc<Visitor>],
    by_jwt: i64,
) {
    let known: Vec<_> = visitors.iter().filter(|it| it.id.is_some()).collect();
    let sent: i64 = known
        .iter()
        .map(|it| it.answers().values().sum::<i64>())
        .sum();
    let pool = &around.stack.database.pool.clone();
    wait_for("everything to be counted", async || {
        let total: i64 = sqlx::query_scalar(
            "select coalesce(sum(usage_count), 0)::bigint from api_token_usage_totals",
        )
        .fetch_one(pool)
        .await
        .unwrap();
        total >= sent
    })
    .await;
    // What was counted twice, or should not have been, may come later: the API ends with an empty spool,
    // and closes its sources with their final numbers.
    assert!(around.api.stop().await.success());
    wait_for("everything in the spool to be counted", async || {
        let open: i64 = sqlx::query_scalar(
            "select count(*) from usage_completeness
            where not usage_settled(array[source], array[coalesce(final_number, appended)])",
        )
        .fetch_one(pool)
        .await
        .unwrap();
        open == 0
    })
    .await;
    let total: i64 = sqlx::query_scalar(
        "select coalesce(sum(usage_count), 0)::bigint from api_token_usage_totals",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(total, sent, "requests counted and requests answered");

    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "select token_id::text, status::bigint, count(*) from api_token_usage group by 1, 2",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let counted: BTreeMap<_, _> = rows
        .into_iter()
        .map(|(id, status, n)| ((id, status), n))
        .collect();
    let answered: BTreeMap<_, _> = known
        .iter()
        .flat_map(|it| {
            let id = it.id.clone().unwrap();
            let answers = it.answers().into_iter();
            answers.map(move |(status, n)| ((id.clone(), kind.counted_as(status)), n))
        })
        .fold(BTreeMap::new(), |mut sums, (key, n)| {
            *sums.entry(key).or_default() += n;
            sums
        });
    assert_eq!(counted, answered, "what was counted and what was answered");

    let mut reached = Passed::new();
    let mut holders = 0;
    for seen in around.application.seen() {
        let Some(id) = seen.header("x-tollkeeper-token-id") else {
            holders += 1;
            continue;
        };
        let key = (
            id.to_owned(),
            seen.method.to_string(),
            seen.uri.path().to_owned(),
        );
        *reached.entry(key).or_default() += 1;
    }
    assert_eq!(holders, by_jwt, "who came without a token");
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
        "select token_id::text, method, endpoint, count(*)
        from api_token_usage where status = 200 group by 1, 2, 3",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let judged: Passed = rows
        .into_iter()
        .map(|(id, method, path, n)| ((id, method, path), n))
        .collect();
    assert_eq!(
        judged, reached,
        "what was judged and what reached the application"
    );

    if kind.names_requests() {
        let mut rows: Vec<Option<String>> =
            sqlx::query_scalar("select request_id from api_token_usage where status = 200")
                .fetch_all(pool)
                .await
                .unwrap();
        rows.sort();
        let seen = around.application.seen();
        let tokens = seen
            .iter()
            .filter(|it| it.header("x-tollkeeper-token-id").is_some());
        let seen = tokens.map(|it| it.header("x-request-id"));
        let mut seen: Vec<_> = seen.map(|id| id.map(str::to_owned)).collect();
        seen.sort();
        assert_eq!(rows, seen, "the ids of requests that were allowed");
        seen.dedup();
        assert_eq!(seen.len(), rows.len(), "each has one of its own");
        assert!(seen.iter().all(Option::is_some));
    }

    let places: Vec<String> = sqlx::query_scalar("select distinct host(ip) from api_token_usage")
        .fetch_all(pool)
        .await
        .unwrap();
    assert_eq!(places, [HOME.to_string()], "where the requests came from");

    let by_status = |status: i64| {
        let answers = known.iter().map(|it| it.answers());
        answers
            .filter_map(|it| it.get(&status).copied())
            .sum::<i64>()
    };
    let [allowed, unknown, refused, used_up] = [200, 401, 403, 429].map(by_status);
    let reached: i64 = reached.values().sum();
    println!(
        "{kind:?}: {sent} requests of known tokens answered and counted, {allowed} of them as 200, \
         {unknown} as 401, {refused} as 403, {used_up} as 429; {reached} requests reached the application"
    );
}
