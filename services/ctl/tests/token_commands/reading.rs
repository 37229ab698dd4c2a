//! Lists, histories, the past, and what shells complete.

use serde_json::json;
use std::process::Command;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::OPERATOR_KEY;

use crate::shell::Shell;

#[tokio::test]
async fn lists_are_filtered_and_go_on_over_the_pages() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (one, other) = (
        operator.account("one").await,
        operator.account("other").await,
    );
    // More than a page of the API holds.
    for number in 0..205 {
        let fields = json!({ "name": format!("number {number}") });
        operator.issue(&one, fields).await;
    }
    let resting = json!({ "name": "resting", "environment": "test", "scopes": ["a:b"] });
    let resting = operator.issue(&other, resting).await;
    let id = resting["id"].as_str().unwrap();
    let shell = Shell::at(&api, OPERATOR_KEY);
    shell.run(&["token", "suspend", id]).await.expect(0);
    let list = async |more: &[&str]| {
        let arguments = [&["token", "list", "--output", "json"], more].concat();
        let ran = shell.run(&arguments).await;
        let names: Vec<String> = ran
            .json()
            .as_array()
            .unwrap()
            .iter()
            .map(|token| token["name"].as_str().unwrap().to_owned())
            .collect();
        (names, ran.complaint)
    };
    for filter in [
        &["--account", other.as_str()][..],
        &["--state", "suspended"],
        &["--environment", "test"],
        &["--scope", "a:b"],
        &["--prefix", "tk_test_"],
        &["--search", "REST"],
    ] {
        assert_eq!(
            list(filter).await,
            (vec!["resting".to_owned()], String::new())
        );
    }
    let (all, complaint) = list(&["--all"]).await;
    assert_eq!((all.len(), complaint.as_str()), (206, ""));
    assert_eq!(
        (all[0].as_str(), all[205].as_str()),
        ("resting", "number 0")
    );
    let (some, complaint) = list(&["--limit", "203"]).await;
    assert_eq!(some, all[..203]);
    assert!(complaint.contains("there are more"), "{complaint}");
    assert_eq!(list(&[]).await.0.len(), 50);
    for (arguments, first) in [
        (&["--sort", "-name"][..], "resting"),
        (&["--sort", "name"], "number 0"),
        (&["--sort=created_at"], "number 0"),
        (&["--never-used"], "resting"),
        (&["--unused-since", "2999-01-01T00:00:00Z"], "resting"),
    ] {
        let (some, _) = list(&[arguments, &["--limit", "1"]].concat()).await;
        assert_eq!(some, [first], "{arguments:?}");
    }
    let (none, _) = list(&["--unused-since", "2020-01-01T00:00:00Z"]).await;
    assert!(none.is_empty(), "{none:?}");
    let (by_name, _) = list(&["--sort", "name", "--all"]).await;
    let mut expected = all.clone();
    expected.sort();
    assert_eq!(by_name, expected, "over the pages of the API");

    let table = shell.run(&["token", "list", "--account", &other]).await;
    let lines: Vec<&str> = table.expect(0).lines().collect();
    assert!(lines[0].trim_start().starts_with("ID"), "{table:?}");
    assert!(lines[1].contains(id) && lines[1].contains("suspended"));
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn a_history_is_read_to_its_end() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let id = token["id"].as_str().unwrap();
    // More than a page of the API holds.
    for _ in 0..100 {
        for step in ["suspend", "resume"] {
            let path = format!("/v1/tokens/{id}/{step}");
            operator.post(&path, json!({})).await.expect(200);
        }
    }
    let leaked = format!("/v1/tokens/{id}?reason=leaked");
    let last = operator.delete(&leaked).await;
    last.expect(200);

    let shell = Shell::at(&api, OPERATOR_KEY);
    let history = ["token", "history", id];
    let table = shell.run(&[&history[..], &["--all"]].concat()).await;
    let lines: Vec<&str> = table.expect(0).lines().collect();
    assert_eq!((lines.len(), table.complaint.as_str()), (203, ""));
    assert!(lines[1].contains("TokenIssued") && lines[2].contains("TokenSuspended"));
    for part in [
        "TokenRevoked",
        "operator:test",
        last.header("x-request-id").unwrap(),
        r#"{"reason":"leaked"}"#,
    ] {
        assert!(lines[202].contains(part), "{part}: {table:?}");
    }
    let json = ["--output", "json", "--limit", "201"];
    let cut = shell.run(&[&history[..], &json].concat()).await;
    let versions: Vec<u64> = cut
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["stream_version"].as_u64().unwrap())
        .collect();
    assert_eq!(versions, (1..=201).collect::<Vec<_>>());
    assert!(cut.complaint.contains("there are more"), "{cut:?}");
}

#[tokio::test]
async fn the_past_is_shown() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({ "name": "before" })).await;
    let id = token["id"].as_str().unwrap();
    let path = format!("/v1/tokens/{id}");
    let events = operator.get(&format!("{path}/events")).await.expect(200);
    let issued = events["items"][0]["recorded_at"].as_str().unwrap();
    let renamed = operator.patch(&path, json!({ "name": "after" })).await;
    renamed.expect(200);
    operator.issue(&account, json!({ "name": "later" })).await;

    let shell = Shell::at(&api, OPERATOR_KEY);
    let json = ["--output", "json"];
    let was = ["token", "show", id, "--as-of", issued];
    assert_eq!(
        shell.run(&[&was[..], &json].concat()).await.json()["name"],
        "before"
    );
    let is = ["token", "show", id];
    assert_eq!(
        shell.run(&[&is[..], &json].concat()).await.json()["name"],
        "after"
    );
    let list = ["token", "list", "--as-of", issued];
    let list = shell.run(&[&list[..], &json].concat()).await.json();
    let names: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["before"]);
    let earlier = ["token", "show", id, "--as-of", "2020-01-01T00:00:00Z"];
    shell.run(&earlier).await.expect(3);
    for no_past in ["2999-01-01T00:00:00Z", "yesterday"] {
        let refused = shell.run(&["token", "show", id, "--as-of", no_past]).await;
        refused.expect(1);
        assert!(refused.complaint.contains("INVALID_QUERY"), "{refused:?}");
    }
}

#[tokio::test]
async fn shells_are_told_how_to_complete() {
    let shell = Shell::new("http://127.0.0.1:1".to_owned(), "x");
    for (name, part) in [
        ("bash", "complete -F _tollkeeper"),
        ("zsh", "#compdef tollkeeper"),
        ("fish", "complete -c tollkeeper"),
    ] {
        let ran = shell.run(&["completions", name]).await;
        let script = ran.expect(0);
        for part in [part, "rotate", "grace-seconds", "key_compromise"] {
            assert!(script.contains(part), "{name}: {part}");
        }
    }
    // The one of the three that every machine has reads it.
    let script = shell.run(&["completions", "bash"]).await;
    let check = format!("{}\ncomplete -p tollkeeper", script.expect(0));
    let bash = Command::new("bash").args(["-c", &check]).output().unwrap();
    let said = String::from_utf8(bash.stdout).unwrap();
    assert!(said.contains("_tollkeeper tollkeeper"), "{said}");
}
