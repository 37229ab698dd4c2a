//! `tollkeeper token` against the real API.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tollkeeper_testkit::stack::{Node, OPERATOR_KEY};
use tollkeeper_testkit::{FaultProxy, Stack, TlsFront, wait_for};

/// The id of no token.
const NOBODY: &str = "01900000-0000-7000-8000-000000000000";

/// What a run came to.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    complaint: String,
}

impl Ran {
    #[track_caller]
    fn expect(&self, code: i32) -> &str {
        assert_eq!(self.code, code, "{self:?}");
        &self.out
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(self.expect(0)).unwrap()
    }
}

/// Somebody with a shell.
struct Shell {
    variables: Vec<(&'static str, String)>,
    folder: TempDir,
}

impl Shell {
    fn new(url: String, key: &str) -> Self {
        Self {
            variables: vec![
                ("TOLLKEEPER_URL", url),
                ("TOLLKEEPER_API_KEY", key.to_owned()),
            ],
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn at(api: &Node, key: &str) -> Self {
        Self::new(format!("http://{}", api.public), key)
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "").await
    }

    async fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollkeeper"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let input = input.to_owned();
        let ran = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            // A command that reads none of it may be over by now.
            let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
            child.wait_with_output().unwrap()
        });
        let output = ran.await.unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            complaint: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

#[tokio::test]
async fn a_token_lives_and_ends_from_the_shell() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let account = api.operator().account("crm-1").await;
    let shell = Shell::at(&api, OPERATOR_KEY);
    let json = ["--output", "json"];

    let issue = [
        "token",
        "issue",
        "CI of the web shop",
        "--account",
        &account,
    ];
    let fields = [
        "--scope",
        "orders:read",
        "--scope",
        "users:*",
        "--environment",
        "test",
        "--expires-in-minutes",
        "60",
        "--metadata",
        r#"{"team":"web"}"#,
    ];
    let issued = shell
        .run(&[&issue[..], &fields, &json].concat())
        .await
        .json();
    assert_eq!(issued["scopes"], json!(["orders:read", "users:*"]));
    assert_eq!(issued["metadata"], json!({ "team": "web" }));
    let secret = issued["token"].as_str().unwrap();
    assert!(secret.starts_with("tk_test_"));
    let id = issued["id"].as_str().unwrap();

    let shown = shell.run(&["token", "show", id]).await;
    for line in [
        "name",
        "CI of the web shop",
        "orders:read users:*",
        "active",
    ] {
        assert!(shown.expect(0).contains(line), "{shown:?}");
    }
    assert!(!shown.out.contains(secret));
    let shown = shell
        .run(&[&["token", "show", id][..], &json].concat())
        .await;
    assert_eq!(shown.json()["id"], *id);

    let verify = [
        "token",
        "verify",
        "--scope",
        "orders:read",
        "--environment",
        "test",
    ];
    let told = shell.run_with_input(&verify, &format!("{secret}\n")).await;
    assert!(told.expect(0).contains("VALID"), "{told:?}");
    assert!(!told.out.contains(secret));

    // The new secret alone, as a script wants it.
    let rotate = ["token", "rotate", id, "--grace-seconds", "3600", "--quiet"];
    let rotated = shell.run(&rotate).await;
    let newer = rotated.expect(0).strip_suffix('\n').unwrap();
    assert!(newer.starts_with("tk_test_") && newer != secret && newer.len() == secret.len());
    let verdict = async |token: &str| {
        let ran = shell
            .run_with_input(&["token", "verify", "--output", "json"], token)
            .await;
        let told: Value = serde_json::from_str(&ran.out).unwrap();
        (ran.code, told["code"].as_str().unwrap().to_owned())
    };
    for token in [secret, newer] {
        assert_eq!(verdict(token).await, (0, "VALID".to_owned()));
    }

    shell.run(&["token", "suspend", id]).await.expect(0);
    assert_eq!(verdict(newer).await, (4, "SUSPENDED".to_owned()));
    shell.run(&["token", "resume", id]).await.expect(0);
    assert_eq!(verdict(newer).await, (0, "VALID".to_owned()));
    let revoke = ["token", "revoke", id, "--reason", "superseded"];
    let revoked = shell.run(&revoke).await;
    assert!(revoked.expect(0).contains("superseded"), "{revoked:?}");
    assert_eq!(verdict(newer).await, (4, "REVOKED".to_owned()));
    assert_eq!(verdict("junk").await, (4, "MALFORMED".to_owned()));

