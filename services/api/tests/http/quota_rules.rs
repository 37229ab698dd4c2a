//! How tokens and accounts are given quotas, and what somebody with quotas of their own may do.

use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Answer, Person};

use crate::support::{bad_fields, manager, path_of, problem, system_account, text};

/// A quota that no test comes near.
fn month(limit: u64) -> Value {
    json!([{ "name": "month", "limit": limit, "refill": "monthly" }])
}

/// The same as it is shown.
fn held(limit: u64, generation: u32) -> Value {
    json!([{ "name": "month", "limit": limit, "refill": "monthly", "generation": generation }])
}

async fn refill(person: &Person, path: &str, name: &str) -> Answer {
    let path = format!("{path}/quotas/{name}/refill");
    person.post(&path, json!({})).await
}

#[track_caller]
fn beyond_quotas(answer: &Answer) {
    let body = problem(answer, 403, "BEYOND_AUTHORITY");
    assert!(text(&body, "detail").contains("quota"), "{body}");
}

#[tokio::test]
async fn quotas_are_told_in_one_form_and_refused_by_their_place() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let quotas = json!([
        { "name": "trial", "limit": 1_000_000_000_000_000_u64 },
        { "name": "a.day_of-9", "limit": 1, "refill": "daily" },
    ]);
    let told = json!([
        { "name": "a.day_of-9", "limit": 1, "refill": "daily", "generation": 1 },
        { "name": "trial", "limit": 1_000_000_000_000_000_u64, "refill": "none", "generation": 2 },
    ]);
    let issued = operator.issue(&account, json!({ "quotas": quotas })).await;
    assert_eq!(issued["quotas"], told);
    let path = path_of(&issued);
    assert_eq!(operator.get(&path).await.expect(200)["quotas"], told);
    let list = operator.get("/v1/tokens").await.expect(200);
    assert_eq!(list["items"][0]["quotas"], told);
    let own = operator.issue(&account, json!({})).await;
    assert_eq!(own["quotas"], json!([]));
    let whoami = api.bearer(text(&own, "token")).get("/v1/whoami").await;
    assert_eq!(whoami.expect(200)["account"]["quotas"], json!([]));

    let bad = json!([
        { "name": "a", "limit": 1 },
        { "name": "A", "limit": 0, "refill": "daily" },
        { "name": "a", "limit": 1_000_000_000_000_001_u64 },
    ]);
    let places = ["/1/name", "/1/limit", "/2/name", "/2/limit"];
    let at_fault = |answer: &Answer, root: &str| {
        let places = places.map(|place| format!("{root}{place}"));
        bad_fields(answer, &places.each_ref().map(String::as_str));
    };
    let both = json!({ "quotas": bad });
    let issue = json!({ "account_id": account, "name": "a", "quotas": bad });
    at_fault(&operator.post("/v1/tokens", issue).await, "/quotas");
    at_fault(&operator.patch(&path, both.clone()).await, "/quotas");
    at_fault(
        &operator.post("/v1/accounts", both.clone()).await,
        "/quotas",
    );
    let account_path = format!("/v1/accounts/{account}");
    at_fault(&operator.patch(&account_path, both).await, "/quotas");
    let for_user = json!({ "userId": "u", "quotas": bad });
    at_fault(&operator.post("/api/tokens", for_user).await, "/quotas");
    let hash = "ab".repeat(32);
    let mut item = json!({ "account_id": account, "name": "a", "hash": hash, "quotas": bad });
    let import = async |item: &Value| {
        let body = json!({ "tokens": [item] });
        operator.post("/v1/tokens/import", body).await
    };
    at_fault(&import(&item).await, "/tokens/0/quotas");

    // What is not a quota at all, what only we say of one, and more than there may be.
    for (wrong, place) in [
        (json!([{ "name": "a" }]), "/quotas/0"),
        (json!([{ "name": "a", "limit": -1 }]), "/quotas/0/limit"),
        (
            json!([{ "name": "a", "limit": 1, "refill": "weekly" }]),
            "/quotas/0/refill",
        ),
        (
            json!([{ "name": "a", "limit": 1, "generation": 1 }]),
            "/quotas/0/generation",
        ),
        (
            (0..5)
                .map(|it| json!({ "name": it.to_string(), "limit": 1 }))
                .collect(),
            "/quotas",
        ),
    ] {
        let answer = operator.patch(&path, json!({ "quotas": wrong })).await;
        bad_fields(&answer, &[place]);
    }

    item["quotas"] = quotas;
    let imported = import(&item).await.expect(201);
    let imported = format!("/v1/tokens/{}", imported["ids"][0].as_str().unwrap());
    let imported = operator.get(&imported).await.expect(200);
    assert_eq!(imported["quotas"], told);
}

