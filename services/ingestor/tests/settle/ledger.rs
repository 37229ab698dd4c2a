//! What counts, once.

use super::*;

#[tokio::test]
async fn duplicates_count_nothing_and_ranges_merge() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let all = events(30);
    let parts = [
        batch(SOURCE, 1, &all[..10]),
        batch(SOURCE, 11, &all[10..20]),
        batch(SOURCE, 21, &all[20..]),
    ];
    // Out of order, twice in a group, and again later.
    settler
        .settle(&[parts[2].clone(), parts[0].clone(), parts[2].clone()])
        .await
        .unwrap();
    assert_eq!(
        ledger(&pool).await,
        [row(1, 10, "counted"), row(21, 30, "counted")]
    );
    let summary = settler.settle(&parts).await.unwrap();
    assert_eq!(
        (summary.counted, summary.duplicates, summary.events),
        (1, 2, 10)
    );
    assert_eq!(ledger(&pool).await, [row(1, 30, "counted")]);
    // Contained in a range that was merged.
    let summary = settler
        .settle(&[batch(SOURCE, 5, &all[4..25])])
        .await
        .unwrap();
    assert_eq!(
        summary,
        Summary {
            duplicates: 1,
            ..Summary::default()
        }
    );
    assert_counted(&pool, &expected(&all)).await;
}

#[tokio::test]
async fn an_overlap_is_never_counted_and_never_asked_for_again() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let all = events(20);
    settler
        .settle(&[batch(SOURCE, 1, &all[..10])])
        .await
        .unwrap();
    let summary = settler
        .settle(&[batch(SOURCE, 6, &all[5..15])])
        .await
        .unwrap();
    assert_eq!((summary.overlaps, summary.events), (1, 0));
    assert_eq!(
        ledger(&pool).await,
        [row(1, 10, "counted"), row(11, 15, "dead")]
    );
    assert_eq!(letters(&pool).await, [letter(6, 15, "overlap", "message")]);
    assert_counted(&pool, &expected(&all[..10])).await;
}

#[tokio::test]
async fn last_used_only_moves_forward_and_only_for_allowed_calls() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let base = event(1, now());
    let refused = UsageEvent {
        verdict: tollkeeper_domain::verdict::Verdict::Revoked,
        ..base
    };
    let older = UsageEvent {
        at_micros: base.at_micros - 50,
        ..base
    };
    let newer_refused = UsageEvent {
        at_micros: base.at_micros + 50,
        ..refused
    };
    let mut all = Vec::new();
    for (first, event) in [
        (1, newer_refused),
        (2, base),
        (3, older),
        (4, newer_refused),
    ] {
        settler
            .settle(&[batch(SOURCE, first, &[event])])
            .await
            .unwrap();
        all.push(event);
    }
    assert_counted(&pool, &expected(&all)).await;
}
