//! What cannot be counted is kept, and the rest still counts.

use super::*;

#[tokio::test]
async fn a_message_that_cannot_be_read_is_kept_raw() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let mut broken = batch(SOURCE, 1, &events(5)).payload.to_vec();
    *broken.last_mut().unwrap() ^= 0xff;
    let junk = Delivery::read("usage.nobody", Bytes::from_static(b"junk"));
    let broken = Delivery::read(&subject(SOURCE), broken.into());
    let summary = settler.settle(&[junk, broken.clone()]).await.unwrap();
    assert_eq!(summary.undecodable, 2);
    assert_eq!(ledger(&pool).await, [row(1, 5, "dead")]);
    let kept: Vec<(Option<Uuid>, Vec<u8>)> =
        sqlx::query_as("select source, payload from usage_dead_letters order by id")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(kept[0], (None, b"junk".to_vec()));
    assert_eq!(kept[1], (Some(SOURCE), broken.payload.to_vec()));
    // Delivered again, it is settled.
    let again = settler.settle(&[broken]).await.unwrap();
    assert_eq!(again.duplicates, 1);
}

#[tokio::test]
async fn refused_events_are_found_by_halving_and_the_rest_counts() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let mut all = events(300);
    // Postgres has no text with a NUL, and these tables no such numbers.
    all[7].endpoint = "/nul/\0";
    all[8].user_agent = "\0";
    all[150].status = 40_000;
    all[299].token_version = u64::MAX;
    let group = [
        batch(SOURCE, 1, &all[..100]),
        batch(SOURCE, 101, &all[100..]),
    ];
    let summary = settler.settle(&group).await.unwrap();
    assert_eq!(
        (summary.counted, summary.events, summary.dead_records),
        (2, 296, 4)
    );
    assert_eq!(
        ledger(&pool).await,
        [
            row(1, 7, "counted"),
            row(8, 9, "dead"),
            row(10, 150, "counted"),
            row(151, 151, "dead"),
            row(152, 299, "counted"),
            row(300, 300, "dead")
        ]
    );
    assert_eq!(
        letters(&pool).await,
        [
            letter(8, 8, "refused", "record"),
            letter(9, 9, "refused", "record"),
            letter(151, 151, "undecodable", "record"),
            letter(300, 300, "undecodable", "record")
        ]
    );
    let good: Vec<_> = (0..300)
        .filter(|at| ![7, 8, 150, 299].contains(at))
        .map(|at| all[at])
        .collect();
    assert_counted(&pool, &expected(&good)).await;
    assert_eq!(settler.settle(&group).await.unwrap().duplicates, 2);
}

#[tokio::test]
async fn a_message_that_the_ledger_refuses_does_not_hold_up_the_others() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    sqlx::query("alter table usage_ledger add constraint broken check (first <> 11)")
        .execute(&pool)
        .await
        .unwrap();
    let all = events(40);
    // Not neighbours: merged into one row, the range would not begin at 11.
    let group = [
        batch(Uuid::from_u128(1), 1, &all[..10]),
        batch(SOURCE, 11, &all[10..20]),
        batch(Uuid::from_u128(2), 21, &all[20..30]),
        batch(Uuid::from_u128(3), 31, &all[30..]),
    ];
    let summary = settler.settle(&group).await.unwrap();
    assert_eq!(
        (summary.counted, summary.events, summary.refused),
        (3, 30, 1)
    );
    let kept: Vec<(Vec<u8>, String)> =
        sqlx::query_as("select payload, detail from usage_dead_letters")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(
        kept,
        [(
            group[1].payload.to_vec(),
            "broken (SQLSTATE 23514)".to_owned()
        )]
    );
    let good: Vec<_> = [&all[..10], &all[20..]].concat();
    assert_counted(&pool, &expected(&good)).await;
}

async fn ask_for_all(pool: &PgPool) {
    sqlx::query("update usage_dead_letters set replay_asked_at = now()")
        .execute(pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn letters_that_nobody_asks_for_stay() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let junk = Delivery::read("usage.nobody", Bytes::from_static(b"junk"));
    settler.settle(&[junk]).await.unwrap();
    assert!(!settler.replay_next().await.unwrap());
    assert_eq!(letters(&pool).await.len(), 1);
}

#[tokio::test]
async fn records_count_once_their_reason_is_mended() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    sqlx::query("alter table api_token_usage add constraint no_teapots check (status <> 418)")
        .execute(&pool)
        .await
        .unwrap();
    let mut all = events(50);
    all[10].status = 418;
    all[11].status = 418;
    let group = [batch(SOURCE, 1, &all)];
    assert_eq!(settler.settle(&group).await.unwrap().dead_records, 2);
    ask_for_all(&pool).await;
    // Not mended yet: each says why, and the ledger is as it was.
    assert!(settler.replay_next().await.unwrap());
    assert!(settler.replay_next().await.unwrap());
    assert!(!settler.replay_next().await.unwrap());
    let failures: Vec<String> = sqlx::query_scalar("select replay_failure from usage_dead_letters")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(failures, ["no_teapots (SQLSTATE 23514)"; 2]);
    let before = [
        row(1, 10, "counted"),
        row(11, 12, "dead"),
        row(13, 50, "counted"),
    ];
    assert_eq!(ledger(&pool).await, before);

    sqlx::query("alter table api_token_usage drop constraint no_teapots")
        .execute(&pool)
        .await
        .unwrap();
    ask_for_all(&pool).await;
    while settler.replay_next().await.unwrap() {}
    assert_eq!(letters(&pool).await, []);
    assert_eq!(ledger(&pool).await, [row(1, 50, "counted")]);
    assert_counted(&pool, &expected(&all)).await;
    assert_eq!(settler.settle(&group).await.unwrap().duplicates, 1);
}

#[tokio::test]
async fn of_an_overlap_only_what_is_not_counted_counts() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let all = events(60);
    settler
        .settle(&[batch(SOURCE, 11, &all[10..20])])
        .await
        .unwrap();
    settler.settle(&[batch(SOURCE, 1, &all)]).await.unwrap();
    assert_eq!(letters(&pool).await, [letter(1, 60, "overlap", "message")]);
    ask_for_all(&pool).await;
    // Whoever comes second finds nothing to do.
    let (one, two) = tokio::join!(settler.replay_next(), settler.replay_next());
    assert!(one.unwrap() || two.unwrap());
    assert!(!settler.replay_next().await.unwrap());
    assert_eq!(letters(&pool).await, []);
    assert_eq!(ledger(&pool).await, [row(1, 60, "counted")]);
    assert_counted(&pool, &expected(&all)).await;
}

#[tokio::test]
async fn what_nobody_can_read_stays_with_its_reason() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let mut broken = batch(SOURCE, 1, &events(5)).payload.to_vec();
    *broken.last_mut().unwrap() ^= 0xff;
    let broken = Delivery::read(&subject(SOURCE), broken.into());
    settler.settle(&[broken]).await.unwrap();
    ask_for_all(&pool).await;
    assert!(settler.replay_next().await.unwrap());
    assert!(!settler.replay_next().await.unwrap());
    let why: String = sqlx::query_scalar("select replay_failure from usage_dead_letters")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(why.contains("checksum"), "{why}");
    assert_eq!(ledger(&pool).await, [row(1, 5, "dead")]);
}
