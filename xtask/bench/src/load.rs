//! Closed-loop load by wrk: as many requests as the server takes.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::Failure;

/// Connections that wrk keeps busy.
const CONNECTIONS: u32 = 64;

/// What one run came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) per_second: f64,
    pub(crate) requests: f64,
}

/// Requests with the credentials of some tokens in turn.
#[derive(Debug)]
pub(crate) struct Load {
    script: TempDir,
    path: String,
}

impl Load {
    /// Requests for `path` with one token after the other.
    pub(crate) fn new(path: &str, tokens: &[String]) -> Result<Self, Failure> {
        let script = tempfile::tempdir()?;
        let list: Vec<String> = tokens.iter().map(|token| format!("\"{token}\"")).collect();
        // Requests are put together once, so that the client costs the same for every server.
        let text = format!(
            "local tokens = {{{}}}\nlocal requests = {{}}\nlocal at = 0\n\
             function init(args)\n\
               for i, token in ipairs(tokens) do\n\
                 requests[i] = wrk.format(\"GET\", nil, {{\n\
                   [\"Authorization\"] = \"Bearer \" .. token,\n\
                   [\"X-Original-URI\"] = \"/orders/17?page=2\",\n\
                   [\"X-Original-Method\"] = \"GET\",\n\
                   [\"X-Forwarded-For\"] = \"203.0.113.9\",\n\
                   [\"User-Agent\"] = \"bench/1.0\",\n\
                 }})\n\
               end\n\
             end\n\
             function request()\n\
               at = at % #requests + 1\n\
               return requests[at]\n\
             end\n",
            list.join(",")
        );
        fs::write(script.path().join("requests.lua"), text)?;
        Ok(Self {
            script,
            path: path.to_owned(),
        })
    }

    /// The same JSON body posted again and again.
    pub(crate) fn posting(path: &str, key: &str, body: &Value) -> Result<Self, Failure> {
        let script = tempfile::tempdir()?;
        let text = format!(
            "wrk.method = \"POST\"\n\
             wrk.body = [[{body}]]\n\
             wrk.headers[\"Content-Type\"] = \"application/json\"\n\
             wrk.headers[\"X-API-Key\"] = \"{key}\"\n"
        );
        fs::write(script.path().join("requests.lua"), text)?;
        Ok(Self {
            script,
            path: path.to_owned(),
        })
    }

    /// The same thing read again and again.
    pub(crate) fn getting(path: &str, key: &str) -> Result<Self, Failure> {
        let script = tempfile::tempdir()?;
        let text = format!("wrk.headers[\"X-API-Key\"] = \"{key}\"\n");
        fs::write(script.path().join("requests.lua"), text)?;
        Ok(Self {
            script,
            path: path.to_owned(),
        })
    }

    /// Runs for `seconds` against the server at `address`.
    pub(crate) async fn run(&self, address: SocketAddr, seconds: u32) -> Result<Run, Failure> {
        self.run_with(address, seconds, CONNECTIONS).await
    }

    /// As [`Load::run`], with that many connections.
    pub(crate) async fn run_with(
        &self,
        address: SocketAddr,
        seconds: u32,
        connections: u32,
    ) -> Result<Run, Failure> {
        let output = Command::new("wrk")
            .args([
                "-t",
                "1",
                "-c",
                &connections.to_string(),
                "-d",
                &format!("{seconds}s"),
                "-s",
            ])
            .arg(Path::new(self.script.path()).join("requests.lua"))
            .arg(format!("http://{address}{}", self.path))
            .output()
            .await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() || text.contains("Non-2xx") {
            return Err(format!("the load did not run clean:\n{text}").into());
        }
        let number = |name: &str, part: usize| {
            let line = text.lines().find(|line| line.contains(name));
            let word = line.and_then(|line| line.split_whitespace().nth(part));
            word.and_then(|word| word.parse::<f64>().ok())
                .ok_or(format!("no {name}:\n{text}"))
        };
        Ok(Run {
            per_second: number("Requests/sec:", 1)?,
            requests: number("requests in", 0)?,
        })
    }
}
