//! A private Postgres in a folder.

mod binaries;
mod server;

pub use binaries::Binaries;
pub use server::{Durability, Postgres, PostgresConfig, tail};

/// The superuser of a private server.
pub const USER: &str = "tollkeeper";
