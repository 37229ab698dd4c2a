//! `tollkeeper projections rebuild` over a long log: its rate and its memory, against reading and
//! checking the same log alone, and against the same rows written by SQL alone.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, Executor, PgPool};
use tokio_util::sync::CancellationToken;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_domain::account::{self, AccountRegistered, Role};
use tollkeeper_domain::event::{Event, Stream};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::network::NetworkSet;
use tollkeeper_domain::quota::Quotas;
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_domain::secret::{Environment, SecretHash};
use tollkeeper_domain::token::{
    self, Issue, Metadata, RevocationReason, Rotate, Token, TokenIssued, TokenName,
};
use tollkeeper_embedded::postgres::Durability;
use tollkeeper_event_store::{NewEvent, Submission, Writer, WriterHandle};
use tollkeeper_read_model::{accounts, tokens};
use tollkeeper_testkit::{PrivatePostgres, binary};
use uuid::Uuid;

use crate::report::{Report, median, say};
use crate::{Arguments, Failure};

const EVENTS: u64 = 1_000_000;
const ACCOUNTS: u64 = 1_000;
/// Each has two events, the second long after the first and in another order.
const TOKENS: u64 = (EVENTS - ACCOUNTS) / 2;
/// Has no divisor in common with [`TOKENS`], so that steps of it come by every token once.
const STRIDE: u64 = 104_729;
const AT_ONCE: u64 = 1_000;

/// How often the program is looked at while it runs.
const GLANCE: Duration = Duration::from_millis(20);

/// Takes the figures on a server of their own.
pub(crate) async fn measure(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let server = PrivatePostgres::start(Durability::Full).await;
    let pool = PgPool::connect(&server.url()).await?;
    say("rebuild: writing the log");
    fill(&pool).await?;
    pool.execute("vacuum analyze").await?;

    let (mut reading, mut equal, mut alone, mut lost) = (vec![], vec![], vec![], vec![]);
    for _ in 0..arguments.pairs.min(3) {
        reading.push(run(&server.url(), &["audit", "verify"]).await?);
        equal.push(run(&server.url(), &["projections", "rebuild"]).await?);
        alone.push(copy(&pool).await?);
        pool.execute("truncate accounts cascade").await?;
        lost.push(run(&server.url(), &["projections", "rebuild"]).await?);
        pool.execute("vacuum analyze").await?;
    }
    let rate = |runs: &[Run]| {
        let rates = runs.iter().map(|run| EVENTS as f64 / run.seconds);
        median(rates.collect())
    };
    let memory = |runs: &[Run]| runs.iter().map(|run| run.peak_mib).fold(0.0, f64::max);
    let told = |runs: &[Run]| format!("{:.0} events/s, {:.0} MiB", rate(runs), memory(runs));
    report.row(
        "rebuild of 1,000,000 events, no row differs",
        "—",
        format!("**{}**", told(&equal)),
        format!("reading and checking the log alone: {}", told(&reading)),
    );
    report.row(
        "rebuild of 1,000,000 events, every row lost and replaced",
        "—",
        format!("**{}**", told(&lost)),
        format!(
            "the same rows by `insert … select` alone: {:.0} events/s",
            EVENTS as f64 / median(alone)
        ),
    );
    Ok(())
}

/// What one run of the program came to.
struct Run {
    seconds: f64,
    /// The most memory that was resident.
    peak_mib: f64,
}

/// Runs `tollkeeper`, which must succeed.
async fn run(database: &str, arguments: &[&str]) -> Result<Run, Failure> {
    let begun = SystemClock.now();
    let mut child = Command::new(binary("tollkeeper"))
        .args(arguments)
        .env("TOLLKEEPER_DATABASE_URL", database)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak_mib = 0.0;
    let ended = loop {
        // The kernel keeps the peak itself, so only the last moment before the end can be missed.
        if let Some(kib) = fs::read_to_string(&status).ok().and_then(peak_kib) {
            peak_mib = kib / 1024.0;
        }
        match child.try_wait()? {
            Some(ended) => break ended,
            None => tokio::time::sleep(GLANCE).await,
        }
    };
    if !ended.success() {
        return Err(format!("tollkeeper {arguments:?}: {ended}").into());
    }
    let seconds = since(begun);
    Ok(Run { seconds, peak_mib })
}

fn peak_kib(status: String) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line?.split_whitespace().next()?.parse().ok()
}

/// Copies all rows into tables like the live ones, with their indexes. Tells how long it took.
async fn copy(pool: &PgPool) -> Result<f64, Failure> {
    let tables = ["accounts", "api_tokens", "api_token_secrets"];
    for table in tables {
        let create = format!(
            "drop table if exists copied_{table};
            create table copied_{table} (like {table} including all)"
        );
        pool.execute(AssertSqlSafe(create)).await?;
    }
    let begun = SystemClock.now();
    let mut transaction = pool.begin().await?;
    for table in tables {
        let insert = format!("insert into copied_{table} select * from {table}");
        transaction.execute(AssertSqlSafe(insert)).await?;
    }
    transaction.commit().await?;
    let seconds = since(begun);
    for table in tables {
        pool.execute(AssertSqlSafe(format!("drop table copied_{table}")))
            .await?;
    }
    Ok(seconds)
}

