//! `tollkeeper operator`, with the console that it opens.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::{Command, Output};

use tollkeeper_testkit::{Stack, binary};

const ADA: &str = "ada@example.org";

fn tollkeeper(stack: &Stack, base: &str, arguments: &[&str]) -> Output {
    Command::new(binary("tollkeeper"))
        .env_clear()
        .env("TOLLKEEPER_DATABASE_URL", &stack.database.url)
        .env("TOLLKEEPER_PUBLIC_URL", base)
        .arg("operator")
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The link that was printed.
#[track_caller]
fn link(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    let printed = text(&output.stdout);
    let mut words = printed.split_whitespace();
    words
        .find(|word| word.contains("/console/password/"))
        .unwrap()
        .to_owned()
}

#[track_caller]
fn refused(output: &Output, why: &str) {
    assert!(!output.status.success());
    let complaint = text(&output.stderr);
    assert!(complaint.contains(why), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_come_and_go_by_the_command() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let base = format!("http://{}", api.public);
    let run = |arguments: &[&str]| tollkeeper(&stack, &base, arguments);
    let client = tollkeeper_testkit::http_client();
    let opens = async |link: &str| client.get(link).send().await.unwrap().status().as_u16();

    let first = link(&run(&["create", ADA]));
    assert!(
        first.starts_with(&format!("{base}/console/password/")),
        "{first}"
    );
    assert_eq!(opens(&first).await, 200);
    refused(&run(&["create", "ADA@example.org"]), "is there already");
    refused(&run(&["create", "ada"]), "no e-mail address");
    refused(&run(&["link", "grace@example.org"]), "no operator");
    let listed = || text(&run(&["list"]).stdout);
    assert_eq!(listed(), format!("{ADA} invited, not seen lately\n"));

    // A lost link: the new one takes its place.
    let second = link(&run(&["link", ADA]));
    assert_eq!((opens(&first).await, opens(&second).await), (404, 200));

    assert!(run(&["disable", ADA]).status.success());
    assert_eq!(opens(&second).await, 404);
    assert_eq!(listed(), format!("{ADA} disabled, not seen lately\n"));
    refused(&run(&["link", ADA]), "enable them first");
    assert!(run(&["enable", ADA]).status.success());
    let third = link(&run(&["link", ADA]));
    let set = client.post(&third).header("origin", &base).form(&[
        ("password", "four blue tulips"),
        ("repeated", "four blue tulips"),
    ]);
    set.send().await.unwrap();
    assert!(
        listed().starts_with(&format!("{ADA} active, seen ")),
        "{}",
        listed()
    );

    let acts = "select action from audit_entries where subject_type = 'person'
        and actor like 'database:%' order by number";
    let acts: Vec<String> = sqlx::query_scalar(acts)
        .fetch_all(&stack.database.pool)
        .await
        .unwrap();
    let linked = "PersonLinkIssued";
    let expected = [
        "PersonAdded",
        linked,
        linked,
        "PersonDisabled",
        "PersonEnabled",
        linked,
    ];
    assert_eq!(acts, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn holders_of_accounts_are_not_the_commands_business() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let account = api.operator().account("shop").await;
    let add = "insert into console_people (id, email, role, account_id, created_at)
        values (gen_random_uuid(), 'holder@example.org', 'user', $1::uuid, now())";
    sqlx::query(add)
        .bind(account)
        .execute(&stack.database.pool)
        .await
        .unwrap();
    let run = |arguments: &[&str]| tollkeeper(&stack, "https://tokens.example.com", arguments);
    refused(&run(&["disable", "holder@example.org"]), "no operator");
    refused(&run(&["create", "holder@example.org"]), "is there already");
    assert_eq!(text(&run(&["list"]).stdout), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_takes_is_complained_of() {
    let stack = Stack::bare().await;
    let base = "https://tokens.example.com";
    assert!(tollkeeper(&stack, base, &["create", ADA]).status.success());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let listed = Command::new(binary("tollkeeper"))
        .args(["operator", "list"])
        .env("TOLLKEEPER_DATABASE_URL", &stack.database.url)
        .stdout(writer)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let listed = listed.wait_with_output().unwrap();
    assert_eq!(listed.status.code(), Some(1));
    let said = text(&listed.stderr);
    let complaint = "tollkeeper: standard output cannot be written: ";
    assert!(
        said.starts_with(complaint) && said.lines().count() == 1,
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runbook_for_who_is_locked_out_is_right() {
    let stack = Stack::bare().await;
    let base = "https://tokens.example.com";
    assert!(tollkeeper(&stack, base, &["create", ADA]).status.success());
    let runbook = include_str!("../../../docs/runbooks/locked-out.md");
    let commands = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("tollkeeper operator "));
    let mut done = Vec::new();
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        let output = tollkeeper(&stack, base, &words);
        assert!(output.status.success(), "{command}: {output:?}");
        done.push(words[0]);
    }
    assert_eq!(done, ["list", "link", "create", "disable"]);
    let export = Command::new(binary("tollkeeper"))
        .env_clear()
        .env("TOLLKEEPER_DATABASE_URL", &stack.database.url)
        .args(["audit", "export", "--outcome", "refused"])
        .args(["--action", "POST /console/sign-in"])
        .output()
        .unwrap();
    assert!(export.status.success(), "{export:?}");
    assert!(runbook.contains(r#"audit export --outcome refused --action "POST /console/sign-in""#));
}
