//! Memory of API and ingestor while the database is away for ten minutes under load.

use std::time::Duration;

use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::{FaultProxy, Stack};

use crate::forward_auth::{PATH, tokens};
use crate::process::own_bytes;
use crate::report::Report;
use crate::traffic::Traffic;
use crate::{Failure, open_loop, pipeline};

/// In requests a second.
const RATE: f64 = 5_000.0;

/// How long memory may find its level before.
const BEFORE_SECONDS: u32 = 30;

/// After how long without the database the ingestor holds all that it will: what the broker sends ahead,
/// and again after its 30 seconds without an acknowledgement, as far as was asked for.
const LEVEL: Duration = Duration::from_secs(120);

/// How long the database is away.
const AWAY: Duration = Duration::from_secs(600);

const MIB: f64 = (1 << 20) as f64;

/// How many seconds there are between two looks at the memory.
const LOOK_SECONDS: u32 = 10;

/// Measures both, and that everything is counted in the end.
pub(crate) async fn measure(stack: &mut Stack, report: &mut Report) -> Result<(), Failure> {
    let to_database = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(to_database.address());
    // Answers may rest on what is known for as long as this lasts: it is the memory that is asked about.
    let api = stack
        .api(&[("TOLLKEEPER_STALE_LIMIT_SECONDS", "3600")])
        .await;
    let ingestor = stack.ingestor(&[]).await;
    let pool = stack.database.pool.clone();
    let traffic = Traffic::in_turn(&tokens(&api, 500).await);
    open_loop::run(api.public, PATH, &traffic, RATE, BEFORE_SECONDS).await?;
    pipeline::arrived(&api, &pool).await;
    let own =
        || -> Result<[f64; 2], Failure> { Ok([own_bytes(api.pid())?, own_bytes(ingestor.pid())?]) };
    let before = own()?;
    let (mut level, mut answered) = (before, 0);
    let since = SystemClock.boot_time();
    to_database.cut();
    let mut last = before;
    while SystemClock.boot_time() - since < AWAY {
        answered += open_loop::run(api.public, PATH, &traffic, RATE, LOOK_SECONDS)
            .await?
            .len();
        last = own()?;
        if SystemClock.boot_time() - since < LEVEL {
            level = last;
        }
    }
    to_database.resume();
    pipeline::arrived(&api, &pool).await;
    for (place, name) in ["API", "ingestor"].into_iter().enumerate() {
        report.row(
            &format!(
                "own memory of the {name} after {} s without the database at {RATE:.0} req/s, against after the \
                 first {} s",
                AWAY.as_secs(),
                LEVEL.as_secs()
            ),
            "flat",
            format!(
                "**{:.2}**; {answered} requests answered meanwhile, all counted after",
                last[place] / level[place],
            ),
            format!(
                "{:.1} MiB, {:.1} before",
                level[place] / MIB,
                before[place] / MIB
            ),
        );
    }
    Ok(())
}
