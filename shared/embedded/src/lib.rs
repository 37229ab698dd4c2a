//! Private Postgres and NATS servers: finding or installing their programs, starting them in a
//! folder, stopping them in order, and leaving none behind.
//!
//! `tollkeeper up` runs on them, the tests do, and so do the developer tasks. It blocks and does
//! without an async runtime, so that a developer task that only wants a Postgres builds quickly.
//! It never touches a server it did not start.

pub mod account;
pub mod install;
pub mod nats;
pub mod ports;
pub mod postgres;
pub mod process;

mod guard;

pub use postgres::tail;
pub use process::{Process, ServerError, Signal};
