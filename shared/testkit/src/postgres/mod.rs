//! Postgres for tests.
//!
//! All tests of a run share one server: the one `TOLLKEEPER_TEST_POSTGRES` names (`cargo xtask
//! test` starts it), else one per test process, which ends with it. Each test gets a database of
//! its own, cloned from a template that was migrated once. The template is named after the
//! migrations, so that a changed one makes a new template.

mod by_hand;
mod database;
mod logins;
mod private;
mod server;
mod template;

pub use database::TestDatabase;
pub(crate) use logins::url_of;
pub use private::PrivatePostgres;
