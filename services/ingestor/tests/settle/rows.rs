//! Raw rows: every column arrives as it was sent, in whatever form and number.

use std::net::IpAddr;

use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::verdict::Verdict;

use super::*;

#[tokio::test]
async fn every_column_arrives_as_it_was_sent() {
    let pool = TestDatabase::create().await.pool;
    let addresses = [
        None,
        Some("203.0.113.7"),
        Some("0.0.0.0"),
        Some("255.255.255.255"),
        Some("2001:db8::7"),
        Some("::"),
        Some("::ffff:192.0.2.1"),
        Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ];
    let mut sent = events(addresses.len() as u64);
    let mut expected = Vec::new();
    for (number, (event, address)) in sent.iter_mut().zip(addresses).enumerate() {
        let number = number as u64;
        event.token_id = TokenId(Uuid::from_u128(u128::MAX - u128::from(number)));
        event.account_id = AccountId(Uuid::from_u128(u128::from(number)));
        event.at_micros = now() - number as i64;
        event.token_version = number << 40;
        event.response_time_us = u32::MAX - number as u32;
        event.status = 200 + number as u16;
        event.verdict = Verdict::Revoked;
        event.method = ["GET", "X"][number as usize % 2];
        event.endpoint = ["/", "/grüße/日本"][number as usize % 2];
        event.user_agent = ["", "agent \"7\"\t\\N\n"][number as usize % 2];
        event.request_id = ["", "req_0193"][number as usize % 2];
        event.ip = address.map(|address| address.parse::<IpAddr>().unwrap());
        expected.push((
            (event.token_id.0, event.account_id.0, event.at_micros),
            (
                event.token_version as i64,
                i64::from(event.response_time_us),
                event.status as i16,
                event.verdict as i16,
            ),
            (event.method.to_owned(), event.endpoint.to_owned()),
            event.user_agent.to_owned(),
            event.ip.map(|ip| ip.to_string()),
            Some(event.request_id.to_owned()).filter(|id| !id.is_empty()),
        ));
    }
    let group = [batch(SOURCE, 1, &sent)];
    settler(&pool).settle(&group).await.unwrap();

    type Row = (
        Uuid,
        Uuid,
        i64,
        i64,
        i64,
        i16,
        i16,
        String,
        String,
        String,
        Option<String>,
        Option<String>,
        bool,
    );
    let rows: Vec<Row> = sqlx::query_as(
        r#"select token_id, account_id, (extract(epoch from "timestamp") * 1000000)::bigint,
                  token_version, response_time_us, status, verdict, method, endpoint, user_agent,
                  host(ip), request_id, timestamp_replaced
           from api_token_usage order by account_id"#,
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let found: Vec<_> = rows
        .into_iter()
        .map(|row| {
            assert!(!row.12, "no time was replaced");
            (
                (row.0, row.1, row.2),
                (row.3, row.4, row.5, row.6),
                (row.7, row.8),
                row.9,
                row.10,
                row.11,
            )
        })
        .collect();
    assert_eq!(found, expected);
    // Neither a network nor a `cidr`: just the host.
    let hosts: i64 = sqlx::query_scalar(
        "select count(*) from api_token_usage
         where ip = host(ip)::inet and masklen(ip) = case family(ip) when 4 then 32 else 128 end",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(hosts, addresses.len() as i64 - 1);
}

/// More than is sent in one piece, with rows that Postgres refuses at both ends and in the middle.
#[tokio::test]
async fn rows_that_are_refused_do_not_harm_those_before_and_after() {
    let pool = TestDatabase::create().await.pool;
    let mut sent = events(5_000);
    for refused in [0, 1, 2_499, 4_999] {
        sent[refused].user_agent = "\0";
    }
    let group: Vec<_> = sent
        .chunks(500)
        .enumerate()
        .map(|(place, events)| batch(SOURCE, place as u64 * 500 + 1, events))
        .collect();
    let summary = settler(&pool).settle(&group).await.unwrap();
    assert_eq!((summary.events, summary.dead_records), (4_996, 4));
    let rows: i64 = sqlx::query_scalar("select count(*) from api_token_usage")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(rows, 4_996);
    // The connection is as good as before.
    let again = settler(&pool).settle(&group).await.unwrap();
    assert_eq!((again.events, again.duplicates), (0, 10));
}
