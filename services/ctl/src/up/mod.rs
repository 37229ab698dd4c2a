//! `tollkeeper up`: everything on this machine, in one folder, without anything prepared.
//!
//! The services it starts are the ordinary ones; only their Postgres and NATS are private. It stops
//! what it started in the opposite order, and what it could not stop its guards end.

mod banner;
mod environment;
mod error;
mod first_operator;
mod first_token;
mod folder;
mod ports;
mod secrets;
mod servers;
mod services;
mod stack;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tollkeeper_runtime::settings::{
    Binary, InternalListenSettings, ListenSettings, LogSettings, OperatorSettings, SealSettings,
    Source,
};

use crate::out::say;
use error::Error;
use folder::Folder;
use secrets::Secrets;
use stack::Stack;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder that everything is kept in
    #[arg(long, default_value = ".tollkeeper")]
    folder: PathBuf,

    /// Where the ingestor answers /livez, /readyz and /metrics
    #[arg(long, default_value = "127.0.0.1:8082", value_name = "ADDRESS")]
    ingestor_internal_listen: SocketAddr,
}

/// Where everything will listen.
#[derive(Debug, Clone, Copy)]
struct Addresses {
    public: SocketAddr,
    api_internal: SocketAddr,
    ingestor_internal: SocketAddr,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let addresses = addresses(arguments)?;
    let mut signals = Signals::new()?;
    let folder = Folder::open(&arguments.folder)?;
    let started = tokio::select! {
        started = start(&folder, addresses) => started?,
        () = signals.next() => {
            say("stopped before everything was up");
            return Ok(ExitCode::SUCCESS);
        }
    };
    watch(started, &mut signals).await
}

async fn start(folder: &Folder, addresses: Addresses) -> Result<Stack, Error> {
    folder.wait_for_earlier_children().await?;
    ports::check(addresses)?;
    let seal = SealSettings::read(&Source::from_process(Binary::Api)?)?;
    let secrets = Secrets::load_or_make(folder, seal.keys)?;
    let (mut stack, secrets, database) = Stack::start(folder, addresses, secrets).await?;
    stack.wait_until_ready(addresses).await?;
    let token = first_token::ensure(folder, addresses.public, &secrets.operator_key).await?;
    let link = first_operator::ensure(&database).await?;
    banner::show(folder, addresses, &secrets, &token, link.as_ref());
    Ok(stack)
}

async fn watch(mut stack: Stack, signals: &mut Signals) -> Result<ExitCode, Error> {
    let died = tokio::select! {
        died = stack.first_death() => Some(died),
        () = signals.next() => None,
    };
    match &died {
        Some(died) => say(&format!("{died}\nstopping everything else")),
        None => say("stopping"),
    }
    tokio::select! {
        stopped = stack.stop() => stopped?,
        () = signals.next() => {
            say("asked again, not waiting any longer");
            // The guards end what is still there.
            std::process::exit(1);
        }
    }
    say("stopped");
    Ok(match died {
        Some(_) => ExitCode::FAILURE,
        None => ExitCode::SUCCESS,
    })
}

/// Reads the settings the services will read, so that a wrong one is named here and at once.
fn addresses(arguments: &Arguments) -> Result<Addresses, Error> {
    let source = Source::from_process(Binary::Api)?;
    OperatorSettings::read(&source)?;
    LogSettings::read(&source)?;
    for variable in ["TOLLKEEPER_DATABASE_URL", "TOLLKEEPER_NATS_URL"] {
        if std::env::var_os(variable).is_some() {
            return Err(Error::OwnServers { variable });
        }
    }
    Ok(Addresses {
        public: ListenSettings::read(&source)?.address,
        api_internal: InternalListenSettings::read(&source)?.address,
        ingestor_internal: arguments.ingestor_internal_listen,
    })
}

struct Signals {
    term: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(Error::Signals);
        Ok(Self {
            term: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
