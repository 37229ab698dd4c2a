//! Issued tokens a second over HTTP, each committed to the disk before it is answered, against one
//! transaction for each, run by pgbench with the same statements.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;
use tollkeeper_embedded::postgres::Binaries;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::OPERATOR_KEY;

use crate::load::Load;
use crate::report::{Report, median, spread};
use crate::{Arguments, Failure};

/// How many clients issue at once.
const CLIENTS: [u32; 4] = [1, 4, 16, 64];

/// As long as the payload of what the API issues.
const PAYLOAD: &str = r#"{"account_id":"ACCOUNT","environment":"live","expires_at":"2027-01-31T12:00:00.123456Z","issued_by":null,"metadata":{"team":"billing"},"name":"a token","not_before":null,"scopes":["orders:read","orders:write"],"secret_hash":"abababababababababababababababababababababababababababababababab","token_prefix":"tk_live_Ab3x"}"#;

/// Takes the figure for each number of clients.
pub(crate) async fn measure(
    stack: &mut Stack,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    // As in the baseline, nothing is counted.
    let api = stack.api(&[("TOLLKEEPER_ACCOUNT_TOKEN_LIMIT", "0")]).await;
    let account = api.operator().account("bench-issue").await;
    let body = json!({
        "account_id": account,
        "name": "a token",
        "scopes": ["orders:read", "orders:write"],
        "metadata": { "team": "billing" },
        "expires_in_minutes": 1440,
    });
    let load = Load::posting("/v1/tokens", OPERATOR_KEY, &body)?;
    let baseline = Baseline::of(&stack.database.url, &account)?;
    load.run_with(api.public, 1, 16).await?;
    baseline.run(1, 16).await?;
    for clients in CLIENTS {
        let (mut ratios, mut base) = (Vec::new(), Vec::new());
        for _ in 0..arguments.pairs {
            let theirs = baseline.run(arguments.seconds, clients).await?;
            let ours = load
                .run_with(api.public, arguments.seconds, clients)
                .await?;
            ratios.push(ours.per_second / theirs);
            base.push(theirs);
        }
        report.row(
            &format!("issued tokens/s, {clients} clients, against a transaction for each"),
            if clients == 64 { "≥ 2" } else { "—" },
            spread(&ratios),
            format!("{:.0} tokens/s", median(base)),
        );
    }
    Ok(())
}

/// pgbench with the statements by which a token is issued.
struct Baseline {
    script: TempDir,
    program: std::path::PathBuf,
    database: String,
}

impl Baseline {
    fn of(database: &str, account: &str) -> Result<Self, Failure> {
        let binaries = Binaries::find().ok_or("there is no PostgreSQL")?;
        let script = tempfile::tempdir()?;
        // pgbench takes a colon before a letter or digit for a variable, so the payload is in
        // hexadecimal digits.
        let payload: String = PAYLOAD
            .replace("ACCOUNT", account)
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let statement = include_str!("issue.sql")
            .replace("ACCOUNT", account)
            .replace("PAYLOAD", &payload);
        fs::write(script.path().join("issue.sql"), statement)?;
        Ok(Self {
            script,
            program: binaries.program("pgbench"),
            database: database.to_owned(),
        })
    }

    /// Transactions a second.
    async fn run(&self, seconds: u32, clients: u32) -> Result<f64, Failure> {
        let output = Command::new(&self.program)
            .args(["--no-vacuum", "--protocol=prepared"])
            .arg(format!("--client={clients}"))
            .arg(format!("--jobs={}", clients.min(2)))
            .arg(format!("--time={seconds}"))
            .arg("--file")
            .arg(Path::new(self.script.path()).join("issue.sql"))
            .arg(&self.database)
            .output()
            .await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let tps = text.lines().find_map(|line| line.strip_prefix("tps = "));
        let number = tps.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| {
            let why = String::from_utf8_lossy(&output.stderr);
            format!("pgbench did not run clean:\n{text}{why}").into()
        })
    }
}