#[tokio::test]
async fn quotas_are_set_changed_and_lifted_and_their_history_is_kept() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let issued = operator.issue(&account, json!({})).await;
    let path = path_of(&issued);
    let set = async |to: &Value| {
        let body = json!({ "quotas": to });
        operator.patch(&path, body).await.expect(200)
    };
    let none = json!([]);
    let first = set(&month(10)).await;
    assert_eq!(
        (&first["quotas"], &first["version"]),
        (&held(10, 1), &json!(2))
    );
    assert_eq!(set(&month(10)).await["version"], 2, "it is so already");
    // The same balance with another limit, and another balance with another refill.
    assert_eq!(set(&month(20)).await["quotas"], held(20, 1));
    let daily = json!([{ "name": "month", "limit": 20, "refill": "daily" }]);
    let by_day = set(&daily).await["quotas"].clone();
    assert_eq!(by_day[0]["generation"], 2);
    let rotated = operator.post(&format!("{path}/rotate"), json!({})).await;
    assert_eq!(rotated.expect(200)["quotas"], by_day);
    let renamed = operator.patch(&path, json!({ "name": "b" })).await;
    assert_eq!(renamed.expect(200)["quotas"], by_day);
    assert_eq!(set(&none).await["quotas"], none);
    assert_eq!(set(&month(10)).await["quotas"], held(10, 3));

    let history = operator.get(&format!("{path}/events")).await.expect(200);
    let events = history["items"].as_array().unwrap();
    assert_eq!(events[0]["payload"]["quotas"], none);
    let changes = events
        .iter()
        .filter(|event| event["type"] == "TokenRestrictionsChanged");
    let changes: Vec<&Value> = changes.map(|event| &event["payload"]["quotas"]).collect();
    let (ten, twenty, last) = (held(10, 1), held(20, 1), held(10, 3));
    assert_eq!(changes, [&ten, &twenty, &by_day, &none, &last]);
    let diff = operator.get(&format!("{path}/diff?from=2&to=3")).await;
    assert_eq!(
        diff.expect(200)["changes"],
        json!([{ "field": "quotas", "from": ten, "to": twenty }])
    );
    let at = events[1]["recorded_at"].as_str().unwrap();
    let past = operator.get(&format!("{path}?as_of={at}")).await;
    assert_eq!(past.expect(200)["quotas"], ten);
}

#[tokio::test]
async fn a_refill_gives_a_new_balance_and_is_told_by_itself() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let issued = operator
        .issue(&account, json!({ "quotas": month(10) }))
        .await;
    let path = path_of(&issued);
    let refilled = refill(&operator, &path, "month").await;
    assert_eq!(refilled.header("etag"), Some("\"2\""));
    assert_eq!(refilled.expect(200)["quotas"], held(10, 2));
    assert_eq!(operator.get(&path).await.expect(200)["quotas"], held(10, 2));
    let changed = json!({ "quotas": month(11) });
    let changed = operator.patch(&path, changed).await.expect(200);
    assert_eq!(changed["quotas"], held(11, 2), "another limit is no refill");
    for unknown in ["day", "Month", "%00"] {
        let answer = refill(&operator, &path, unknown).await;
        let body = problem(&answer, 404, "NOT_FOUND");
        assert_eq!(body["detail"], "there is no such quota");
    }

    let suspend = operator.post(&format!("{path}/suspend"), json!({})).await;
    suspend.expect(200);
    let refilled = refill(&operator, &path, "month").await.expect(200);
    assert_eq!(refilled["quotas"], held(11, 3), "it may rest");
    let events = operator.get("/v1/events?type=TokenQuotaRefilled").await;
    let events = events.expect(200);
    let told: Vec<&Value> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["payload"])
        .collect();
    let refilled = |generation| json!({ "name": "month", "generation": generation });
    assert_eq!(told, [&refilled(2), &refilled(3)]);

    operator.delete(&path).await.expect(200);
    let answer = refill(&operator, &path, "month").await;
    problem(&answer, 409, "TOKEN_REVOKED");
}