    let file = shell.folder.path().join("token");
    std::fs::write(&file, format!("{newer}\r\n")).unwrap();
    let from_file = ["token", "verify", "--file", file.to_str().unwrap()];
    assert!(shell.run(&from_file).await.expect(4).contains("REVOKED"));
}

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

    let table = shell.run(&["token", "list", "--account", &other]).await;
    let lines: Vec<&str> = table.expect(0).lines().collect();
    assert!(lines[0].trim_start().starts_with("ID"), "{table:?}");
    assert!(lines[1].contains(id) && lines[1].contains("suspended"));
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn a_credential_of_any_kind_will_do_and_its_bounds_are_told() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let scopes = json!({ "scopes": ["tollkeeper:tokens.read", "tollkeeper:tokens.write"] });
    let manager = operator.issue(&account, scopes).await;
    let manager = manager["token"].as_str().unwrap();

    let shell = Shell::at(&api, manager);
    let issued = shell.run(&["token", "issue", "a", "--quiet"]).await;
    assert!(issued.expect(0).starts_with("tk_live_"));
    let beyond = shell
        .run(&["token", "issue", "a", "--scope", "orders:read"])
        .await;
    beyond.expect(1);
    assert!(beyond.complaint.contains("BEYOND_AUTHORITY"), "{beyond:?}");
    let verify = shell.run_with_input(&["token", "verify"], "junk").await;
    verify.expect(1);
    assert!(
        verify.complaint.contains("INSUFFICIENT_SCOPE"),
        "{verify:?}"
    );

    let file = shell.folder.path().join("key");
    std::fs::write(&file, format!("{manager}\n")).unwrap();
    let from_file = Shell::at(&api, manager)
        .without("TOLLKEEPER_API_KEY")
        .with("TOLLKEEPER_API_KEY_FILE", file.to_str().unwrap());
    from_file.run(&["token", "list"]).await.expect(0);

    let wrong = Shell::at(&api, "tk_live_wrong")
        .run(&["token", "list"])
        .await;
    wrong.expect(1);
    assert!(wrong.complaint.contains("MALFORMED"), "{wrong:?}");
    // Three parts with dots between them are a JWT, and this API takes none.
    let jwt = Shell::at(&api, "a.b.c").run(&["token", "list"]).await;
    jwt.expect(1);
    assert!(jwt.complaint.contains("INVALID_JWT"), "{jwt:?}");
}

#[tokio::test]
async fn every_failure_has_its_exit_code_and_says_what_is_wrong() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let api = stack.api(&[]).await;
    let account = api.operator().account("crm-1").await;
    let shell = Shell::at(&api, OPERATOR_KEY);

    for arguments in [
        &["token", "show", NOBODY][..],
        &["token", "history", NOBODY],
        &["token", "rotate", NOBODY],
        &["token", "suspend", NOBODY],
        &["token", "resume", NOBODY],
        &["token", "revoke", NOBODY],
    ] {
        let ran = shell.run(arguments).await;
        assert_eq!(ran.expect(3), "");
        assert!(ran.complaint.contains("NOT_FOUND, request "), "{ran:?}");
    }
    let bad = [
        "token",
        "issue",
        "a",
        "--account",
        &account,
        "--scope",
        "A",
        "--scope",
        "B",
    ];
    let bad = shell.run(&bad).await;
    bad.expect(1);
    for part in [
        "INVALID_FIELDS, request ",
        "\n    /scopes/0: ",
        "\n    /scopes/1: ",
    ] {
        assert!(bad.complaint.contains(part), "{bad:?}");
    }

    for (arguments, input) in [
        (&["token", "show", "x"][..], ""),
        (&["token", "show"], ""),
        (&["token", "issue"], ""),
        (&["token", "issue", "a", "--metadata", "[]"], ""),
        (
            &[
                "token",
                "issue",
                "a",
                "--expires-at",
                "t",
                "--expires-in-minutes",
                "1",
            ],
            "",
        ),
        (&["token", "revoke", NOBODY, "--reason", "boredom"], ""),
        (&["token", "list", "--limit", "0"], ""),
        (&["token", "list", "--url", "ftp://example.com"], ""),
        (&["token", "list", "--output", "yaml"], ""),
        (&["token", "verify", "a-token-as-an-argument"], ""),
        (&["token", "verify"], ""),
        (&["token", "verify"], "\n"),
        (&["completions", "tcsh"], ""),
    ] {
        let ran = shell.run_with_input(arguments, input).await;
        assert_eq!(ran.expect(2), "");
        assert!(!ran.complaint.is_empty());
    }
    let long = shell
        .run_with_input(&["token", "verify"], &"x".repeat(5000))
        .await;
    long.expect(2);
    let no_file = shell.run(&["token", "verify", "--file", "nowhere"]).await;
    no_file.expect(1);
    let url = format!("http://{}", api.public);
    let without = Shell::new(url.clone(), "x").without("TOLLKEEPER_API_KEY");
    let without = without.run(&["token", "list"]).await;
    without.expect(2);
    assert!(
        without.complaint.contains("TOLLKEEPER_API_KEY is not set"),
        "{without:?}"
    );

    // Something else answers there.
    let other = Shell::new(format!("http://{}", api.internal), OPERATOR_KEY);
    let other = other.run(&["token", "list"]).await;
    other.expect(1);
    assert!(other.complaint.contains("not as Tollkeeper"), "{other:?}");

    proxy.cut();
    wait_for("the database to be missed", async || {
        shell.run(&["token", "show", NOBODY]).await.code == 5
    })
    .await;
    drop(api);
    let gone = shell.run(&["token", "list"]).await;
    assert_eq!(gone.expect(5), "");
    assert!(!gone.complaint.contains(OPERATOR_KEY), "{gone:?}");
    let asked_elsewhere = Shell::new("http://127.0.0.1:1".to_owned(), "x");
    let asked_elsewhere = asked_elsewhere.run(&["token", "list", "--url", &url]).await;
    asked_elsewhere.expect(5);
    assert!(
        asked_elsewhere.complaint.contains(&url),
        "{asked_elsewhere:?}"
    );
}

