//! What tokens were used for.

use serde_json::json;
use tollkeeper_testkit::stack::OPERATOR_KEY;
use tollkeeper_testkit::{Stack, wait_for};

use crate::shell::Shell;

#[tokio::test]
async fn what_a_token_was_used_for_is_told() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({ "name": "busy" })).await;
    let id = token["id"].as_str().unwrap();
    let bearer = api.bearer(token["token"].as_str().unwrap());
    assert_eq!(bearer.get("/v1/forward-auth").await.status, 200);
    let other = bearer.get("/v1/forward-auth?scope=orders:read").await;
    assert_eq!(other.status, 403);
    let revoke = format!("/v1/tokens/{id}?wait=applied");
    operator.delete(&revoke).await.expect(200);

    let shell = Shell::at(&api, OPERATOR_KEY);
    let json = ["--output", "json"];
    let show = ["usage", "show", id, "--bucket", "hour"];
    wait_for("the usage to be counted", async || {
        let series = shell.run(&[&show[..], &json].concat()).await.json();
        series["total"]["requests"] == 2
    })
    .await;
    let table = shell.run(&show).await;
    let lines: Vec<&str> = table.expect(0).lines().collect();
    assert!(lines[0].trim_start().starts_with("FROM"), "{table:?}");
    assert!([25, 26].contains(&lines.len()), "{table:?}");
    let grouped = [
        "usage",
        "show",
        "--account",
        &account,
        "--group-by",
        "verdict",
    ];
    let grouped = shell.run(&grouped).await;
    let lines: Vec<&str> = grouped.expect(0).lines().collect();
    assert!(
        lines[1].contains("INSUFFICIENT_SCOPE") && lines[2].contains("VALID"),
        "{grouped:?}"
    );
    let top = shell.run(&["usage", "top", "--order", "errors"]).await;
    let lines: Vec<&str> = top.expect(0).lines().collect();
    assert!(
        lines.len() == 2 && lines[1].contains("busy") && lines[1].contains(id),
        "{top:?}"
    );
    let requests = ["usage", "requests", id, "--status", "403"];
    let requests = shell.run(&[&requests[..], &json].concat()).await.json();
    assert_eq!(requests.as_array().unwrap().len(), 1, "{requests}");
    assert_eq!(requests[0]["verdict"], "INSUFFICIENT_SCOPE");
    let exposure = shell.run(&["usage", "exposure", id]).await;
    let report = exposure.expect(0);
    for part in [
        "everything",
        "in force",
        "address",
        "127.0.0.1",
        "INSUFFICIENT_SCOPE",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let trial = ["usage", "dry-run", id, "--allowed-cidr", "192.0.2.0/24"];
    let report = shell.run(&[&trial[..], &json].concat()).await.json();
    assert_eq!(report["refused"], 1, "{report}");
    let table = shell.run(&trial).await;
    let lines: Vec<&str> = table.expect(0).lines().collect();
    assert!(lines[1].contains("everything"), "{table:?}");
    assert!(lines[2].contains("IP_NOT_ALLOWED"), "{table:?}");
    assert!(lines[3].contains("127.0.0.1"), "{table:?}");
    let nothing = shell.run(&["usage", "dry-run", id]).await;
    nothing.expect(1);
    assert!(nothing.complaint.contains("INVALID_FIELDS"), "{nothing:?}");

    wait_for("the usage to be complete", async || {
        let ask = [&["usage", "completeness"][..], &json].concat();
        let report = shell.run(&ask).await.json();
        let sources = report["items"].as_array().unwrap();
        let of = |name: &str| {
            sources
                .iter()
                .filter_map(|it| it[name].as_i64())
                .sum::<i64>()
        };
        of("counted") == 2 && of("pending") == 0 && of("missing") == 0
    })
    .await;
    // Nobody has ever seen a source of this number but for three of its events.
    sqlx::query(
        "with known as (insert into usage_sources (source) values (gen_random_uuid()) returning source)
        insert into usage_ledger select source, 6, 8, 'counted' from known",
    )
    .execute(&stack.database.pool)
    .await
    .unwrap();
    let holes = shell.run(&["usage", "completeness", "--incomplete"]).await;
    let table = holes.expect(0);
    let line = table.lines().find(|line| line.contains("unmarked"));
    assert!(line.is_some_and(|line| line.contains("1-5")), "{table}");
    assert!(table.contains("everything"), "{table}");

    let call = |id: &str, status: u16| {
        let token = token["id"].as_str().unwrap();
        json!({ "id": id, "token_id": token, "endpoint": "/", "method": "GET", "status": status })
    };
    // More than are reported at once.
    let calls: Vec<String> = (0..1500)
        .map(|it| call(&it.to_string(), 200).to_string())
        .collect();
    let calls = format!("{}\n\n{}\n", calls.join("\n"), call("wrong", 7));
    let report = ["usage", "report", "-"];
    let reported = shell.run_with_input(&report, &calls).await;
    let table = reported.expect(1);
    assert!(table.contains("1500") && table.contains("1502"), "{table}");
    assert!(table.contains("status: this is 100 to 599"), "{table}");
    std::fs::write(shell.folder.path().join("calls"), &calls[..calls.len() / 2]).unwrap();
    let cut_off = shell.run(&["usage", "report", "calls"]).await;
    cut_off.expect(2);
    let lines = calls.lines().take(1500).collect::<Vec<_>>().join("\n");
    std::fs::write(shell.folder.path().join("calls"), lines).unwrap();
    let again = ["usage", "report", "calls"];
    let again = shell.run(&[&again[..], &json[..]].concat()).await.json();
    let expected = json!({ "accepted": 0, "duplicates": 1500, "rejected": [] });
    assert_eq!(again, expected);
    shell.run(&["usage", "report", "nowhere"]).await.expect(1);

    let unknown = "01890a5d-ac96-774b-bcce-b302099a8057";
    for command in ["show", "requests", "exposure"] {
        shell.run(&["usage", command, unknown]).await.expect(3);
    }
    let trial = [
        "usage",
        "dry-run",
        unknown,
        "--expires-at",
        "2026-01-01T00:00:00Z",
    ];
    shell.run(&trial).await.expect(3);
    let large = [
        "usage",
        "show",
        "--bucket",
        "day",
        "--from",
        "2000-01-01T00:00:00Z",
    ];
    let large = shell.run(&large).await;
    large.expect(1);
    assert!(large.complaint.contains("RANGE_TOO_LARGE"), "{large:?}");
    let both = ["usage", "show", id, "--account", &account];
    shell.run(&both).await.expect(2);
}
