//! One, two and four ingestors at one full stream: how many events a second have their rows committed.
//! They share the machine with the broker and Postgres.

use std::time::Duration;

use sqlx::{Executor, PgPool};
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::{Stack, wait_for};
use tollkeeper_usage::message::STREAM;

use crate::batches::{EVENTS, batch};
use crate::report::{Report, median, spread};
use crate::settler::EMPTY;
use crate::{Arguments, Failure};

const INGESTORS: [usize; 3] = [1, 2, 4];

/// How many batches wait in the stream.
const BATCHES: u64 = 3_000;

/// How often it is looked how far they have got.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Measures each number of them in turns. Empties the usage tables.
pub(crate) async fn measure(
    stack: &mut Stack,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let pool = stack.database.pool.clone();
    let mut rates = INGESTORS.map(|_| Vec::new());
    for _ in 0..arguments.pairs {
        for (place, count) in INGESTORS.into_iter().enumerate() {
            rates[place].push(drained(stack, &pool, count).await?);
        }
    }
    pool.execute(EMPTY).await?;
    let [one, more @ ..] = rates;
    for (rates, count) in more.iter().zip(&INGESTORS[1..]) {
        let ratios: Vec<f64> = rates
            .iter()
            .zip(&one)
            .map(|(many, one)| many / one)
            .collect();
        report.row(
            &format!("events/s of {count} ingestors against one, from a full stream"),
            "—",
            format!("{}; {:.0} events/s", spread(&ratios), median(rates.clone())),
            format!("{:.0} events/s", median(one.clone())),
        );
    }
    Ok(())
}

/// How many events a second so many ingestors settle, from their first commit to the last.
async fn drained(stack: &mut Stack, pool: &PgPool, count: usize) -> Result<f64, Failure> {
    pool.execute(EMPTY).await?;
    fill(stack).await?;
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(stack.starting_ingestor(&[]));
    }
    let all = BATCHES * EVENTS;
    let first = loop {
        match counted(pool).await? {
            0 => tokio::time::sleep(LOOK_EVERY).await,
            some => break (some, SystemClock.boot_time()),
        }
    };
    while counted(pool).await? < all {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let took = SystemClock.boot_time() - first.1;
    for node in &mut nodes {
        node.stop().await;
    }
    Ok((all - first.0) as f64 / took.as_secs_f64())
}

async fn counted(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let counted = "select coalesce(sum(last - first + 1), 0)::bigint from usage_ledger";
    let counted: i64 = sqlx::query_scalar(counted).fetch_one(pool).await?;
    Ok(counted.unsigned_abs())
}

/// Puts the batches into the stream, by no other way than a publisher's.
async fn fill(stack: &Stack) -> Result<(), Failure> {
    let broker = async_nats::jetstream::new(stack.nats.client().await);
    let now = SystemClock.wall_micros();
    let mut acknowledged = Vec::new();
    for number in 0..BATCHES {
        let (subject, body) = batch(number, now);
        acknowledged.push(broker.publish(subject, body.into()).await?);
        if acknowledged.len() == 64 {
            for it in acknowledged.drain(..) {
                it.await?;
            }
        }
    }
    for it in acknowledged {
        it.await?;
    }
    wait_for("all batches to be in the stream", async || {
        let stream = broker.get_stream(STREAM).await;
        stream.is_ok_and(|it| it.cached_info().state.messages == BATCHES)
    })
    .await;
    Ok(())
}
