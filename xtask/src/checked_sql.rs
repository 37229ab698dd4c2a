//! The query data in `.sqlx`, by which the code builds without a database.
//!
//! sqlx's macros write it when they are given a live database and a folder. So everything is
//! compiled once beside a private Postgres that was migrated from nothing: this proves the
//! statements, and what the macros wrote is compared with what is checked in. Clippy is who
//! compiles, as it looks at everything anyway.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tollkeeper_runtime::database::{self, MIGRATOR, PoolShape};
use tollkeeper_runtime::settings::{DatabaseSettings, Secret};

use crate::error::Error;
use crate::postgres::Throwaway;
use crate::shell::{cargo, run};
use crate::workspace::root;

const FOLDER: &str = ".sqlx";

/// File name to content.
type Queries = BTreeMap<String, Vec<u8>>;

/// Makes `.sqlx` what the code needs.
pub(crate) fn write() -> Result<(), Error> {
    let (wanted, found) = (expand(&[])?, read(&root().join(FOLDER))?);
    let folder = root().join(FOLDER);
    fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    for stale in found.keys().filter(|name| !wanted.contains_key(*name)) {
        let path = folder.join(stale);
        fs::remove_file(&path).map_err(Error::file(path))?;
    }
    for (name, content) in wanted {
        let path = folder.join(name);
        fs::write(&path, content).map_err(Error::file(path))?;
    }
    Ok(())
}

/// Fails if a statement is wrong, if clippy finds something, or if `.sqlx` is not what the code needs.
pub(crate) fn check() -> Result<(), Error> {
    let (wanted, found) = (expand(&["-D", "warnings"])?, read(&root().join(FOLDER))?);
    let names = wanted.keys().chain(found.keys());
    let mut paths: Vec<String> = names
        .filter(|name| wanted.get(*name) != found.get(*name))
        .map(|name| format!("{FOLDER}/{name}"))
        .collect();
    paths.sort();
    paths.dedup();
    if paths.is_empty() {
        Ok(())
    } else {
        let task = "sqlx";
        Err(Error::NotClean { task, paths })
    }
}

/// Has the macros check every statement and collects what they write. Clippy is told this, too.
fn expand(lints: &[&str]) -> Result<Queries, Error> {
    let postgres = Throwaway::start(50)?;
    migrate(&postgres.url())?;
    let written = tempfile::tempdir().map_err(Error::file(std::env::temp_dir()))?;
    let mut clippy = cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--"]);
    clippy
        .args(lints)
        // The macros run only where something is compiled, and clippy leaves alone what it has looked at
        // under the same arguments. This folder has another name each time.
        .args(["--cfg", &format!("checked_sql={:?}", written.path())])
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", written.path())
        .env("DATABASE_URL", postgres.url());
    run(&mut clippy)?;
    read(written.path())
}

fn migrate(url: &str) -> Result<(), Error> {
    let failed = |reason: &dyn std::fmt::Display| Error::Migrate(reason.to_string());
    let settings = DatabaseSettings {
        url: Secret::new(url),
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|reason| failed(&reason))?;
    runtime.block_on(async {
        let pool = database::pool(&settings, &PoolShape::new("xtask", 1))
            .map_err(|reason| failed(&reason))?;
        let migrated = MIGRATOR.run(&pool).await;
        pool.close().await;
        migrated.map_err(|reason| failed(&reason))
    })
}

fn read(folder: &Path) -> Result<Queries, Error> {
    let mut queries = Queries::new();
    if !folder.exists() {
        return Ok(queries);
    }
    for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
        let path = entry.map_err(Error::file(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("query-") {
            let content = fs::read(&path).map_err(Error::file(&path))?;
            queries.insert(name.into_owned(), content);
        }
    }
    Ok(queries)
}
