//! Every failure has its exit code and says what is wrong.

use tollkeeper_testkit::stack::OPERATOR_KEY;
use tollkeeper_testkit::{FaultProxy, Stack, wait_for};

use crate::shell::Shell;

/// The id of no token.
const NOBODY: &str = "01900000-0000-7000-8000-000000000000";

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
