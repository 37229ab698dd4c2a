//! `tollkeeper`: the command an operator types.

mod audit;
mod client;
mod completions;
mod dead_letters;
mod health;
mod migrate;
mod nats;
mod operator;
mod out;
mod projections;
mod proof;
mod restore;
mod rollups;
mod token;
mod up;
mod usage;

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
    /// Issue, see, change, check and end tokens, over the HTTP API
    Token(token::Arguments),
    /// Tell what tokens were used for, over the HTTP API
    Usage(usage::Arguments),
    /// Look after those who may do everything in the console
    #[command(subcommand)]
    Operator(operator::Command),
    /// Look after usage that could not be counted
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Prove that the log is whole, and tell who did what
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Prove that the tables are what the log says, or make them so
    Projections(projections::Arguments),
    /// Prove that the sums of usage are what its rows say, or make them so
    Rollups(rollups::Arguments),
    /// Find what a database that was restored from a backup has forgotten, and revoke again what it must
    /// not have
    Restore(restore::Arguments),
    /// Ask a process on this machine whether it can do its work
    Health(health::Arguments),
    /// Print what a shell needs to complete the arguments of this command
    Completions(completions::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    tollkeeper_runtime::tls::choose_cryptography();
    let done = match Arguments::parse().command {
        Command::Up(arguments) => up::run(&arguments).await.map_err(report),
        Command::Migrate(arguments) => migrate::run(&arguments).await.map_err(report),
        Command::Nats(command) => nats::run(&command).await.map_err(report),
        Command::Token(arguments) => Ok(token::run(&arguments).await),
        Command::Usage(arguments) => Ok(usage::run(&arguments).await),
        Command::Operator(command) => operator::run(&command).await.map_err(report),
        Command::DeadLetters(command) => dead_letters::run(&command).await.map_err(report),
        Command::Audit(command) => audit::audit(&command).await.map_err(report),
        Command::Projections(arguments) => Ok(projections::run(&arguments).await),
        Command::Rollups(arguments) => Ok(rollups::run(&arguments).await),
        Command::Restore(arguments) => Ok(restore::run(&arguments).await),
        Command::Health(arguments) => health::run(&arguments).await.map_err(report),
        Command::Completions(arguments) => {
            completions::run::<Arguments>(&arguments).map_err(report)
        }
    };
    done.unwrap_or(ExitCode::FAILURE)
}

fn report(error: impl std::error::Error) {
    out::complain(&format!("tollkeeper: {error}"));
}
