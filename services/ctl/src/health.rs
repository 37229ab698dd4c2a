//! `tollkeeper health`: whether a process can do its work, for those who look after containers: an image
//! without a shell has nothing else to ask with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Client;
use tollkeeper_runtime::settings::{Binary, InternalListenSettings, SettingsError, Source};

use crate::out::{complain, say};

/// Whoever looks after containers does not wait long, and asks again.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The internal address of the process; instead of TOLLKEEPER_INTERNAL_LISTEN
    #[arg(long, value_name = "ADDRESS")]
    at: Option<SocketAddr>,
    /// Ask whether it runs at all, and not whether it can do its work
    #[arg(long)]
    live: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),

    #[error("no answer from {url}: {reason}")]
    Silent {
        url: String,
        #[source]
        reason: reqwest::Error,
    },
}

pub(crate) async fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let at = match arguments.at {
        Some(at) => at,
        None => InternalListenSettings::read(&Source::from_process(Binary::Ctl)?)?.address,
    };
    let path = if arguments.live { "livez" } else { "readyz" };
    let url = format!("http://{}/{path}", reachable(at));
    let (status, text) = ask(&url).await.map_err(|reason| Error::Silent {
        url,
        reason: reason.without_url(),
    })?;
    if status.is_success() {
        say(&text);
        Ok(ExitCode::SUCCESS)
    } else {
        complain(&text);
        Ok(ExitCode::FAILURE)
    }
}

async fn ask(url: &str) -> reqwest::Result<(reqwest::StatusCode, String)> {
    let client = Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let answer = client.get(url).send().await?;
    Ok((answer.status(), answer.text().await?))
}

/// Who listens on every address is asked on the loopback.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_here() {
        for (listening, asked) in [
            ("0.0.0.0:8081", "127.0.0.1:8081"),
            ("[::]:8081", "[::1]:8081"),
            ("10.0.0.7:8081", "10.0.0.7:8081"),
        ] {
            assert_eq!(reachable(listening.parse().unwrap()).to_string(), asked);
        }
    }
}
