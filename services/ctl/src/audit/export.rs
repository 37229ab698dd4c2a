//! `tollkeeper audit export`: the audit log, row by row, as far back as it is kept. However long it is,
//! one page of it is in memory.

use std::io::{self, BufWriter, Write};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use csv::{Terminator, Writer, WriterBuilder};
use serde_json::json;
use sqlx::PgPool;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::audit::{
    self, Act, AuditFilter, AuditRow, COLUMNS, Entry, Outcome, Source, cells,
};
use tollkeeper_runtime::settings::AuditSettings;
use uuid::Uuid;

use super::Error;

/// How many rows are read at once.
const PAGE: i64 = 1000;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only from this moment on, such as 2026-03-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Only before this moment
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// Only what this one did or was refused, such as operator:admin
    #[arg(long)]
    actor: Option<String>,
    /// Only this: an event's type, another action's name, or an operation such as "POST /v1/tokens"
    #[arg(long, value_parser = action)]
    action: Option<String>,
    /// Only what had this outcome
    #[arg(long, value_enum)]
    outcome: Option<OutcomeName>,
    /// Only what concerns this account and its tokens
    #[arg(long, value_name = "ID")]
    account: Option<Uuid>,
    /// Only what was done to this token, account or webhook
    #[arg(long, value_name = "ID")]
    subject: Option<Uuid>,
    /// How rows are written
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum OutcomeName {
    Allowed,
    Refused,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// An object a line
    Jsonl,
    /// RFC 4180, with a line of names
    Csv,
}

fn action(text: &str) -> Result<String, &'static str> {
    let known = Source::of(text).map(|_| text.to_owned());
    known.ok_or("this is no event's type, no other action's name, and no operation")
}

impl Arguments {
    fn filter(&self, settings: AuditSettings) -> Result<AuditFilter, Error> {
        if let Some((since, until)) = self.since.zip(self.until)
            && since >= until
        {
            return Err(Error::Backwards);
        }
        let kept = SystemClock.now() - TimeDelta::days(settings.retention_days.into());
        Ok(AuditFilter {
            actor: self.actor.clone(),
            action: self.action.clone(),
            outcome: self.outcome.map(|it| match it {
                OutcomeName::Allowed => Outcome::Allowed,
                OutcomeName::Refused => Outcome::Refused,
            }),
            account: self.account.map(AccountId),
            subject: self.subject,
            since: self.since.map_or(kept, |since| since.max(kept)),
            until: self.until,
        })
    }
}

pub(super) async fn run(
    pool: &PgPool,
    settings: AuditSettings,
    arguments: &Arguments,
) -> Result<(), Error> {
    let filter = arguments.filter(settings)?;
    // What is taken away leaves an entry before anything is.
    audit::note(pool, &Entry::by_login(Act::AuditExported)).await?;
    let mut output = Output::new(arguments.format)?;
    let mut db = pool.acquire().await?;
    let mut after = None;
    loop {
        let rows = audit::list(&mut db, Reach::All, &filter, after, PAGE).await?;
        for row in &rows {
            output.row(row)?;
        }
        let Some(last) = rows.last() else { break };
        after = Some(last.place());
    }
    Ok(output.finish()?)
}

/// Where the rows go.
enum Output {
    Lines(BufWriter<io::Stdout>),
    Table(Box<Writer<io::Stdout>>),
}

impl Output {
    fn new(format: Format) -> io::Result<Self> {
        Ok(match format {
            Format::Jsonl => Self::Lines(BufWriter::new(io::stdout())),
            Format::Csv => {
                let mut builder = WriterBuilder::new();
                let mut table = builder
                    .terminator(Terminator::CRLF)
                    .from_writer(io::stdout());
                table.write_record(COLUMNS)?;
                Self::Table(Box::new(table))
            }
        })
    }

    fn row(&mut self, row: &AuditRow) -> io::Result<()> {
        match self {
            Self::Lines(lines) => writeln!(lines, "{}", object(row)),
            Self::Table(table) => Ok(table.write_record(cells(row))?),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Lines(mut lines) => lines.flush(),
            Self::Table(mut table) => table.flush(),
        }
    }
}

/// As `GET /v1/audit` tells it.
fn object(row: &AuditRow) -> serde_json::Value {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
    json!({
        "at": time(row.at),
        "last_at": time(row.last_at),
        "outcome": row.outcome(),
        "action": row.action,
        "actor": row.actor,
        "account_id": row.account_id,
        "subject_type": row.subject_type,
        "subject_id": row.subject_id,
        "code": row.code,
        "status": row.status,
        "count": row.count,
        "network": row.network,
        "request_id": row.request_id,
        "position": row.position(),
        "details": row.details,
    })
}
