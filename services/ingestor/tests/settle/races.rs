//! Ingestors at once, held in the middle on purpose.

use super::*;

#[tokio::test]
async fn the_same_batch_at_two_ingestors_at_once_counts_once() {
    let pool = TestDatabase::create().await.pool;
    let all = events(500);
    let group: Vec<Delivery> = (0..5)
        .map(|part| batch(SOURCE, part * 100 + 1, &all[part as usize * 100..][..100]))
        .collect();
    let (one, two) = (settler(&pool), settler(&pool));

    // Both are held back by a lock on the source row until both wait for it.
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("insert into usage_sources (source) values ($1)")
        .bind(SOURCE)
        .execute(&mut *holder)
        .await
        .unwrap();
    let reversed: Vec<Delivery> = group.iter().rev().cloned().collect();
    let release = async {
        wait_for("both ingestors to wait", || async {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(&pool)
            .await
            .unwrap();
            waiting == 2
        })
        .await;
        holder.commit().await.unwrap();
    };
    let (first, second, ()) = tokio::join!(one.settle(&group), two.settle(&reversed), release);
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.counted + second.counted, 5);
    assert_eq!(first.duplicates + second.duplicates, 5);
    assert_counted(&pool, &expected(&all)).await;
}

#[tokio::test]
async fn many_sources_and_hot_tokens_do_not_deadlock() {
    let pool = TestDatabase::create().await.pool;
    let all = events(200);
    let sources: Vec<Uuid> = (1..=8).map(Uuid::from_u128).collect();
    let work = (0..4).map(|worker| {
        let (pool, all, sources) = (pool.clone(), all.clone(), sources.clone());
        tokio::spawn(async move {
            let settler = settler(&pool);
            for round in 0..5_u64 {
                let first = (worker * 5 + round) * 200 + 1;
                let mut group: Vec<Delivery> = sources
                    .iter()
                    .map(|source| batch(*source, first, &all))
                    .collect();
                group.rotate_left(worker as usize);
                settler.settle(&group).await.unwrap();
            }
        })
    });
    for worker in work.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    assert_eq!(settled(&pool, "counted").await, 4 * 5 * 8 * 200);
    let totals: i64 =
        sqlx::query_scalar("select sum(usage_count)::bigint from api_token_usage_totals")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(totals, 4 * 5 * 8 * 200);
}
