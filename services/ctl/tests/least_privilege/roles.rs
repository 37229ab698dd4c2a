//! The roles belong to the server: databases that are migrated at the same time share them, and the
//! migrating user may have no right to make them.

use std::process::{Command, Output};

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tollkeeper_embedded::postgres::Durability;
use tollkeeper_runtime::database::MIGRATOR;
use tollkeeper_testkit::PrivatePostgres;
use tokio::task::JoinSet;

const DATABASES: usize = 6;

const MAKE: &str = "create role tollkeeper_api nologin; create role tollkeeper_ingestor nologin; \
                    create role tollkeeper_dashboards nologin;";

/// A server without the roles.
async fn without_roles() -> PrivatePostgres {
    let server = PrivatePostgres::start(Durability::None).await;
    let roles = "tollkeeper_api, tollkeeper_ingestor, tollkeeper_dashboards";
    let logins = "test_tollkeeper_api, test_tollkeeper_ingestor, test_tollkeeper_dashboards";
    run(&server, &format!("drop owned by {roles}")).await;
    run(&server, &format!("drop role {logins}, {roles}")).await;
    server
}

async fn run(server: &PrivatePostgres, statements: &str) {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    for statement in statements.split_inclusive(';') {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn databases_that_are_migrated_at_the_same_time_share_the_roles() {
    let server = without_roles().await;
    let mut migrating = JoinSet::new();
    for number in 0..DATABASES {
        run(&server, &format!("create database at_once_{number}")).await;
        let url = server
            .url()
            .replace("/tollkeeper?", &format!("/at_once_{number}?"));
        migrating.spawn(async move {
            let pool = PgPool::connect(&url).await.unwrap();
            MIGRATOR.run(&pool).await
        });
    }
    for migrated in migrating.join_all().await {
        migrated.unwrap();
    }
}

#[tokio::test]
async fn whoever_may_make_no_roles_is_told_which_are_missing() {
    let server = without_roles().await;
    run(
        &server,
        "create role owner login password 'password'; create database theirs owner owner;",
    )
    .await;
    let (_, rest) = server.url().split_once('@').map(owned).unwrap();
    let url = format!("postgres://owner:password@{rest}").replace("/tollkeeper?", "/theirs?");

    let refused = migrate(&url);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success());
    assert!(said.contains(MAKE), "{said}");

    run(&server, MAKE).await;
    let migrated = migrate(&url);
    assert!(migrated.status.success(), "{migrated:?}");
}

fn owned((before, after): (&str, &str)) -> (String, String) {
    (before.to_owned(), after.to_owned())
}

fn migrate(url: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollkeeper"))
        .arg("migrate")
        .env("TOLLKEEPER_DATABASE_URL", url)
        .output()
        .unwrap()
}