#[tokio::test]
async fn a_caller_with_quotas_hands_on_no_more_uses() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let caller = manager(&operator, &account, &[]).await;
    let caller_path = path_of(&caller);
    let own = json!({ "quotas": month(6000) });
    operator.patch(&caller_path, own).await.expect(200);
    refill(&operator, &caller_path, "month").await.expect(200);
    let caller = api.bearer(text(&caller, "token"));
    // The same uses and fewer, and a quota more.
    let within = json!([
        { "name": "month", "limit": 6000, "refill": "none" },
        { "name": "another", "limit": 1_000_000, "refill": "daily" },
    ]);
    let beyond = [
        json!([]),
        json!([{ "name": "others", "limit": 6000, "refill": "monthly" }]),
        month(6001),
        json!([{ "name": "month", "limit": 1, "refill": "daily" }]),
    ];
    for surface in ["/v1/tokens", "/settings/api-tokens"] {
        // Nothing said is as many as the caller has, in balances of the new token's own.
        let inherited = caller.post(surface, json!({ "name": "a" })).await;
        assert_eq!(inherited.expect(201)["quotas"], held(6000, 1));
        let issue = async |quotas: &Value| {
            let body = json!({ "name": "a", "quotas": quotas });
            caller.post(surface, body).await
        };
        issue(&within).await.expect(201);
        for quotas in &beyond {
            beyond_quotas(&issue(quotas).await);
        }
    }
    let import = async |number: u8, quotas: Option<&Value>| {
        let mut item = json!({ "name": "a", "hash": format!("{number:02x}").repeat(32) });
        if let Some(quotas) = quotas {
            item["quotas"] = quotas.clone();
        }
        let body = json!({ "tokens": [item] });
        caller.post("/v1/tokens/import", body).await
    };
    let imported = import(1, None).await.expect(201);
    let imported = format!("/v1/tokens/{}", imported["ids"][0].as_str().unwrap());
    let imported = caller.get(&imported).await.expect(200);
    assert_eq!(imported["quotas"], held(6000, 1));
    let refused = problem(&import(2, Some(&json!([]))).await, 403, "BEYOND_AUTHORITY");
    assert_eq!(refused["errors"][0]["pointer"], "/tokens/0");

    // A token beyond it is left alone, and none is widened beyond it.
    let earlier = async |quotas: &Value| {
        let fields = json!({ "quotas": quotas, "expires_in_minutes": 60 });
        path_of(&operator.issue(&account, fields).await)
    };
    for quotas in &beyond {
        let path = earlier(quotas).await;
        for change in [json!({ "name": "mine" }), json!({ "quotas": month(1) })] {
            beyond_quotas(&caller.patch(&path, change).await);
        }
        let rests = caller.post(&format!("{path}/suspend"), json!({})).await;
        rests.expect(200);
        for act in ["rotate", "resume", "quotas/month/refill"] {
            let answer = caller.post(&format!("{path}/{act}"), json!({})).await;
            beyond_quotas(&answer);
        }
    }
    let path = earlier(&within).await;
    for quotas in &beyond {
        beyond_quotas(&caller.patch(&path, json!({ "quotas": quotas })).await);
    }
    // What was used of a quota that the caller has too is not forgotten, by whatever name.
    beyond_quotas(&refill(&caller, &path, "month").await);
    beyond_quotas(&caller.patch(&path, json!({ "quotas": month(6000) })).await);
    beyond_quotas(&refill(&caller, &caller_path, "month").await);
    let rarer = json!([{ "name": "month", "limit": 1, "refill": "none" }]);
    beyond_quotas(&caller.patch(&caller_path, json!({ "quotas": rarer })).await);
    refill(&caller, &path, "another").await.expect(200);
    for act in ["suspend", "resume", "rotate"] {
        let answer = caller.post(&format!("{path}/{act}"), json!({})).await;
        answer.expect(200);
    }
    let fewer = json!({ "quotas": month(5000) });
    let fewer = caller.patch(&caller_path, fewer).await.expect(200);
    assert_eq!(fewer["quotas"], held(5000, 2));
}

