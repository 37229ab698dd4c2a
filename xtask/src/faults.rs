//! `cargo xtask faults`

use crate::error::Error;
use crate::shell::{cargo, run, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What chance begins with: the same one has the same faults strike in the same order
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many pairs of faults
    #[arg(long, default_value_t = 30)]
    rounds: u64,
}

/// Builds the programs and has pairs of faults strike them under load.
pub(crate) fn run_faults(arguments: &Arguments) -> Result<(), Error> {
    let Arguments { seed, rounds } = arguments;
    say(&format!("{rounds} pairs of faults from seed {seed}"));
    run(&mut cargo(&["build", "--workspace", "--bins"]))?;
    // One after the other: each takes the whole machine.
    run(
        cargo(&["test", "--workspace", "--test=faults", "--test=cluster"])
            .args(["--", "--nocapture", "--test-threads=1"])
            .env("TOLLKEEPER_FAULTS_SEED", seed.to_string())
            .env("TOLLKEEPER_FAULTS_ROUNDS", rounds.to_string()),
    )
}
