//! How a token is bound to networks, and what somebody with a bound token may do.

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::stack::Person;
use tollkeeper_testkit::{Stack, wait_for};

use crate::addresses::{AT_HOME, AWAY, HOME, beyond_networks, bound, checked, refused};
use crate::support::{
    bad_fields, forward_auth, manager, path_of, problem, system_account, text, unsigned_problem,
    with_header,
};

#[tokio::test]
async fn a_bound_token_manages_nothing_from_elsewhere() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let scopes = [
        "tollkeeper:tokens.read",
        "tollkeeper:tokens.write",
        "tollkeeper:accounts.write",
        "tollkeeper:events.read",
        "tollkeeper:verify",
    ];
    let fields = json!({ "scopes": scopes, "allowed_cidrs": [HOME] });
    let token = operator.issue(&system, fields).await;
    let other = operator.issue(&system, json!({})).await;
    let (token, other) = (text(&token, "token"), text(&other, "token"));
    for (header, value) in [
        ("authorization", format!("Bearer {token}")),
        ("x-api-key", token.to_owned()),
    ] {
        let ask = async |hops: &str, path: &str| {
            let request = api.nobody().request(Method::GET, path);
            let request = request.header(header, &value);
            Person::send(request.header("x-forwarded-for", hops)).await
        };
        for path in [
            "/v1/whoami",
            "/v1/accounts",
            "/v1/tokens",
            "/v1/events",
            "/settings/api-tokens",
            "/api/tokens",
        ] {
            ask(AT_HOME, path).await.expect(200);
            problem(&ask(AWAY, path).await, 403, "IP_NOT_ALLOWED");
        }
    }
    let person = api.bearer(token);
    let question = Some(json!({ "token": other }));
    for (hops, status) in [(AT_HOME, 200), (AWAY, 403)] {
        let header = ("x-forwarded-for", hops);
        let asked = with_header(
            &person,
            Method::POST,
            "/v1/verify",
            header,
            question.clone(),
        );
        asked.await.expect(status);
    }
    // As an OAuth client, in each way to say who that is.
    let form = format!("token={other}");
    let with_secret = format!("token={other}&client_id=a&client_secret={token}");
    let nobody = api.nobody();
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        for (client, form) in [(&person, &form), (&nobody, &with_secret)] {
            let request = client
                .request(Method::POST, path)
                .header("content-type", "application/x-www-form-urlencoded")
                .header("x-forwarded-for", AWAY)
                .body(form.clone());
            let body = Person::send(request).await.expect(403);
            assert_eq!(body["error"], "unauthorized_client", "{path}: {body}");
        }
    }
    forward_auth(&api, other, "").await.expect(200);

    // Whoever holds a token may end it, wherever they are.
    let request = nobody
        .request(Method::POST, "/oauth/revoke")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-forwarded-for", AWAY)
        .body(format!("token={token}"));
    Person::send(request).await.expect(200);
    unsigned_problem(&checked(&api, token, AT_HOME).await, 401, "REVOKED");
}

#[tokio::test]
async fn networks_are_told_in_one_form_and_refused_by_their_place() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let networks = ["::1", "::ffff:203.0.113.0/120", "10.0.0.0/8", HOME];
    let (_, issued) = bound(&operator, &account, &networks).await;
    let told = json!(["10.0.0.0/8", HOME, "::1/128"]);
    assert_eq!(issued["allowed_cidrs"], told);
    let path = path_of(&issued);
    assert_eq!(operator.get(&path).await.expect(200)["allowed_cidrs"], told);
    let list = operator.get("/v1/tokens").await.expect(200);
    assert_eq!(list["items"][0]["allowed_cidrs"], told);
    let whoami = operator.issue(&account, json!({})).await;
    let whoami = api.bearer(text(&whoami, "token")).get("/v1/whoami").await;
    assert_eq!(whoami.expect(200)["token"]["allowed_cidrs"], json!([]));

    let bad = json!(["10.0.0.0/8", "10.0.0.1/8", "::/0", "everywhere"]);
    let places = ["/allowed_cidrs/1", "/allowed_cidrs/3"];
    let issue = json!({ "account_id": account, "name": "a", "allowed_cidrs": bad });
    bad_fields(&operator.post("/v1/tokens", issue).await, &places);
    let change = json!({ "allowed_cidrs": bad });
    bad_fields(&operator.patch(&path, change).await, &places);
    let for_user = json!({ "userId": "u", "allowedCidrs": bad });
    let answer = operator.post("/api/tokens", for_user).await;
    bad_fields(&answer, &["/allowedCidrs/1", "/allowedCidrs/3"]);
    let hash = "ab".repeat(32);
    let item = json!({ "account_id": account, "name": "a", "hash": hash, "allowed_cidrs": bad });
    let import = async |items: Value| {
        let body = json!({ "tokens": items });
        operator.post("/v1/tokens/import", body).await
    };
    let answer = import(json!([item])).await;
    let places = places.map(|place| format!("/tokens/0{place}"));
    bad_fields(&answer, &places.each_ref().map(String::as_str));
    let answer = operator
        .patch(&path, json!({ "allowed_cidrs": ["10.0.0.1/8"] }))
        .await;
    assert!(answer.text.contains("10.0.0.0/8"), "what was meant is told");

    // As many as there may be, and one more.
    let many: Vec<String> = (0..65).map(|number| format!("10.0.0.{number}")).collect();
    let changed = json!({ "allowed_cidrs": many[..64] });
    let changed = operator.patch(&path, changed).await.expect(200);
    assert_eq!(changed["allowed_cidrs"].as_array().unwrap().len(), 64);
    let answer = operator
        .patch(&path, json!({ "allowed_cidrs": many }))
        .await;
    bad_fields(&answer, &["/allowed_cidrs"]);
    let mut item = item;
    item["allowed_cidrs"] = json!(many);
    bad_fields(&import(json!([item])).await, &["/tokens/0/allowed_cidrs"]);
    item["allowed_cidrs"] = json!([HOME]);
    let imported = import(json!([item])).await.expect(201);
    let imported = format!("/v1/tokens/{}", imported["ids"][0].as_str().unwrap());
    let imported = operator.get(&imported).await.expect(200);
    assert_eq!(imported["allowed_cidrs"], json!([HOME]));
}

