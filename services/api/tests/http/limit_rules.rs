//! How tokens and accounts are given rate limits, and what somebody with a limited token may do.

use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Answer;

use crate::support::{bad_fields, manager, path_of, problem, system_account, text};

/// A limit that no test comes near.
fn wide(limit: u32) -> Value {
    json!([{ "name": "requests", "limit": limit, "window_seconds": 60, "burst": 5000, "cost": 1 }])
}

/// As services name the fields.
fn in_camel_case(limits: &Value) -> Value {
    let text = limits
        .to_string()
        .replace("window_seconds", "windowSeconds");
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
fn beyond_limits(answer: &Answer) {
    let body = problem(answer, 403, "BEYOND_AUTHORITY");
    assert!(text(&body, "detail").contains("rate limits"), "{body}");
}

#[tokio::test]
async fn limits_are_told_in_one_form_and_refused_by_their_place() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let limits = json!([
        { "name": "requests", "limit": 600, "window_seconds": 60 },
        { "name": "a.day_of-9", "limit": 9000, "window_seconds": 86400, "burst": 50, "cost": 5 },
    ]);
    let told = json!([
        { "name": "a.day_of-9", "limit": 9000, "window_seconds": 86400, "burst": 50, "cost": 5 },
        { "name": "requests", "limit": 600, "window_seconds": 60, "burst": 600, "cost": 1 },
    ]);
    let issued = operator
        .issue(&account, json!({ "rate_limits": limits }))
        .await;
    assert_eq!(issued["rate_limits"], told);
    let path = path_of(&issued);
    assert_eq!(operator.get(&path).await.expect(200)["rate_limits"], told);
    let list = operator.get("/v1/tokens").await.expect(200);
    assert_eq!(list["items"][0]["rate_limits"], told);
    let whoami = api.bearer(text(&issued, "token")).get("/v1/whoami").await;
    let whoami = whoami.expect(200);
    assert_eq!(whoami["token"]["rate_limits"], told);
    assert_eq!(whoami["account"]["rate_limits"], json!([]));
    let free = operator.issue(&account, json!({})).await;
    assert_eq!(free["rate_limits"], json!([]));

    let bad = json!([
        { "name": "a", "limit": 1, "window_seconds": 60 },
        { "name": "A", "limit": 0, "window_seconds": 2_678_401 },
        { "name": "a", "limit": 1, "window_seconds": 60, "burst": 2, "cost": 3 },
    ]);
    let places = [
        "/1/name",
        "/1/limit",
        "/1/window_seconds",
        "/2/cost",
        "/2/name",
    ];
    let at = |root: &str| places.map(|place| format!("{root}{place}"));
    let at_fault = |answer: &Answer, root: &str| {
        bad_fields(answer, &at(root).each_ref().map(String::as_str));
    };
    let issue = json!({ "account_id": account, "name": "a", "rate_limits": bad });
    at_fault(&operator.post("/v1/tokens", issue).await, "/rate_limits");
    let both = json!({ "rate_limits": bad });
    at_fault(&operator.patch(&path, both.clone()).await, "/rate_limits");
    at_fault(
        &operator.post("/v1/accounts", both.clone()).await,
        "/rate_limits",
    );
    let account_path = format!("/v1/accounts/{account}");
    at_fault(&operator.patch(&account_path, both).await, "/rate_limits");
    let for_user = json!({ "userId": "u", "rateLimits": in_camel_case(&bad) });
    let answer = operator.post("/api/tokens", for_user).await;
    let places = at("/rateLimits").map(|it| it.replace("window_seconds", "windowSeconds"));
    bad_fields(&answer, &places.each_ref().map(String::as_str));
    let hash = "ab".repeat(32);
    let mut item = json!({ "account_id": account, "name": "a", "hash": hash, "rate_limits": bad });
    let import = async |item: &Value| {
        let body = json!({ "tokens": [item] });
        operator.post("/v1/tokens/import", body).await
    };
    at_fault(&import(&item).await, "/tokens/0/rate_limits");

    // What is not a limit at all, and more than there may be.
    for (wrong, place) in [
        (json!([{ "name": "a", "limit": 1 }]), "/rate_limits/0"),
        (
            json!([{ "name": "a", "limit": "1", "window_seconds": 1 }]),
            "/rate_limits/0/limit",
        ),
        (
            json!([{ "name": "a", "limit": 1, "window_seconds": 1, "per": 1 }]),
            "/rate_limits/0/per",
        ),
        (
            (0..9)
                .map(|it| json!({ "name": it.to_string(), "limit": 1, "window_seconds": 1 }))
                .collect(),
            "/rate_limits",
        ),
    ] {
        let answer = operator.patch(&path, json!({ "rate_limits": wrong })).await;
        bad_fields(&answer, &[place]);
    }

    item["rate_limits"] = limits;
    let imported = import(&item).await.expect(201);
    let imported = format!("/v1/tokens/{}", imported["ids"][0].as_str().unwrap());
    let imported = operator.get(&imported).await.expect(200);
    assert_eq!(imported["rate_limits"], told);
}

