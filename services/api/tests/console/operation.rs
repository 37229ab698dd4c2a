//! How the installation does, dead letters and the audit log.

use serde_json::{Value, json};
use tollkeeper_testkit::wait_for;

use crate::support::{Client, Site, axe, seed, unescaped};

const PAGES: [&str; 4] = [
    "/console/operation",
    "/console/operation/dead-letters",
    "/console/operation/dead-letters/replay?what=all",
    "/console/operation/audit",
];

async fn shown(client: &Client, path: &str) -> String {
    let (status, _, text) = client.get(path).await;
    assert_eq!(status, 200, "{path}: {text}");
    unescaped(&text)
}

/// The row of a table that begins with this.
#[track_caller]
fn row<'a>(page: &'a str, begins: &str) -> &'a str {
    let rows = page.split("<tr>").skip(1);
    let mut rows = rows.map(|row| row.split("</tr>").next().unwrap_or_default());
    let found = rows.find(|row| row.contains(begins));
    found.unwrap_or_else(|| panic!("no row with {begins}: {page}"))
}

#[tokio::test]
async fn operation_is_for_operators() {
    let site = Site::start().await;
    let account = site.api.operator().account("shop").await;
    let user = site.user(&account).await.client();
    for path in PAGES {
        let (status, _, text) = user.get(path).await;
        assert_eq!(status, 403, "{path}: {text}");
        assert!(text.contains("this is for operators"), "{text}");
    }
    let replay = "/console/operation/dead-letters/replay";
    let (status, _, _) = user.post(replay, &[("what", "all")]).await;
    assert_eq!(status, 403);
    let home = shown(&user, "/console").await;
    assert!(!home.contains("/console/operation"), "{home}");
}

#[tokio::test]
async fn nodes_and_what_is_missing_of_usage_are_told() {
    let site = Site::start().await;
    seed(&site).await;
    let client = site.operator().await.client();
    let page = shown(&client, "/console/operation").await;
    assert!(row(&page, "8a9d0e01").contains("up to date"), "{page}");
    let behind = row(&page, "8a9d0e02");
    assert!(
        behind.contains("behind") && behind.contains(">17<"),
        "{behind}"
    );
    assert!(row(&page, "8a9d0e03").contains("silent"), "{page}");
    // The hole, by its numbers.
    let hole = row(&page, "8a9d0e12");
    assert!(hole.contains("12,001 to 12,002"), "{hole}");
    assert!(row(&page, "8a9d0e13").contains("vanished"), "{page}");
    let head: (i64, Vec<u8>) = sqlx::query_as("select position, hash from event_log_head")
        .fetch_one(&site.pool)
        .await
        .unwrap();
    let hash: String = head.1.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(page.contains(&hash), "{page}");
    let all = shown(&client, "/console/operation?sources=all").await;
    assert!(all.matches("<tr>").count() >= page.matches("<tr>").count());
}

#[tokio::test]
async fn the_page_of_operation_goes_on_by_itself() {
    let site = Site::start().await;
    seed(&site).await;
    let operator = site.operator().await;
    let browser = operator.browser().await;
    let url = format!("{}/console/operation", site.base());
    browser.client.goto(&url).await.unwrap();
    let letters = "section.stats a[href='/console/operation/dead-letters']";
    assert_eq!(browser.text(letters).await, "4");
    sqlx::query("delete from usage_dead_letters where reason = 'undecodable'")
        .execute(&site.pool)
        .await
        .unwrap();
    wait_for("the number to change", async || {
        browser.text(letters).await == "3"
    })
    .await;
    axe(&browser).await;
}