#[tokio::test]
async fn a_rule_is_set_narrowed_and_lifted_and_its_history_is_kept() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let operator = here.operator();
    let account = operator.account("crm-1").await;
    let issued = operator.issue(&account, json!({})).await;
    let (token, path) = (text(&issued, "token"), path_of(&issued));
    checked(&here, token, AWAY).await.expect(200);
    checked(&there, token, AWAY).await.expect(200);

    // This node knows at once, and the other as soon as it has heard.
    let bind = async |networks: &[&str]| {
        let body = json!({ "allowed_cidrs": networks });
        operator.patch(&path, body).await.expect(200)
    };
    let on_both = async |hops: &str, status: u16| {
        let answer = checked(&here, token, hops).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        wait_for("the other node to know", async || {
            checked(&there, token, hops).await.status == status
        })
        .await;
    };
    let set = bind(&[HOME, "198.51.100.0/24"]).await;
    on_both(AWAY, 200).await;
    on_both("192.0.2.1", 403).await;
    let recorded = text(&set, "updated_at").to_owned();
    assert_eq!(bind(&["198.51.100.0/24", HOME]).await["version"], 2);
    bind(&[HOME]).await;
    on_both(AWAY, 403).await;
    let rotated = operator.post(&format!("{path}/rotate"), json!({})).await;
    let rotated = rotated.expect(200);
    assert_eq!(rotated["allowed_cidrs"], json!([HOME]), "it stays bound");
    refused(&checked(&here, text(&rotated, "token"), AWAY).await);
    let token = text(&rotated, "token");
    let renamed = operator.patch(&path, json!({ "name": "b" })).await;
    assert_eq!(renamed.expect(200)["allowed_cidrs"], json!([HOME]));
    bind(&[]).await;
    checked(&here, token, AWAY).await.expect(200);
    wait_for("the other node to know", async || {
        checked(&there, token, AWAY).await.status == 200
    })
    .await;

    let history = operator.get(&format!("{path}/events")).await.expect(200);
    let events = history["items"].as_array().unwrap();
    assert_eq!(events[0]["payload"]["allowed_cidrs"], json!([]));
    let changes = events
        .iter()
        .filter(|event| event["type"] == "TokenRestrictionsChanged");
    let changes: Vec<&Value> = changes.map(|event| &event["payload"]).collect();
    let to =
        |networks: &[&str]| json!({ "allowed_cidrs": networks, "rate_limits": [], "quotas": [] });
    let (both, one) = (to(&["198.51.100.0/24", HOME]), to(&[HOME]));
    assert_eq!(changes, [&both, &one, &to(&[])]);

    let diff = operator.get(&format!("{path}/diff?from=2&to=3")).await;
    assert_eq!(
        diff.expect(200)["changes"],
        json!([{
            "field": "allowed_cidrs",
            "from": both["allowed_cidrs"],
            "to": one["allowed_cidrs"],
        }])
    );
    let at = events[1]["recorded_at"].as_str().unwrap();
    let past = operator
        .get(&format!("{path}?as_of={at}"))
        .await
        .expect(200);
    assert_eq!(past["allowed_cidrs"], both["allowed_cidrs"]);
    assert!(recorded.as_str() <= at);
}