#[tokio::test]
async fn limits_are_set_changed_and_lifted_and_their_history_is_kept() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let networks = json!(["203.0.113.0/24"]);
    let issued = operator
        .issue(&account, json!({ "allowed_cidrs": networks }))
        .await;
    let path = path_of(&issued);
    let limit = async |to: &Value| {
        let body = json!({ "rate_limits": to });
        operator.patch(&path, body).await.expect(200)
    };
    let (first, second, none) = (wide(6000), wide(7000), json!([]));
    assert_eq!(limit(&first).await["version"], 2);
    assert_eq!(limit(&first).await["version"], 2, "it is so already");
    assert_eq!(limit(&second).await["rate_limits"], second);
    let rotated = operator.post(&format!("{path}/rotate"), json!({})).await;
    assert_eq!(rotated.expect(200)["rate_limits"], second);
    let renamed = operator.patch(&path, json!({ "name": "b" })).await;
    let renamed = renamed.expect(200);
    assert_eq!(renamed["rate_limits"], second);
    assert_eq!(renamed["allowed_cidrs"], networks);
    assert_eq!(limit(&none).await["rate_limits"], none);

    let history = operator.get(&format!("{path}/events")).await.expect(200);
    let events = history["items"].as_array().unwrap();
    assert_eq!(events[0]["payload"]["rate_limits"], none);
    let changes = events
        .iter()
        .filter(|event| event["type"] == "TokenRestrictionsChanged");
    let changes: Vec<&Value> = changes.map(|event| &event["payload"]).collect();
    let to = |limits| json!({ "allowed_cidrs": networks, "rate_limits": limits, "quotas": [] });
    assert_eq!(changes, [&to(&first), &to(&second), &to(&none)]);
    let diff = operator.get(&format!("{path}/diff?from=2&to=3")).await;
    assert_eq!(
        diff.expect(200)["changes"],
        json!([{ "field": "rate_limits", "from": first, "to": second }])
    );
    let at = events[1]["recorded_at"].as_str().unwrap();
    let past = operator.get(&format!("{path}?as_of={at}")).await;
    assert_eq!(past.expect(200)["rate_limits"], first);
}

#[tokio::test]
async fn a_limited_caller_hands_on_no_token_that_could_do_more() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let caller = manager(&operator, &account, &[]).await;
    let caller_path = path_of(&caller);
    let own = wide(6000);
    let limited = json!({ "rate_limits": own });
    operator.patch(&caller_path, limited).await.expect(200);
    let caller = api.bearer(text(&caller, "token"));
    let changed = |field: &str, value: Value| {
        let mut limits = own.clone();
        limits[0][field] = value;
        limits
    };
    // The same rate in other words, and one limit more.
    let within = json!([
        { "name": "requests", "limit": 100, "window_seconds": 1, "burst": 5000, "cost": 1 },
        { "name": "another", "limit": 1_000_000, "window_seconds": 1 },
    ]);
    let beyond = [
        json!([]),
        changed("name", json!("others")),
        changed("limit", json!(6001)),
        changed("window_seconds", json!(59)),
        changed("burst", json!(5001)),
    ];
    for surface in ["/v1/tokens", "/settings/api-tokens"] {
        // Nothing said is as much as the caller has.
        let inherited = caller.post(surface, json!({ "name": "a" })).await;
        assert_eq!(inherited.expect(201)["rate_limits"], own);
        let issue = async |limits: &Value| {
            let body = json!({ "name": "a", "rate_limits": limits });
            caller.post(surface, body).await
        };
        issue(&within).await.expect(201);
        for limits in &beyond {
            beyond_limits(&issue(limits).await);
        }
    }
    let hash = |number: u8| format!("{number:02x}").repeat(32);
    let import = async |items: Value| {
        let body = json!({ "tokens": items });
        caller.post("/v1/tokens/import", body).await
    };
    let imported = import(json!([{ "name": "a", "hash": hash(1) }])).await;
    let imported = imported.expect(201);
    let imported = format!("/v1/tokens/{}", imported["ids"][0].as_str().unwrap());
    let imported = caller.get(&imported).await.expect(200);
    assert_eq!(imported["rate_limits"], own);
    let refused = import(json!([
        { "name": "a", "hash": hash(2), "rate_limits": within },
        { "name": "b", "hash": hash(3), "rate_limits": [] },
    ]));
    let refused = problem(&refused.await, 403, "BEYOND_AUTHORITY");
    assert_eq!(refused["errors"][0]["pointer"], "/tokens/1");

    // A token beyond it is left alone, and none is widened beyond it.
    let earlier = async |limits: &Value| {
        let fields = json!({ "rate_limits": limits, "expires_in_minutes": 60 });
        path_of(&operator.issue(&account, fields).await)
    };
    for limits in &beyond {
        let path = earlier(limits).await;
        let narrow = json!({ "rate_limits": own });
        for change in [json!({ "name": "mine" }), narrow] {
            beyond_limits(&caller.patch(&path, change).await);
        }
        // To take something away is everybody's right who manages tokens.
        let rests = caller.post(&format!("{path}/suspend"), json!({})).await;
        rests.expect(200);
        for act in ["rotate", "resume"] {
            let answer = caller.post(&format!("{path}/{act}"), json!({})).await;
            beyond_limits(&answer);
        }
    }
    let path = earlier(&within).await;
    for limits in &beyond {
        let widened = json!({ "rate_limits": limits });
        beyond_limits(&caller.patch(&path, widened).await);
    }
    for act in ["suspend", "resume", "rotate"] {
        let answer = caller.post(&format!("{path}/{act}"), json!({})).await;
        answer.expect(200);
    }
    // Nor its own.
    let lifted = caller
        .patch(&caller_path, json!({ "rate_limits": [] }))
        .await;
    beyond_limits(&lifted);
    let narrowed = json!({ "rate_limits": wide(5000) });
    caller.patch(&caller_path, narrowed).await.expect(200);
}

