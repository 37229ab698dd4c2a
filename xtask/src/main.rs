//! Developer tasks: `cargo xtask <task>`.

mod bench;
mod checked_sql;
mod console_pictures;
mod dashboards;
mod error;
mod faults;
mod generate;
mod grafana;
mod postgres;
mod shell;
mod test;
mod up;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use shell::complain;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Developer tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build in release mode and run everything on this machine
    Up(up::Arguments),
    /// Everything that must be green
    Test,
    /// Measure against baselines of the same run; see docs/benchmarks.md
    Bench(bench::Arguments),
    /// Have programs and servers fail under load, two at a time, and count every request
    Faults(faults::Arguments),
    /// Draw the dashboards with what they are answered, to be looked at
    Dashboards(dashboards::Arguments),
    /// Take pictures of the console's pages, and keep them in docs/console
    ConsolePictures,
    /// Write the generated documents
    Generate,
    /// Write the query data of `.sqlx` from the migrations and the code
    Sqlx,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Up(arguments) => up::run_up(&arguments),
        Task::Test => test::run(),
        Task::Bench(arguments) => bench::run_bench(&arguments),
        Task::Faults(arguments) => faults::run_faults(&arguments),
        Task::Dashboards(arguments) => dashboards::run_dashboards(&arguments),
        Task::ConsolePictures => console_pictures::take(),
        Task::Generate => generate::write(),
        Task::Sqlx => checked_sql::write(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("xtask: {error}"));
            ExitCode::FAILURE
        }
    }
}