#[tokio::test]
async fn a_bound_caller_hands_on_nothing_beyond_its_networks() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let fields = json!({
        "scopes": ["tollkeeper:tokens.read", "tollkeeper:tokens.write"],
        "allowed_cidrs": ["127.0.0.0/8", HOME],
    });
    let caller = operator.issue(&account, fields).await;
    let own = caller["allowed_cidrs"].clone();
    let caller_path = path_of(&caller);
    let caller = api.bearer(text(&caller, "token"));
    let body = |networks: Value| {
        let mut body = json!({ "name": "a" });
        if !networks.is_null() {
            body["allowed_cidrs"] = networks;
        }
        body
    };
    for surface in ["/v1/tokens", "/settings/api-tokens"] {
        // Nothing said is as much as the caller has.
        let inherited = caller.post(surface, body(Value::Null)).await.expect(201);
        assert_eq!(inherited["allowed_cidrs"], own);
        let within = body(json!(["127.0.0.1", "203.0.113.128/25"]));
        caller.post(surface, within).await.expect(201);
        for beyond in [json!([]), json!([HOME, AWAY]), json!(["203.0.112.0/23"])] {
            let answer = caller.post(surface, body(beyond)).await;
            beyond_networks(&answer);
        }
    }
    let hash = |number: u8| format!("{number:02x}").repeat(32);
    let import = async |items: Value| {
        let body = json!({ "tokens": items });
        caller.post("/v1/tokens/import", body).await
    };
    let imported = import(json!([
        { "name": "a", "hash": hash(1) },
        { "name": "b", "hash": hash(2), "allowed_cidrs": ["127.0.0.1"] },
    ]));
    let imported = imported.await.expect(201);
    let first = imported["ids"][0].as_str().unwrap();
    let first = caller.get(&format!("/v1/tokens/{first}")).await.expect(200);
    assert_eq!(first["allowed_cidrs"], own);
    let refused = import(json!([
        { "name": "a", "hash": hash(3), "allowed_cidrs": [HOME] },
        { "name": "b", "hash": hash(4), "allowed_cidrs": [] },
    ]));
    let refused = problem(&refused.await, 403, "BEYOND_AUTHORITY");
    assert_eq!(refused["errors"][0]["pointer"], "/tokens/1");
    assert!(text(&refused["errors"][0], "detail").contains("networks"));

    // A token beyond it is left alone, and none is widened beyond it.
    let earlier = async |networks: Value| {
        let fields = json!({ "allowed_cidrs": networks, "expires_in_minutes": 60 });
        path_of(&operator.issue(&account, fields).await)
    };
    for target in [json!([]), json!([HOME, AWAY])] {
        let path = earlier(target).await;
        let change = caller.patch(&path, json!({ "name": "mine" })).await;
        beyond_networks(&change);
        let narrow = json!({ "allowed_cidrs": [HOME] });
        beyond_networks(&caller.patch(&path, narrow).await);
        for act in ["rotate", "resume"] {
            let answer = caller.post(&format!("{path}/{act}"), json!({})).await;
            beyond_networks(&answer);
        }
        // To take something away is everybody's right who manages tokens.
        let rests = caller.post(&format!("{path}/suspend"), json!({})).await;
        rests.expect(200);
    }
    let narrow = earlier(json!([HOME])).await;
    caller
        .patch(&narrow, json!({ "name": "mine" }))
        .await
        .expect(200);
    for beyond in [json!([]), json!([HOME, AWAY])] {
        let widened = caller
            .patch(&narrow, json!({ "allowed_cidrs": beyond }))
            .await;
        beyond_networks(&widened);
    }
    caller
        .post(&format!("{narrow}/suspend"), json!({}))
        .await
        .expect(200);
    caller
        .post(&format!("{narrow}/resume"), json!({}))
        .await
        .expect(200);
    caller
        .post(&format!("{narrow}/rotate"), json!({}))
        .await
        .expect(200);
    // Nor its own.
    let lifted = caller
        .patch(&caller_path, json!({ "allowed_cidrs": [] }))
        .await;
    beyond_networks(&lifted);
    // A rule that leaves its holder out holds from the next request on.
    let narrowed = json!({ "allowed_cidrs": [HOME] });
    caller.patch(&caller_path, narrowed).await.expect(200);
    problem(&caller.get("/v1/whoami").await, 403, "IP_NOT_ALLOWED");
}

#[tokio::test]
async fn a_bound_service_hands_on_its_networks_to_the_users_it_knows() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let scopes = ["tollkeeper:accounts.write"];
    let service = manager(&operator, &system, &scopes).await;
    let networks = json!({ "allowed_cidrs": ["127.0.0.0/8"] });
    operator
        .patch(&path_of(&service), networks)
        .await
        .expect(200);
    let service = api.bearer(text(&service, "token"));
    let issued = service.post("/api/tokens", json!({ "userId": "u" })).await;
    assert_eq!(issued.expect(201)["allowedCidrs"], json!(["127.0.0.0/8"]));
    let own = json!({ "userId": "u", "allowedCidrs": ["127.0.0.1"] });
    let issued = service.post("/api/tokens", own).await.expect(201);
    assert_eq!(issued["allowedCidrs"], json!(["127.0.0.1/32"]));
    let beyond = json!({ "userId": "u", "allowedCidrs": [] });
    let answer = service.post("/api/tokens", beyond).await;
    problem(&answer, 403, "BEYOND_AUTHORITY");
    let listed = service.get("/api/tokens?userId=u").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(listed["items"][0]["allowedCidrs"], json!(["127.0.0.1/32"]));
}
