//! The measurements of `cargo xtask bench`: every figure is a ratio against a baseline of the same
//! run, because absolute figures drift from machine to machine and from hour to hour.

mod attack;
mod batches;
mod console;
mod engine;
mod forward_auth;
mod grpc;
mod import;
mod ingestors;
mod issue;
mod latency;
mod limits;
mod lists;
mod load;
mod metrics;
mod open_loop;
mod outage;
mod pipeline;
mod plot;
mod process;
mod questions;
mod rebuild;
mod report;
mod revocation;
mod servers;
mod settler;
mod synchronous;
mod tokens;
mod traffic;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use report::Report;
use tollkeeper_testkit::Stack;

/// Why a measurement could not be taken.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    /// How many interleaved pairs of each comparison
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// Seconds of each run, at most 10
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=10))]
    seconds: u32,
    /// How many tokens are imported, and how many are in use at most
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    tokens: u32,
    /// The ones that take long as well: ten minutes without the database, 50 million raw rows
    #[arg(long)]
    long: bool,
    /// Only the measurements whose name holds this
    #[arg(long, default_value = "")]
    only: String,
    /// A folder for pictures of what was measured
    #[arg(long)]
    plots: Option<PathBuf>,
}

/// The baselines run as processes of their own, so that their CPU time can be told apart.
#[derive(Debug, Subcommand)]
enum Task {
    /// A bare handler that only hashes the header
    ServeFloor { address: SocketAddr },
    /// The design that writes inside the request
    ServeSynchronous {
        address: SocketAddr,
        database: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.task {
        Some(Task::ServeFloor { address }) => servers::floor(*address).await,
        Some(Task::ServeSynchronous { address, database }) => {
            synchronous::serve(*address, database).await
        }
        None => measure(&arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::say(&format!("bench: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let mut report = Report::begin();
    let wanted = |name: &str| name.contains(&arguments.only);
    if wanted("engine") {
        engine::measure(&mut report)?;
    }
    if wanted("rebuild") {
        rebuild::measure(arguments, &mut report).await?;
    }
    if wanted("limits") {
        limits::measure(arguments, &mut report).await?;
    }
    if wanted("lists") {
        lists::measure(arguments, &mut report).await?;
    }
    if wanted("console") {
        console::measure(&mut report).await?;
    }
    if wanted("revocation") {
        revocation::measure(arguments, &mut report).await?;
    }
    let mut stack = Stack::as_in_production().await;
    if wanted("forward-auth") {
        forward_auth::measure(&mut stack, arguments, &mut report).await?;
    }
    if wanted("metrics") {
        metrics::measure(&mut stack, arguments, &mut report).await?;
    }
    if wanted("grpc") {
        grpc::measure(&mut stack, arguments, &mut report).await?;
    }
    if wanted("tokens") {
        tokens::measure(&mut stack, arguments, &mut report).await?;
    }
    if wanted("synchronous") {
        synchronous::measure(&mut stack, arguments, &mut report).await?;
    }
    if wanted("issue") {
        issue::measure(&mut stack, arguments, &mut report).await?;
    }
    if wanted("import") {
        import::measure(&mut stack, arguments, &mut report).await?;
    }
    if wanted("attack") {
        attack::measure(&mut stack, arguments, &mut report).await?;
    }
    if wanted("pipeline") {
        pipeline::measure(&mut stack, arguments, &mut report).await?;
    }
    if arguments.long && wanted("outage") {
        outage::measure(&mut stack, &mut report).await?;
    }
    // Last, because they empty the usage tables.
    if wanted("settler") {
        settler::measure(&stack.database.pool, arguments, &mut report).await?;
    }
    if wanted("ingestors") {
        ingestors::measure(&mut stack, arguments, &mut report).await?;
    }
    if arguments.long && wanted("questions") {
        questions::measure(&mut Stack::as_in_production().await, &mut report).await?;
    }
    report.finish()
}
