//! `cargo xtask test`: everything that must be green, the quick things first.

mod lints;
mod suite;
pub(crate) mod tools;

use crate::checked_sql;
use crate::error::Error;
use crate::generate;
use crate::shell::say;
use crate::workspace::Workspace;

pub(crate) fn run() -> Result<(), Error> {
    let workspace = Workspace::load()?;
    tools::ensure(&workspace)?;
    lints::formatting()?;
    lints::dependencies(&workspace.target.join("tools"))?;
    say("generated documents");
    generate::check()?;
    say("lints and checked SQL");
    checked_sql::check()?;
    lints::rustdoc()?;
    suite::run_suite()
}