#[tokio::test]
async fn letters_that_are_selected_are_tried_again_without_script() {
    let mut site = Site::start().await;
    sqlx::query("alter table api_token_usage add constraint no_tea check (endpoint <> '/tea')")
        .execute(&site.pool)
        .await
        .unwrap();
    let _ingestor = site.stack.ingestor(&[]).await;
    let operator = site.api.operator();
    let account = operator.account("shop").await;
    let token = operator.issue(&account, json!({})).await;
    let caller = site.api.bearer(token["token"].as_str().unwrap());
    caller
        .get("/v1/forward-auth/tea?from=path")
        .await
        .expect(200);
    let letters = async || operator.get("/v1/dead-letters").await.expect(200)["items"].clone();
    wait_for("a letter", async || letters().await != json!([])).await;

    let visitor = site.operator().await;
    let browser = visitor.browser_without_script().await;
    let url = format!("{}/console/operation/dead-letters", site.base());
    browser.client.goto(&url).await.unwrap();
    browser.click("input[name=id]").await;
    browser.click("button[value=selected]").await;
    browser.says("main", "letter 1 again").await;
    browser.click("button.primary").await;
    let said = "1 letter is to be tried again";
    browser.says(".notice", said).await;
    wait_for("the try to fail", async || {
        letters().await[0]["replay_failure"].is_string()
    })
    .await;
    let id = letters().await[0]["id"].clone();
    browser.client.goto(&format!("{url}/{id}")).await.unwrap();
    let page = browser.text("main").await;
    assert!(page.contains("Why the last try failed"), "{page}");
    assert!(page.contains("no_tea"), "{page}");

    sqlx::query("alter table api_token_usage drop constraint no_tea")
        .execute(&site.pool)
        .await
        .unwrap();
    let client = visitor.client();
    let replay = "/console/operation/dead-letters/replay";
    let (status, headers, _) = client.post(replay, &[("what", "all")]).await;
    assert_eq!(status, 303);
    assert_eq!(
        headers["location"],
        "/console/operation/dead-letters?asked=1"
    );
    wait_for("the letter to go", async || letters().await == json!([])).await;
    let page = shown(&client, "/console/operation/dead-letters").await;
    assert!(
        page.contains("All usage that arrived was counted."),
        "{page}"
    );
    let (status, _, _) = client
        .get(&format!("/console/operation/dead-letters/{id}"))
        .await;
    assert_eq!(status, 404);

    let audit = shown(
        &client,
        "/console/operation/audit?action=DeadLettersReplayed",
    )
    .await;
    let by = format!("operator:{}", visitor.email);
    assert!(row(&audit, "DeadLettersReplayed").contains(&by), "{audit}");
}

