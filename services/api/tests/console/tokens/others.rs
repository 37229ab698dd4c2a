//! What belongs to another account is not there, wherever one looks.

use serde_json::json;

use super::{between, comes_to, has, has_not, page_of, shown, text, with_account};

#[tokio::test]
async fn the_tokens_of_another_account_are_nowhere() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let other = operator.account("crm-2").await;
    let body = json!({ "name": "somebody-elses", "scopes": ["theirs:one"] });
    let theirs = operator.issue(&other, body).await;
    operator.issue(&account, json!({ "name": "own" })).await;
    let (id, whole) = (text(&theirs, "id"), text(&theirs, "token"));
    let telling = [
        id,
        "somebody-elses",
        text(&theirs, "token_prefix"),
        "theirs:one",
    ];
    let hides = |page: &str, but: &str| {
        for text in telling.iter().filter(|text| !but.contains(**text)) {
            has_not(page, text);
        }
    };

    for query in [
        String::new(),
        "?search=somebody".to_owned(),
        format!("?prefix={}", text(&theirs, "token_prefix")),
        "?scope=theirs%3Aone".to_owned(),
        format!("?account={other}"),
        "?account=crm-2".to_owned(),
    ] {
        let page = shown(user.get(&format!("/console/tokens{query}")).await);
        // What is asked for stands in the form and in words.
        let rows = between(&page, "<tbody>", "</tbody>").concat();
        hides(&rows, "");
        has_not(&page, id);
    }
    let page = page_of(&theirs);
    for part in [
        "",
        "?at=2026-11-22T00%3A00",
        "/history",
        "/edit",
        "/rotate",
        "/revoke",
        "/receipt?version=1",
        "/exposure",
        "/try",
    ] {
        let (status, _, shown) = user.get(&format!("{page}{part}")).await;
        assert_eq!(status, 404, "{part}");
        hides(&shown, "");
    }
    let fields = [
        ("key", "k"),
        ("grace", "0"),
        ("version", "1"),
        ("name", "mine now"),
        ("days", "7"),
    ];
    for change in ["suspend", "resume", "rotate", "revoke", "edit", "try"] {
        let (status, _, shown) = user.post(&format!("{page}/{change}"), &fields).await;
        assert_eq!(status, 404, "{change}");
        hides(&shown, "");
    }
    let selected = [("id", id), ("count", "1")];
    for path in [
        "/console/tokens/selected",
        "/console/tokens/selected/revoke",
    ] {
        let (_, _, shown) = user.post(path, &selected).await;
        hides(&shown, "");
    }
    let plan = [("key", "k"), ("scope", "theirs:one")];
    let shown_plan = shown(user.post("/console/tokens/bulk", &plan).await);
    has(&shown_plan, "There is nothing to revoke");
    hides(&shown_plan, "theirs:one");

    // A plan of somebody else is not there either.
    let operators = site.operator().await.client();
    let plan = shown(operators.post("/console/tokens/bulk", &plan).await);
    let run = between(&plan, r#"<form class="form" method="post" action=""#, "\"")[0];
    let (status, ..) = user.get(run).await;
    assert_eq!(status, 404);
    let (status, ..) = user.post(run, &[("count", "1")]).await;
    assert_eq!(status, 404);
    comes_to(&operator, whole, "VALID").await;
    let now = operator.get(&format!("/v1/tokens/{id}")).await.expect(200);
    assert_eq!(
        (&now["version"], &now["name"]),
        (&json!(1), &json!("somebody-elses"))
    );
}

#[tokio::test]
async fn what_is_no_token_is_not_there() {
    let (_site, _, user) = with_account().await;
    for id in [
        "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
        "nothing",
        "..%2F..%2Fv1%2Fnodes",
    ] {
        let (status, headers, page) = user.get(&format!("/console/tokens/{id}")).await;
        assert_eq!(status, 404, "{id}");
        assert!(
            headers["content-type"]
                .to_str()
                .is_ok_and(|it| it.starts_with("text/html"))
        );
        has(&page, "<h1>");
    }
}
