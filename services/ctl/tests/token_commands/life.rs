//! A token from its issue to its end, and with which credentials.

use serde_json::{Value, json};
use tollkeeper_testkit::stack::OPERATOR_KEY;
use tollkeeper_testkit::{Stack, TlsFront};

use crate::shell::Shell;

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
async fn a_token_is_bound_to_networks_from_the_shell() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let account = api.operator().account("crm-1").await;
    let shell = Shell::at(&api, OPERATOR_KEY);
    let issue = [
        "token",
        "issue",
        "a",
        "--account",
        &account,
        "--output",
        "json",
    ];
    let networks = ["--allowed-cidr", "203.0.113.0/24", "--allowed-cidr", "::1"];
    let issued = shell.run(&[&issue[..], &networks].concat()).await.json();
    assert_eq!(
        issued["allowed_cidrs"],
        json!(["203.0.113.0/24", "::1/128"])
    );
    let shown = shell
        .run(&["token", "show", issued["id"].as_str().unwrap()])
        .await;
    assert!(
        shown.expect(0).contains("203.0.113.0/24 ::1/128"),
        "{shown:?}"
    );
    let secret = issued["token"].as_str().unwrap();
    for (address, code, verdict) in [
        (Some("203.0.113.9"), 0, "VALID"),
        (Some("203.0.114.9"), 4, "IP_NOT_ALLOWED"),
        (None, 4, "IP_NOT_ALLOWED"),
    ] {
        let mut verify = vec!["token", "verify"];
        verify.extend(address.iter().flat_map(|it| ["--ip", it]));
        let told = shell.run_with_input(&verify, secret).await;
        assert!(told.expect(code).contains(verdict), "{told:?}");
    }
    let bad = ["--allowed-cidr", "203.0.113.9/24"];
    let refused = shell.run(&[&issue[..], &bad].concat()).await;
    refused.expect(1);
    assert!(
        refused.complaint.contains("/allowed_cidrs/0"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_token_is_limited_from_the_shell() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let account = api.operator().account("crm-1").await;
    let shell = Shell::at(&api, OPERATOR_KEY);
    let issue = ["token", "issue", "a", "--account", &account];
    let with = async |limit: &str, more: &[&str]| {
        let limited = [&issue[..], &["--rate-limit", limit], more].concat();
        shell.run(&limited).await
    };
    let more = [
        "--rate-limit",
        "name=day,limit=9,window_seconds=86400",
        "--output",
        "json",
    ];
    let limit = "name=requests,limit=600,window_seconds=60,burst=100,cost=2";
    let issued = with(limit, &more).await.json();
    assert_eq!(
        issued["rate_limits"],
        json!([
            { "name": "day", "limit": 9, "window_seconds": 86400, "burst": 9, "cost": 1 },
            { "name": "requests", "limit": 600, "window_seconds": 60, "burst": 100, "cost": 2 },
        ])
    );
    let show = ["token", "show", issued["id"].as_str().unwrap()];
    let shown = shell.run(&show).await;
    assert!(
        shown.expect(0).contains(r#""name":"requests""#),
        "{shown:?}"
    );
    let secret = issued["token"].as_str().unwrap();
    for (cost, code, verdict, left) in [
        ("0", 0, "VALID", 9),
        ("8", 0, "VALID", 1),
        ("2", 4, "RATE_LIMITED", 1),
        ("1", 0, "VALID", 0),
    ] {
        let verify = ["token", "verify", "--cost", cost];
        let told = shell.run_with_input(&verify, secret).await;
        let text = told.expect(code);
        assert!(text.contains(verdict), "{told:?}");
        assert!(text.contains(&format!(r#""remaining":{left}"#)), "{told:?}");
    }
    let refused = shell
        .run_with_input(&["token", "verify", "--cost", "4000000000"], secret)
        .await;
    refused.expect(1);
    assert!(refused.complaint.contains("/cost"), "{refused:?}");

    let refused = with("name=a,limit=0,window_seconds=60", &[]).await;
    refused.expect(1);
    assert!(
        refused.complaint.contains("/rate_limits/0/limit"),
        "{refused:?}"
    );
    for (limit, complaint) in [
        ("600", "`600` is not a field"),
        ("name=a,limit=many", "`many` is not a whole number"),
        ("name=a,limit=-1", "`-1` is not a whole number"),
    ] {
        let refused = with(limit, &[]).await;
        refused.expect(2);
        assert!(refused.complaint.contains(complaint), "{refused:?}");
    }
}

#[tokio::test]
async fn a_token_is_given_quotas_and_refilled_from_the_shell() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let account = api.operator().account("crm-1").await;
    let shell = Shell::at(&api, OPERATOR_KEY);
    let json = ["--output", "json"];
    let issue = ["token", "issue", "a", "--account", &account];
    let quotas = [
        "--quota",
        "name=trial,limit=1000000000000000",
        "--quota",
        "name=month,limit=100,refill=monthly",
    ];
    let issued = shell.run(&[&issue[..], &quotas, &json].concat()).await;
    let issued = issued.json();
    let told = |month: u32| {
        json!([
            { "name": "month", "limit": 100, "refill": "monthly", "generation": month },
            { "name": "trial", "limit": 1_000_000_000_000_000_u64, "refill": "none", "generation": 2 },
        ])
    };
    assert_eq!(issued["quotas"], told(1));
    let id = issued["id"].as_str().unwrap();
    let refill = ["token", "refill", id, "month"];
    let refilled = shell.run(&[&refill[..], &json].concat()).await;
    assert_eq!(refilled.json()["quotas"], told(3));
    let shown = shell.run(&["token", "show", id]).await;
    assert!(shown.expect(0).contains(r#""name":"trial""#), "{shown:?}");

    let left = ["token", "quotas", id];
    let told = shell.run(&[&left[..], &json].concat()).await.json();
    assert_eq!(
        (&told[0]["remaining"], &told[1]["used"]),
        (&json!(100), &json!(0))
    );
    let told = shell.run(&left).await;
    assert!(told.expect(0).contains("1000000000000000"), "{told:?}");

    let none = shell.run(&["token", "refill", id, "day"]).await;
    none.expect(3);
    for name in ["../../rotate", "..", ""] {
        let refused = shell.run(&["token", "refill", id, name]).await;
        refused.expect(2);
    }
    let bad = [&issue[..], &["--quota", "name=a,limit=1,refill=weekly"]].concat();
    let refused = shell.run(&bad).await;
    refused.expect(1);
    assert!(
        refused.complaint.contains("/quotas/0/refill"),
        "{refused:?}"
    );
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
