//! A token is changed as it was shown, or not at all.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tollkeeper_ambient::{Clock, SystemClock};

use super::{field, has, has_not, led, page_of, shown, text, with_account};

/// The form as it stands on the page, with these fields typed over.
fn typed<'a>(page: &'a [(String, String)], over: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields: Vec<(&str, &str)> = Vec::new();
    for (name, value) in page {
        let typed = over.iter().find(|(it, _)| it == name);
        fields.push((name, typed.map_or(value, |(_, value)| value)));
    }
    fields
}

/// What the form of a token with one rate limit sends when nothing is typed.
fn as_shown(page: &str) -> Vec<(String, String)> {
    let of = |name: &str| (name.to_owned(), field(page, name));
    let area = |name: &str| {
        let start = format!(r#"name="{name}""#);
        let rest = page.split_once(&start).expect("a text area").1;
        let rest = rest.split_once('>').expect("its end").1;
        let text = rest.split("</textarea>").next().unwrap_or_default();
        (
            name.to_owned(),
            text.replace("&#34;", "\"").replace('\n', "\r\n"),
        )
    };
    let mut fields = vec![
        of("version"),
        of("name"),
        area("scopes"),
        area("allowed_cidrs"),
    ];
    fields.push(area("metadata"));
    fields.push(("expiry".to_owned(), "keep".to_owned()));
    fields.push(of("expires_at"));
    for name in ["limit_name", "limit_units", "limit_burst", "limit_cost"] {
        fields.push(of(name));
    }
    fields.push(("limit_window".to_owned(), "60".to_owned()));
    fields
}

async fn events(operator: &tollkeeper_testkit::stack::Person, token: &Value) -> Vec<String> {
    let path = format!("/v1/tokens/{}/events", text(token, "id"));
    let events = operator.get(&path).await.expect(200);
    let items = events["items"].as_array().expect("events").iter();
    items.map(|event| text(event, "type").to_owned()).collect()
}

fn fields() -> Value {
    json!({
        "name": "ci", "scopes": ["orders:read", "orders:write"],
        "metadata": { "team": "checkout" }, "expires_in_minutes": 60 * 24,
        "rate_limits": [{ "name": "r", "limit": 5, "window_seconds": 60, "cost": 2 }],
    })
}

#[tokio::test]
async fn only_what_was_typed_differently_is_changed() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let token = operator.issue(&account, fields()).await;
    let page = page_of(&token);
    let edit = format!("{page}/edit");
    let form = as_shown(&shown(user.get(&edit).await));
    let nothing = led(user.post(&edit, &typed(&form, &[])).await);
    assert_eq!(nothing, format!("{page}?done=nothing"));
    has(&shown(user.get(&nothing).await), "Nothing was changed.");

    let over = [("scopes", "orders:read"), ("name", "nightly")];
    let done = led(user.post(&edit, &typed(&form, &over)).await);
    assert_eq!(done, format!("{page}?done=changed"));
    has(&shown(user.get(&done).await), "The token is changed.");
    let expected = ["TokenIssued", "TokenRenamed", "TokenScopesChanged"];
    assert_eq!(events(&operator, &token).await, expected);

    // What the page knows nothing of stays: what a request costs.
    let form = as_shown(&shown(user.get(&edit).await));
    let over = [("limit_units", "7"), ("limit_burst", "7")];
    led(user.post(&edit, &typed(&form, &over)).await);
    let path = format!("/v1/tokens/{}", text(&token, "id"));
    let now = operator.get(&path).await.expect(200);
    let limit = json!({ "name": "r", "limit": 7, "window_seconds": 60, "burst": 7, "cost": 2 });
    assert_eq!(now["rate_limits"], json!([limit]));
    assert_eq!(now["expires_at"], token["expires_at"]);

    // A date is taken to the minute.
    let later = SystemClock.now() + TimeDelta::days(10);
    let later = later.format("%Y-%m-%dT%H:%M").to_string();
    let form = as_shown(&shown(user.get(&edit).await));
    let over = [("expiry", "at"), ("expires_at", later.as_str())];
    led(user.post(&edit, &typed(&form, &over)).await);
    let now = operator.get(&path).await.expect(200);
    assert_eq!(now["expires_at"], format!("{later}:00Z"));
}

#[tokio::test]
async fn who_was_slower_sees_both_changes_and_decides() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let token = operator.issue(&account, fields()).await;
    let page = page_of(&token);
    let edit = format!("{page}/edit");
    let form = as_shown(&shown(user.get(&edit).await));
    let path = format!("/v1/tokens/{}", text(&token, "id"));
    let theirs = json!({ "name": "renamed <b>", "scopes": ["orders:read"] });
    operator.patch(&path, theirs).await.expect(200);

    let over = [("name", "mine")];
    let (status, _, conflict) = user.post(&edit, &typed(&form, &over)).await;
    assert_eq!(status, 412);
    has(&conflict, "Somebody else has changed it meanwhile");
    has(&conflict, "renamed &#60;b&#62;");
    has_not(&conflict, "renamed <b>");
    has(&conflict, "<td>mine</td>");
    has(&conflict, r#"value="mine""#);
    assert_eq!(operator.get(&path).await.expect(200)["version"], 3);

    // What is sent now is meant for what was shown now. The form holds the scopes as they were typed.
    assert_eq!(field(&conflict, "version"), "3");
    let form = as_shown(&conflict);
    led(user
        .post(&edit, &typed(&form, &[("scopes", "orders:read")]))
        .await);
    let now = operator.get(&path).await.expect(200);
    assert_eq!(
        (&now["name"], &now["scopes"]),
        (&json!("mine"), &json!(["orders:read"]))
    );
}

#[tokio::test]
async fn what_cannot_be_accepted_is_shown_with_what_was_typed() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let token = operator.issue(&account, fields()).await;
    let edit = format!("{}/edit", page_of(&token));
    let form = as_shown(&shown(user.get(&edit).await));
    for (over, id) in [
        (("scopes", "orders:read NO"), "scopes"),
        (("metadata", "{"), "metadata"),
        (("limit_units", "few"), "rate_limits"),
        (("allowed_cidrs", "10.0.0.0/99"), "allowed_cidrs"),
    ] {
        let (status, _, page) = user.post(&edit, &typed(&form, &[over])).await;
        assert_eq!(status, 422);
        has(&page, &format!(r#"id="{id}-complaint""#));
        has(&page, over.1);
    }
    assert_eq!(events(&operator, &token).await, ["TokenIssued"]);
}
