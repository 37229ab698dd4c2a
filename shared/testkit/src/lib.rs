//! What tests lean on: real private servers, faults on demand, and a clock and randomness that
//! the test decides.
//!
//! A test waits for a condition ([`wait_for`]), never for a time. Everything here panics with a
//! sentence that says what to do: in a test that is the best error there is.

pub mod nats;
pub mod postgres;
pub mod proxy;
pub mod stack;

mod authority;
mod axe;
mod binaries;
mod browser;
mod clock;
mod disk;
mod entropy;
mod files;
mod folder;
mod http;
mod otlp;
mod python;
mod sums;
mod tls;
mod wait;

pub use authority::{TestAuthority, TestCertificate};
pub use axe::axe_core;
pub use binaries::binary;
pub use browser::Browser;
pub use clock::FixedClock;
pub use disk::SmallDisk;
pub use entropy::SeededEntropy;
pub use files::most_open_files;
pub use http::{http_client, http_client_builder};
pub use nats::{TestCluster, TestNats};
pub use otlp::{ReceivedSpan, TraceReceiver};
pub use postgres::{PrivatePostgres, TestDatabase};
pub use proxy::FaultProxy;
pub use python::python_packages;
pub use stack::Stack;
pub use sums::sum_up_accounts;
pub use tls::TlsFront;
pub use wait::{wait_for, wait_for_some};
