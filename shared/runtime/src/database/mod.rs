//! The way to Postgres: pools, waiting for it, and the schema this binary was built for.

mod migrate;
mod nodelay;
mod pool;
mod schema;
mod wait;

pub use migrate::migrate;
pub use pool::{PoolShape, connect_options, pool};
pub use schema::{MIGRATOR, SchemaError, check_schema, check_schema_for};
pub use wait::{Stopped, connect_patiently};
