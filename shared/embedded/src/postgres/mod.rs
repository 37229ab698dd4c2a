//! A private Postgres in a folder.

mod binaries;
mod server;

pub use binaries::Binaries;
pub(crate) use server::tail;
pub use server::{Durability, Postgres, PostgresConfig};

/// The superuser of a private server.
pub const USER: &str = "tollkeeper";