#[tokio::test]
async fn letters_are_narrowed_down_by_the_url() {
    let site = Site::start().await;
    seed(&site).await;
    let client = site.operator().await.client();
    let list = "/console/operation/dead-letters";
    let rows = |page: &str| page.matches("aria-label=\"Select letter").count();
    assert_eq!(rows(&shown(&client, list).await), 4);
    let refused = shown(&client, &format!("{list}?reason=refused&source=")).await;
    assert_eq!(rows(&refused), 2);
    assert!(
        refused.contains(r#"<option value="refused" selected>"#),
        "{refused}"
    );
    // What a stranger sent is text and nothing else.
    let (_, _, raw) = client.get(&format!("{list}?reason=undecodable")).await;
    assert!(
        raw.contains("&#60;html&#62;") && !raw.contains("<html>"),
        "{raw}"
    );
    let none = format!("{list}?reason=overlap&source={}", uuid::Uuid::nil());
    let none = shown(&client, &none).await;
    assert!(none.contains("None is like this."), "{none}");
    let ask = shown(&client, &format!("{list}/replay?what=selected")).await;
    assert!(ask.contains("No letter was selected."), "{ask}");
    let (status, _, text) = client.get(&format!("{list}?source=x")).await;
    assert_eq!(status, 400, "{text}");
}

#[tokio::test]
async fn the_audit_log_is_narrowed_down_and_taken_away() {
    let site = Site::start().await;
    let seeded = seed(&site).await;
    let client = site.operator().await.client();
    let log = "/console/operation/audit";
    let rows = |page: &str| page.matches("<tr>").count().saturating_sub(1);
    wait_for("refusals to be written", async || {
        rows(&shown(&client, &format!("{log}?outcome=refused")).await) == 2
    })
    .await;
    let refused = format!("{log}?outcome=refused&action=GET+%2Fv1%2Faccounts");
    let refused = shown(&client, &refused).await;
    assert_eq!(rows(&refused), 1);
    assert!(
        refused.contains("3 times") && refused.contains("INSUFFICIENT_SCOPE"),
        "{refused}"
    );
    let of_account = format!("{log}?action=AccountRegistered&subject_id={}", seeded.own);
    let of_account = shown(&client, &of_account).await;
    assert_eq!(rows(&of_account), 1);
    assert!(of_account.contains(&format!("/console/accounts/{}", seeded.own)));
    let none = shown(&client, &format!("{log}?until=2000-01-01T00%3A00")).await;
    assert!(none.contains("Nothing like this"), "{none}");
    let (status, _, wrong) = client.get(&format!("{log}?action=Nothing&actor=ada")).await;
    assert_eq!(status, 400);
    assert!(wrong.contains("is none that there is"), "{wrong}");
    assert!(wrong.contains(r#"value="ada""#), "{wrong}");

    // A page after the first leads on, with the same filter.
    let issued = shown(&client, &format!("{log}?action=TokenIssued")).await;
    assert_eq!(rows(&issued), 40);
    let all = shown(&client, log).await;
    let (_, next) = all.split_once(r#"<nav class="pager""#).unwrap();
    let next = next.split('"').find(|it| it.starts_with(log)).unwrap();
    assert!(rows(&shown(&client, next).await) > 0);

    let export = format!("{log}/export?action=TokenIssued");
    let (status, headers, csv) = client.get(&export).await;
    assert_eq!(status, 200);
    assert!(
        headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/csv")
    );
    assert_eq!(csv.lines().count(), 41, "{csv}");
    assert_eq!(exports(&site).await, 1);
}

/// How many exports the log tells of.
async fn exports(site: &Site) -> usize {
    let noted = site
        .api
        .operator()
        .get("/v1/audit?action=AuditExported&limit=200")
        .await;
    let noted = noted.expect(200);
    noted["items"].as_array().expect("a list").len()
}

#[tokio::test]
async fn an_export_of_the_audit_log_holds_all_pages() {
    let site = Site::start().await;
    let client = site.operator().await.client();
    let fill = "insert into audit_entries (recorded_at, actor, action, subject_type, details)
        select now() - n * interval '1 second', 'operator:\"grace\"', 'UsageExported', 'usage',
            jsonb_build_object('n', n, 'text', E'a\n,b')
        from generate_series(1, 1050) as n";
    let done = sqlx::raw_sql(fill).execute(&site.pool).await.unwrap();
    assert_eq!(done.rows_affected(), 1050);
    let export = "/console/operation/audit/export?actor=operator%3A%22grace%22";
    let (status, headers, text) = client.get(export).await;
    assert_eq!(status, 200, "{text}");
    assert!(headers.get("link").is_none());
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let names = table.headers().unwrap().clone();
    let details = names.iter().position(|it| it == "details").unwrap();
    let read = table.records().map(|row| {
        let row = row.expect("a line like the others");
        let details: Value = serde_json::from_str(&row[details]).unwrap();
        details["n"].as_u64().unwrap()
    });
    let read: Vec<u64> = read.collect();
    assert_eq!(read, (1..=1050).collect::<Vec<u64>>());
    assert_eq!(exports(&site).await, 1);
    let page = shown(
        &client,
        "/console/operation/audit?actor=operator%3A%22grace%22",
    )
    .await;
    assert!(page.contains("every line that the filters leave"), "{page}");
}

#[tokio::test]
async fn a_failing_part_is_told_as_such() {
    let site = Site::start().await;
    let client = site.operator().await.client();
    sqlx::query("alter table nodes rename to nodes_elsewhere")
        .execute(&site.pool)
        .await
        .unwrap();
    let (status, headers, text) = client.get("/console/operation").await;
    assert_eq!(status, 503, "{text}");
    let kind = headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/html"), "{kind}");
    assert!(
        text.contains("<h1>") && text.contains("Request id"),
        "{text}"
    );
    let other: Value = json!(client.get("/console/operation/audit").await.0);
    assert_eq!(other, 200);
}
