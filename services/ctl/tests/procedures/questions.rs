//! What runbooks ask the database, asked by the owner of one that was made as the guide to deployment says, who sees
//! there what others do.

use std::fs;
use std::path::Path;
use std::process::Command;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection};
use tollkeeper_embedded::postgres::Durability;
use tollkeeper_testkit::{PrivatePostgres, binary};

const DEPLOYMENT: &str = include_str!("../../../../docs/deployment.md");

/// What an administrator of the server does.
const NOT_OF_THE_OWNER: &str = "select pg_reload_conf()";

/// Every question, as the owner types it, and the runbook that it is from.
fn questions() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/runbooks");
    let mut found = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        // Whole commands have tests of their own.
        let prose: Vec<&str> = text.split("```").step_by(2).collect();
        let prose = prose.concat();
        for span in prose.split('`').skip(1).step_by(2) {
            let span: Vec<&str> = span.split_whitespace().collect();
            let span = span.join(" ");
            let question = match span.split_once("c '") {
                Some((psql, rest)) if psql.starts_with("psql \"$TOLLKEEPER_DATABASE_URL\"") => {
                    rest.strip_suffix('\'').unwrap()
                }
                _ => &span,
            };
            if question.starts_with("select ") || question.starts_with("delete ") {
                found.push((name.clone(), question.to_owned()));
            }
        }
    }
    found
}

async fn connected(server: &PrivatePostgres, login: &str, program: &str) -> PgConnection {
    let options = PgConnectOptions::new()
        .host("127.0.0.1")
        .port(server.address().port())
        .database("tollkeeper")
        .username(login)
        .password("password")
        .application_name(program);
    PgConnection::connect_with(&options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_gets_an_answer_to_each_question_and_may_end_what_blocks() {
    let server = PrivatePostgres::start_empty(Durability::None).await;
    let (_, roles) = DEPLOYMENT.split_once("```sql\n").unwrap();
    let (roles, _) = roles.split_once("```").unwrap();
    let roles = roles.replace('…', "password");
    let psql = "psql --quiet --set ON_ERROR_STOP=1 --dbname";
    let make = format!("{psql} postgres <<'SQL'\n{roles}\nSQL\n");
    let made = server.shell(&make, &[]).await;
    assert!(made.status.success(), "{made:?}");
    let address = server.address();
    let owner = format!("postgres://tollkeeper_owner:password@{address}/tollkeeper");
    let migrated = Command::new(binary("tollkeeper"))
        .arg("migrate")
        .env("TOLLKEEPER_DATABASE_URL", &owner)
        .output()
        .unwrap();
    assert!(migrated.status.success(), "{migrated:?}");

    let mut api = connected(&server, "api_1", "tollkeeper-api").await;
    let mut ingestor = connected(&server, "ingestor_1", "tollkeeper-ingestor").await;
    ingestor.execute("select 'held here'").await.unwrap();
    let (mut asked, mut seen, mut ended) = (0, 0, 0);
    for (runbook, question) in questions() {
        if question == NOT_OF_THE_OWNER {
            continue;
        }
        let question = question.replace("<pid>", "0").replace("<id>", "0");
        let ask = format!("{psql} \"$OWNER\" --command \"$QUESTION\"");
        let variables = [("OWNER", owner.as_str()), ("QUESTION", &question)];
        let answer = server.shell(&ask, &variables).await;
        let said = String::from_utf8_lossy(&answer.stdout);
        assert!(answer.status.success(), "{runbook}: {question}: {answer:?}");
        assert!(
            !said.contains("insufficient"),
            "{runbook}: {question}: {said}"
        );
        asked += 1;
        seen += usize::from(said.contains("held here"));
        ended +=
            usize::from(question.contains("pg_terminate_backend(pid)") && said.contains(" t\n"));
    }
    assert!(asked >= 15 && seen >= 2, "{asked} asked, {seen} seen");
    assert_eq!(ended, 1);
    assert!(api.ping().await.is_err());
}
