//! What reporters dropped, and what arrives after all.

use super::*;

fn dropped(first: u64, last: u64) -> Delivery {
    Delivery::read(
        &subject(SOURCE),
        BatchBuilder::dropped(SOURCE, first, last).1,
    )
}

#[tokio::test]
async fn dropped_events_are_recorded_once_and_count_nothing() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let all = events(30);
    let summary = settler
        .settle(&[batch(SOURCE, 1, &all[..10]), dropped(11, 20)])
        .await
        .unwrap();
    assert_eq!(
        (summary.counted, summary.drops, summary.dropped_events),
        (1, 1, 10)
    );
    // Told again, in other parts, and of what was counted.
    let summary = settler
        .settle(&[dropped(11, 20), dropped(1, 12), dropped(15, 25)])
        .await
        .unwrap();
    assert_eq!(
        (summary.duplicates, summary.drops, summary.dropped_events),
        (2, 1, 5)
    );
    assert_eq!(
        ledger(&pool).await,
        [row(1, 10, "counted"), row(11, 25, "dropped")]
    );
    let summary = settler
        .settle(&[batch(SOURCE, 26, &all[25..])])
        .await
        .unwrap();
    assert_eq!((summary.counted, summary.events), (1, 5));
    let counted: Vec<_> = all[..10].iter().chain(&all[25..]).copied().collect();
    assert_counted(&pool, &expected(&counted)).await;
    assert_eq!(letters(&pool).await, []);
}

#[tokio::test]
async fn what_arrives_after_all_is_counted_and_no_longer_dropped() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let all = events(40);
    settler.settle(&[dropped(1, 30)]).await.unwrap();
    // In the middle of it, beyond its end, and all that is left.
    let middle = batch(SOURCE, 11, &all[10..15]);
    settler.settle(&[middle]).await.unwrap();
    assert_eq!(
        ledger(&pool).await,
        [
            row(1, 10, "dropped"),
            row(11, 15, "counted"),
            row(16, 30, "dropped")
        ]
    );
    let end = batch(SOURCE, 21, &all[20..]);
    let summary = settler.settle(&[end.clone(), end]).await.unwrap();
    assert_eq!((summary.counted, summary.duplicates), (1, 1));
    settler
        .settle(&[
            dropped(1, 40),
            batch(SOURCE, 1, &all[..10]),
            batch(SOURCE, 16, &all[15..20]),
        ])
        .await
        .unwrap();
    assert_eq!(ledger(&pool).await, [row(1, 40, "counted")]);
    assert_counted(&pool, &expected(&all)).await;
}

#[tokio::test]
async fn a_dead_record_among_dropped_numbers_is_dead() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    settler.settle(&[dropped(1, 5)]).await.unwrap();
    let mut builder = BatchBuilder::new(SOURCE, 2);
    builder.push(b"no record");
    let broken = Delivery::read(&subject(SOURCE), builder.finish().2);
    settler.settle(&[broken]).await.unwrap();
    assert_eq!(
        ledger(&pool).await,
        [
            row(1, 1, "dropped"),
            row(2, 2, "dead"),
            row(3, 5, "dropped")
        ]
    );
    assert_eq!(
        letters(&pool).await,
        [letter(2, 2, "undecodable", "record")]
    );
}

#[tokio::test]
async fn a_report_and_its_events_at_two_ingestors_at_once_end_as_counted() {
    let pool = TestDatabase::create().await.pool;
    let all = events(20);
    for round in 0..10 {
        let first = round * 20 + 1;
        let report = [dropped(first, first + 19)];
        let events = [batch(SOURCE, first, &all)];
        let (one, two) = (settler(&pool), settler(&pool));
        let (report, counted) = tokio::join!(one.settle(&report), two.settle(&events));
        report.unwrap();
        assert_eq!(counted.unwrap().events, 20);
    }
    assert_eq!(ledger(&pool).await, [row(1, 200, "counted")]);
}