fn since(begun: DateTime<Utc>) -> f64 {
    (SystemClock.now() - begun).as_seconds_f64()
}

/// Writes the log as commands do, with all that is projected from it.
async fn fill(pool: &PgPool) -> Result<(), Failure> {
    let (writer, handle) = Writer::new(pool.clone());
    let stop = CancellationToken::new();
    let running = tokio::spawn(writer.run(stop.clone()));
    let mut log = Log {
        writer: handle,
        pending: Submission::default(),
        events: 0,
    };
    for number in 0..ACCOUNTS {
        log.register(number)?;
        log.flush_if_full().await?;
    }
    log.flush().await?;
    for number in 0..TOKENS {
        let (token, event) = issued(number)?;
        log.push_token(&token, event);
        log.flush_if_full().await?;
    }
    log.flush().await?;
    for step in 0..TOKENS {
        let number = step * STRIDE % TOKENS;
        let (token, event) = changed(number)?;
        log.push_token(&token, event);
        log.flush_if_full().await?;
    }
    log.flush().await?;
    stop.cancel();
    running.await?;
    if log.events == EVENTS {
        Ok(())
    } else {
        Err(format!("the log has {} events", log.events).into())
    }
}

/// The log while it is written.
struct Log {
    writer: WriterHandle,
    pending: Submission,
    events: u64,
}

impl Log {
    fn register(&mut self, number: u64) -> Result<(), Failure> {
        let id = account_id(number);
        let registered = AccountRegistered {
            external_id: Some(format!("customer-{number}")),
            identity: None,
            role: Role::User,
            token_limit: None,
            rate_limits: RateLimits::default(),
            quotas: Quotas::default(),
        };
        let event = account::decide(None, &account::Command::Register(registered))?.remove(0);
        let account = account::evolve(None, id, &event, beginning())?;
        accounts::project(&account, &mut self.pending.rows);
        self.push(Stream::Account(id), id, 1, Event::Account(event));
        Ok(())
    }

    fn push_token(&mut self, token: &Token, event: token::TokenEvent) {
        tokens::project(token, &mut self.pending.rows);
        let stream = Stream::Token(token.id);
        self.push(stream, token.account_id, token.version, Event::Token(event));
    }

    fn push(&mut self, stream: Stream, account_id: AccountId, stream_version: u64, event: Event) {
        self.events += 1;
        self.pending.events.push(NewEvent {
            event_id: Uuid::from_u128(u128::from(self.events) << 32),
            stream,
            account_id,
            stream_version,
            event,
            actor: "operator:bench".into(),
            request_id: format!("request-{}", self.events),
            occurred_at: beginning(),
        });
    }

    async fn flush_if_full(&mut self) -> Result<(), Failure> {
        if self.events.is_multiple_of(AT_ONCE) {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let submission = std::mem::take(&mut self.pending);
        if !submission.events.is_empty() {
            self.writer.append(submission).await?;
        }
        Ok(())
    }
}

fn beginning() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn account_id(number: u64) -> AccountId {
    AccountId(Uuid::from_u128((1 << 100) | u128::from(number)))
}

/// The token of this number as it begins.
fn issued(number: u64) -> Result<(Token, token::TokenEvent), Failure> {
    let issue = Issue {
        token: TokenIssued {
            account_id: account_id(number % ACCOUNTS),
            name: TokenName::new(&format!("token {number}"))?,
            environment: Environment::Live,
            token_prefix: "tk_live_Ab3x".into(),
            secret_hash: SecretHash::of(&number.to_be_bytes()),
            scopes: ["orders:read".parse()?, "orders:write".parse()?]
                .into_iter()
                .collect(),
            metadata: Metadata::default(),
            not_before: None,
            expires_at: Some(beginning() + TimeDelta::days(90)),
            allowed_cidrs: NetworkSet::default(),
            rate_limits: RateLimits::default(),
            quotas: Quotas::default(),
            issued_by: None,
        },
        longest: None,
    };
    next(number, None, &token::Command::Issue(Box::new(issue)))
}

/// The token of this number after its second event: half are rotated, the others suspended or
/// revoked.
fn changed(number: u64) -> Result<(Token, token::TokenEvent), Failure> {
    let command = match number % 4 {
        0 | 1 => token::Command::Rotate(Rotate {
            token_prefix: "tk_live_Cd4y".into(),
            secret_hash: SecretHash::of(&(number + TOKENS).to_be_bytes()),
            grace: TimeDelta::hours(1),
        }),
        2 => token::Command::Suspend,
        _ => token::Command::Revoke(RevocationReason::Superseded),
    };
    next(number, Some(issued(number)?.0), &command)
}

fn next(
    number: u64,
    before: Option<Token>,
    command: &token::Command,
) -> Result<(Token, token::TokenEvent), Failure> {
    let id = TokenId(Uuid::from_u128((2 << 100) | u128::from(number)));
    let event = token::decide(before.as_ref(), command, beginning())?.remove(0);
    let token = token::evolve(before, id, &event, beginning())?;
    Ok((token, event))
}