#[tokio::test]
async fn a_limited_service_hands_on_its_limits_to_the_users_it_knows() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let service = manager(&operator, &system, &["tollkeeper:accounts.write"]).await;
    let own = wide(6000);
    let limited = json!({ "rate_limits": own });
    operator
        .patch(&path_of(&service), limited)
        .await
        .expect(200);
    let service = api.bearer(text(&service, "token"));
    let issue = async |more: Option<&Value>| {
        let mut body = json!({ "userId": "u" });
        if let Some(limits) = more {
            body["rateLimits"] = in_camel_case(limits);
        }
        service.post("/api/tokens", body).await
    };
    let inherited = issue(None).await.expect(201);
    assert_eq!(inherited["rateLimits"], in_camel_case(&own));
    let narrow = wide(10);
    let issued = issue(Some(&narrow)).await.expect(201);
    assert_eq!(issued["rateLimits"], in_camel_case(&narrow));
    for beyond in [json!([]), wide(6001)] {
        beyond_limits(&issue(Some(&beyond)).await);
    }
    let listed = service.get("/api/tokens?userId=u").await.expect(200);
    assert_eq!(listed["items"][0]["rateLimits"], in_camel_case(&narrow));
}

#[tokio::test]
async fn an_accounts_limits_are_set_by_those_above_it() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let own = wide(6000);
    let body = json!({ "external_id": "crm-1", "rate_limits": own });
    let made = operator.post("/v1/accounts", body).await.expect(201);
    assert_eq!(made["rate_limits"], own);
    let path = format!("/v1/accounts/{}", text(&made, "id"));
    assert_eq!(operator.get(&path).await.expect(200)["rate_limits"], own);
    let list = operator.get("/v1/accounts").await.expect(200);
    assert_eq!(list["items"][0]["rate_limits"], own);
    let renamed = operator.patch(&path, json!({ "name": "Grace" })).await;
    assert_eq!(renamed.expect(200)["rate_limits"], own);

    let scopes = ["tollkeeper:accounts.write", "tollkeeper:events.read"];
    let limit = |limit| json!({ "rate_limits": wide(limit) });
    let user = manager(&operator, text(&made, "id"), &scopes).await;
    assert_eq!(user["rate_limits"], json!([]), "a token has its own");
    let user = api.bearer(text(&user, "token"));
    for change in [limit(1000), json!({ "rate_limits": [] })] {
        problem(&user.patch(&path, change).await, 403, "BEYOND_AUTHORITY");
    }
    let whoami = user.get("/v1/whoami").await.expect(200);
    assert_eq!(whoami["account"]["rate_limits"], own);

    let system = system_account(&operator).await;
    let service = manager(&operator, &system, &scopes).await;
    let service = api.bearer(text(&service, "token"));
    let changed = service.patch(&path, limit(7000)).await.expect(200);
    assert_eq!(changed["rate_limits"], wide(7000));
    assert_eq!(changed["version"], 3);
    let same = service.patch(&path, limit(7000)).await.expect(200);
    assert_eq!(same["version"], 3, "it is so already");
    let of_system = format!("/v1/accounts/{system}");
    let answer = service.patch(&of_system, limit(1)).await;
    problem(&answer, 403, "BEYOND_AUTHORITY");
    operator.patch(&of_system, limit(7000)).await.expect(200);
    let registered = json!({ "external_id": "crm-2", "rate_limits": own });
    let registered = service.post("/v1/accounts", registered).await.expect(201);
    assert_eq!(registered["rate_limits"], own);
    let lifted = service.patch(&path, json!({ "rate_limits": [] })).await;
    assert_eq!(lifted.expect(200)["rate_limits"], json!([]));

    let events = operator.get("/v1/events?type=AccountChanged").await;
    let events = events.expect(200);
    let limits: Vec<&Value> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["payload"]["rate_limits"])
        .collect();
    let wider = wide(7000);
    assert_eq!(limits, [&own, &wider, &wider, &json!([])]);
}
