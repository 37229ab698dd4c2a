//! Logins for the programs under test: each a member of its program's role, and of nothing else, so that
//! every test of a program is a test of what its role may do.

use sqlx::{AssertSqlSafe, PgConnection};

/// The roles that the migrations make.
const ROLES: [&str; 4] = [
    "tollkeeper_api",
    "tollkeeper_ingestor",
    "tollkeeper_dashboards",
    "tollkeeper_gate",
];

/// Of servers that listen on the loopback and end with their tests.
const PASSWORD: &str = "password";

/// Makes the logins that are missing, on a server where a database was migrated.
pub(super) async fn ensure(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    for role in ROLES {
        let login = login(role);
        let make = format!(
            "do $$ begin
                if not exists (select from pg_roles where rolname = '{login}') then
                    create role {login} login password '{PASSWORD}' in role {role};
                end if;
            end $$"
        );
        sqlx::raw_sql(AssertSqlSafe(make))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The URL by which a member of `role` reaches the database of this URL.
///
/// # Panics
/// When the URL says nothing of a login.
pub(crate) fn url_of(url: &str, role: &str) -> String {
    let (_, rest) = url.split_once('@').expect("a URL with a login");
    format!("postgres://{}:{PASSWORD}@{rest}", login(role))
}

fn login(role: &str) -> String {
    format!("test_{role}")
}
