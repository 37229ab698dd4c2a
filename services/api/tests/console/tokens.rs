//! The pages about tokens: each flow as a user and as an operator, and what must never be seen.

mod browser;
mod bulk;
mod change;
mod edit;
mod exposure;
mod history;
mod issue;
mod list;
mod others;
mod refill;

use serde_json::{Value, json};
use tollkeeper_testkit::stack::Person;
use tollkeeper_testkit::wait_for;

use crate::support::{Client, Site};

/// A name that is markup where it is not escaped.
const HOSTILE: &str = r#"<script>alert("x")</script>' & <b>"#;

/// An installation with the account `crm-1`, and its holder.
async fn with_account() -> (Site, String, Client) {
    let site = Site::start().await;
    let account = site.api.operator().account("crm-1").await;
    let client = site.user(&account).await.client();
    (site, account, client)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    let found = value[member].as_str();
    found.unwrap_or_else(|| panic!("no {member}: {value}"))
}

/// Where the console has a token that an answer of the API shows.
fn page_of(token: &Value) -> String {
    format!("/console/tokens/{}", text(token, "id"))
}

/// The page at a path, which is there.
#[track_caller]
fn shown(got: (u16, reqwest::header::HeaderMap, String)) -> String {
    assert_eq!(got.0, 200, "{}", got.2);
    got.2
}

/// Where a form leads that did what it was to do.
#[track_caller]
fn led((status, headers, page): (u16, reqwest::header::HeaderMap, String)) -> String {
    assert_eq!(status, 303, "{page}");
    let location = headers["location"].to_str().expect("a path");
    location.to_owned()
}

#[track_caller]
fn has(page: &str, text: &str) {
    assert!(page.contains(text), "no {text:?} in:\n{page}");
}

#[track_caller]
fn has_not(page: &str, text: &str) {
    assert!(!page.contains(text), "{text:?} in:\n{page}");
}

/// The value of the first field of this name.
#[track_caller]
fn field(page: &str, name: &str) -> String {
    let start = format!(r#"name="{name}" value=""#);
    let found = page
        .split_once(&start)
        .and_then(|(_, rest)| rest.split('"').next());
    let found = found.unwrap_or_else(|| panic!("no field {name} in:\n{page}"));
    found.to_owned()
}

/// Each part of a page that begins with the one text and ends with the other.
fn between<'a>(page: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    let parts = page.split(start).skip(1);
    let ended = parts.filter_map(|part| part.split_once(end));
    ended.map(|(part, _)| part).collect()
}

/// The secret that a page shows.
#[track_caller]
fn secret(page: &str) -> String {
    let found = between(page, r#"<code id="secret">"#, "</code>");
    found
        .first()
        .unwrap_or_else(|| panic!("no secret in:\n{page}"))
        .to_string()
}

/// What a check of a token comes to.
async fn verdict(operator: &Person, secret: &str) -> String {
    let asked = json!({ "token": secret });
    let told = operator.post("/v1/verify", asked).await.expect(200);
    text(&told, "code").to_owned()
}

/// Waits until a check of a token comes to this.
async fn comes_to(operator: &Person, secret: &str, code: &str) {
    wait_for(code, async || verdict(operator, secret).await == code).await;
}