#[tokio::test]
async fn every_reason_that_can_be_given_is_known_to_the_server() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let shell = Shell::at(&api, OPERATOR_KEY);
    for reason in [
        "unspecified",
        "key_compromise",
        "privilege_withdrawn",
        "superseded",
        "cessation_of_operation",
        "leaked",
    ] {
        let token = operator.issue(&account, json!({})).await;
        let id = token["id"].as_str().unwrap();
        let revoke = [
            "token", "revoke", id, "--reason", reason, "--output", "json",
        ];
        assert_eq!(shell.run(&revoke).await.json()["revocation_reason"], reason);
    }
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
async fn what_a_token_has_issued_ends_with_it_if_that_is_wanted() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let scopes = json!({ "scopes": ["tollkeeper:tokens.write"] });
    let manager = operator.issue(&account, scopes).await;
    let id = manager["id"].as_str().unwrap();
    let with_manager = Shell::at(&api, manager["token"].as_str().unwrap());
    let issued = with_manager.run(&["token", "issue", "a", "--quiet"]).await;
    let issued = issued.expect(0).to_owned();

    let shell = Shell::at(&api, OPERATOR_KEY);
    shell.run(&["token", "revoke", id]).await.expect(0);
    let told = shell.run_with_input(&["token", "verify"], &issued).await;
    told.expect(0);
    let cascade = ["token", "revoke", id, "--cascade", "--output", "json"];
    let revoked = shell.run(&cascade).await.json();
    assert_eq!(revoked["cascade"]["revoked"], 1);
    let told = shell.run_with_input(&["token", "verify"], &issued).await;
    assert!(told.expect(4).contains("REVOKED"), "{told:?}");
}

#[tokio::test]
async fn https_is_spoken_to_servers_that_are_trusted() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("certificate.pem");
    let secured = TlsFront::start(api.public).await;
    std::fs::write(&certificate, secured.certificate()).unwrap();
    let url = format!("https://localhost:{}", secured.port());
    let trusting =
        Shell::new(url.clone(), OPERATOR_KEY).with("SSL_CERT_FILE", certificate.to_str().unwrap());
    trusting.run(&["token", "list"]).await.expect(0);
    let stranger = TlsFront::start(api.public).await;
    std::fs::write(&certificate, stranger.certificate()).unwrap();
    let wary = Shell::new(url, OPERATOR_KEY).with("SSL_CERT_FILE", certificate.to_str().unwrap());
    let refused = wary.run(&["token", "list"]).await;
    refused.expect(5);
    assert!(refused.complaint.contains("certificate"), "{refused:?}");
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
