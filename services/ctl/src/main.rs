//! `tollkeeper`: the command an operator types.

mod audit;
mod migrate;
mod nats;
mod out;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "tollkeeper",
    version,
    about = "Issues, checks and counts API tokens"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine: a private PostgreSQL and NATS, the API and the ingestor
    Up(up::Arguments),
    /// Bring the database's schema to what this version needs
    Migrate(migrate::Arguments),
    /// Look after the broker's streams and consumers
    #[command(subcommand)]
    Nats(nats::Command),
    /// Prove that the log is whole
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Prove that the tables are what the log says
    #[command(subcommand)]
    Projections(audit::Projections),
}

#[tokio::main]
async fn main() -> ExitCode {
    tollkeeper_runtime::tls::choose_cryptography();
    let done = match Arguments::parse().command {
        Command::Up(arguments) => up::run(&arguments).await.map_err(report),
        Command::Migrate(arguments) => migrate::run(&arguments).await.map_err(report),
        Command::Nats(command) => nats::run(&command).await.map_err(report),
        Command::Audit(command) => audit::audit(&command).await.map_err(report),
        Command::Projections(command) => audit::projections(&command).await.map_err(report),
    };
    done.unwrap_or(ExitCode::FAILURE)
}

fn report(error: impl std::error::Error) {
    out::complain(&format!("tollkeeper: {error}"));
}
