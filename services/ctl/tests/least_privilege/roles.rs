//! The roles belong to the server: databases that are migrated at the same time share them, and the
//! migrating user may have no right to make them.

use std::process::{Command, Output};

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio::task::JoinSet;
use tollkeeper_embedded::postgres::Durability;
use tollkeeper_runtime::database::MIGRATOR;
use tollkeeper_testkit::PrivatePostgres;

const DATABASES: usize = 6;

const MAKE: &str = "create role tollkeeper_api nologin; create role tollkeeper_ingestor nologin; \
                    create role tollkeeper_dashboards nologin;";

/// The role that came later, which the migrations ask for when they get there.
const MAKE_LATER: &str = "create role tollkeeper_gate nologin;";

async fn run(server: &PrivatePostgres, statements: &str) {
    let mut connection = PgConnection::connect(&server.url_of("postgres"))
        .await
        .unwrap();
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
    let server = PrivatePostgres::start_empty(Durability::None).await;
    let mut migrating = JoinSet::new();
    for number in 0..DATABASES {
        run(&server, &format!("create database at_once_{number}")).await;
        let url = server.url_of(&format!("at_once_{number}"));
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
    let server = PrivatePostgres::start_empty(Durability::None).await;
    run(
        &server,
        "create role owner login password 'password'; create database theirs owner owner;",
    )
    .await;
    let url = server.url_of("theirs");
    let (_, place) = url.split_once('@').unwrap();
    let url = format!("postgres://owner:password@{place}");

    let refused = migrate(&url);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success());
    assert!(said.contains(MAKE), "{said}");

    run(&server, MAKE).await;
    let refused = migrate(&url);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success());
    assert!(said.contains(MAKE_LATER), "{said}");

    run(&server, MAKE_LATER).await;
    let migrated = migrate(&url);
    assert!(migrated.status.success(), "{migrated:?}");
}

fn migrate(url: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollkeeper"))
        .arg("migrate")
        .env("TOLLKEEPER_DATABASE_URL", url)
        .output()
        .unwrap()
}