#[tokio::test]
async fn a_service_hands_on_its_quotas_to_the_users_it_knows() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let service = manager(&operator, &system, &["tollkeeper:accounts.write"]).await;
    let own = json!({ "quotas": month(6000) });
    operator.patch(&path_of(&service), own).await.expect(200);
    let service = api.bearer(text(&service, "token"));
    let issue = async |more: Option<&Value>| {
        let mut body = json!({ "userId": "u" });
        if let Some(quotas) = more {
            body["quotas"] = quotas.clone();
        }
        service.post("/api/tokens", body).await
    };
    assert_eq!(issue(None).await.expect(201)["quotas"], held(6000, 1));
    let issued = issue(Some(&month(10))).await.expect(201);
    assert_eq!(issued["quotas"], held(10, 1));
    for beyond in [json!([]), month(6001)] {
        beyond_quotas(&issue(Some(&beyond)).await);
    }
    let listed = service.get("/api/tokens?userId=u").await.expect(200);
    assert_eq!(listed["items"][0]["quotas"], held(10, 1));
}

#[tokio::test]
async fn an_accounts_quotas_are_set_and_refilled_by_those_above_it() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let body = json!({ "external_id": "crm-1", "quotas": month(6000) });
    let made = operator.post("/v1/accounts", body).await.expect(201);
    assert_eq!(made["quotas"], held(6000, 1));
    let path = format!("/v1/accounts/{}", text(&made, "id"));
    let list = operator.get("/v1/accounts").await.expect(200);
    assert_eq!(list["items"][0]["quotas"], held(6000, 1));
    let renamed = operator.patch(&path, json!({ "name": "Grace" })).await;
    assert_eq!(renamed.expect(200)["quotas"], held(6000, 1));

    let scopes = ["tollkeeper:accounts.write", "tollkeeper:events.read"];
    let user = manager(&operator, text(&made, "id"), &scopes).await;
    assert_eq!(user["quotas"], json!([]), "a token has its own");
    let user = api.bearer(text(&user, "token"));
    for change in [month(1000), json!([])] {
        let answer = user.patch(&path, json!({ "quotas": change })).await;
        problem(&answer, 403, "BEYOND_AUTHORITY");
    }
    beyond_quotas(&refill(&user, &path, "month").await);
    let whoami = user.get("/v1/whoami").await.expect(200);
    assert_eq!(whoami["account"]["quotas"], held(6000, 1));

    let system = system_account(&operator).await;
    let service = manager(&operator, &system, &scopes).await;
    let service = api.bearer(text(&service, "token"));
    let set = async |path: &str, quotas: Value| {
        let body = json!({ "quotas": quotas });
        service.patch(path, body).await
    };
    let refilled = refill(&service, &path, "month").await.expect(200);
    assert_eq!(refilled["quotas"], held(6000, 2));
    assert_eq!(operator.get(&path).await.expect(200), refilled);
    let changed = set(&path, month(7000)).await.expect(200);
    assert_eq!(changed["quotas"], held(7000, 2));
    let same = set(&path, month(7000)).await.expect(200);
    assert_eq!(same["version"], changed["version"], "it is so already");
    let none = set(&path, json!([])).await.expect(200);
    assert_eq!(none["quotas"], json!([]));
    problem(&refill(&service, &path, "month").await, 404, "NOT_FOUND");
    let anew = set(&path, month(7000)).await.expect(200);
    assert_eq!(anew["quotas"], held(7000, 3), "no generation comes twice");

    let of_system = format!("/v1/accounts/{system}");
    problem(&set(&of_system, month(1)).await, 403, "BEYOND_AUTHORITY");
    let body = json!({ "quotas": month(7000) });
    operator.patch(&of_system, body).await.expect(200);
    beyond_quotas(&refill(&service, &of_system, "month").await);
    refill(&operator, &of_system, "month").await.expect(200);

    let events = operator.get("/v1/events?type=AccountQuotaRefilled").await;
    let events = events.expect(200);
    assert_eq!(
        events["items"][0]["payload"],
        json!({ "name": "month", "generation": 2 })
    );
    operator.delete(&path).await.expect(200);
    let answer = refill(&operator, &path, "month").await;
    problem(&answer, 409, "ACCOUNT_DELETED");
}
