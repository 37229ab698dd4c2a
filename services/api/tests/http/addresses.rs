//! Tokens that are bound to networks: where they pass, who judges the address, and what is told.

use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Answer, Node, Person};
use tollkeeper_testkit::{Stack, wait_for};

use crate::raw::exchange;
use crate::support::{
    bad_fields, forward_auth, manager, path_of, problem, system_account, text, unsigned_problem,
    verify, with_header,
};

const HOME: &str = "203.0.113.0/24";
const AT_HOME: &str = "203.0.113.9";
const AWAY: &str = "198.51.100.7";

/// A request through trusted proxies, which tell of these hops.
async fn from(person: &Person, hops: &str, method: Method, path: &str) -> Answer {
    with_header(person, method, path, ("x-forwarded-for", hops), None).await
}

async fn checked(api: &Node, token: &str, hops: &str) -> Answer {
    from(&api.bearer(token), hops, Method::GET, "/v1/forward-auth").await
}

#[track_caller]
fn refused(answer: &Answer) {
    unsigned_problem(answer, 403, "IP_NOT_ALLOWED");
    assert_eq!(answer.header("x-tollkeeper-code"), Some("IP_NOT_ALLOWED"));
    assert_eq!(answer.header("x-tollkeeper-token-id"), None);
}

#[track_caller]
fn beyond_networks(answer: &Answer) {
    let body = problem(answer, 403, "BEYOND_AUTHORITY");
    assert!(text(&body, "detail").contains("networks"), "{body}");
}

async fn bound(operator: &Person, account: &str, networks: &[&str]) -> (String, Value) {
    let fields = json!({ "allowed_cidrs": networks, "scopes": ["a"] });
    let token = operator.issue(account, fields).await;
    (text(&token, "token").to_owned(), token)
}

#[tokio::test]
async fn a_proxys_client_passes_from_its_networks_and_from_nowhere_else() {
    let mut stack = Stack::bare().await;
    let trusted = "127.0.0.0/8,10.0.0.0/8,2001:db8:ffff::/48";
    let api = stack.api(&[("TOLLKEEPER_TRUSTED_PROXIES", trusted)]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let (token, issued) = bound(&operator, &account, &[HOME, "2001:db8:1::/48"]).await;

    let good = [
        AT_HOME,
        "203.0.113.9:51234",
        "::ffff:203.0.113.9",
        "2001:DB8:1::7",
        "[2001:db8:1::7]:443",
        // Several proxies, each of which has added who asked it.
        "203.0.113.9, 10.0.0.2",
        "198.51.100.7, 203.0.113.9, 10.0.0.2, 2001:db8:ffff::1",
    ];
    let bad = [
        AWAY,
        "::ffff:198.51.100.7",
        "2001:db8:2::7",
        // What a client writes itself stands left of its address.
        "203.0.113.9, 198.51.100.7",
        "203.0.113.9, 198.51.100.7, 10.0.0.2",
        "unknown",
        "203.0.113.9, unknown, 10.0.0.2",
        // Nobody else was there: these are the proxies themselves.
        "10.0.0.2",
        "",
    ];
    for hops in good {
        checked(&api, &token, hops).await.expect(200);
    }
    for hops in bad {
        refused(&checked(&api, &token, hops).await);
    }
    // A proxy that tells nothing readable of who asked it is not the client, wherever it stands.
    let (internal, _) = bound(&operator, &account, &["127.0.0.0/8", "10.0.0.0/8"]).await;
    checked(&api, &internal, "10.0.0.2").await.expect(200);
    for hops in ["unknown", "203.0.113.9, unknown, 10.0.0.2"] {
        refused(&checked(&api, &internal, hops).await);
    }
    // The address is judged after the environment and before the scopes.
    let asked = async |query: &str| {
        let path = format!("/v1/forward-auth{query}");
        from(&api.bearer(&token), AWAY, Method::GET, &path).await
    };
    unsigned_problem(&asked("?env=test&scope=b").await, 401, "WRONG_ENVIRONMENT");
    refused(&asked("?scope=b").await);

    // Refused requests are requests of the token, too; only the others count as its last use.
    let calls = good.len() + bad.len() + 2;
    wait_for("all requests to be counted", async || {
        let read = operator.get(&path_of(&issued)).await.expect(200);
        read["usage_count"] == calls
    })
    .await;
    let id: uuid::Uuid = text(&issued, "id").parse().unwrap();
    let (refusals, addresses): (i64, i64) = sqlx::query_as(
        "select count(*), count(distinct ip) from api_token_usage
        where token_id = $1 and status = 403",
    )
    .bind(id)
    .fetch_one(&stack.database.pool)
    .await
    .unwrap();
    assert_eq!(refusals, bad.len() as i64 + 1);
    assert!(addresses > 1);
}

#[tokio::test]
async fn nobody_but_a_trusted_proxy_tells_where_somebody_else_is() {
    let mut stack = Stack::bare().await;
    let settings = [("TOLLKEEPER_TRUSTED_PROXIES", "198.51.100.0/24")];
    let api = stack.api(&settings).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let (elsewhere, _) = bound(&operator, &account, &[HOME]).await;
    let (here, _) = bound(&operator, &account, &["127.0.0.1"]).await;
    for hops in [AT_HOME, "203.0.113.9, 198.51.100.1"] {
        refused(&checked(&api, &elsewhere, hops).await);
        checked(&api, &here, hops).await.expect(200);
    }
    let person = api.bearer(&elsewhere);
    let answer = from(&person, AT_HOME, Method::GET, "/v1/whoami").await;
    problem(&answer, 403, "IP_NOT_ALLOWED");
    api.bearer(&here).get("/v1/whoami").await.expect(200);
}

/// The status of a check over a connection to this address.
async fn over(at: SocketAddr, path: &str, token: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: {token}\r\n\r\n"
    );
    let answer = exchange(at, request.as_bytes()).await;
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn both_kinds_of_addresses_are_told_apart_on_one_listener() {
    let Ok(free) = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)) else {
        // A machine without IPv6 has no such listener.
        return;
    };
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut stack = Stack::bare().await;
    let listen = format!("[::]:{port}");
    let api = stack.api(&[("TOLLKEEPER_LISTEN", &listen)]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let (four, _) = bound(&operator, &account, &["127.0.0.0/8"]).await;
    let (mapped, _) = bound(&operator, &account, &["::ffff:127.0.0.1"]).await;
    let (six, _) = bound(&operator, &account, &["::1"]).await;
    let (all_six, _) = bound(&operator, &account, &["::/0"]).await;
    let by_four: SocketAddr = ([127, 0, 0, 1], port).into();
    let by_six: SocketAddr = (Ipv6Addr::LOCALHOST, port).into();
    for path in ["/v1/forward-auth", "/v1/whoami"] {
        for (token, from_four, from_six) in [
            (&four, "200", "403"),
            (&mapped, "200", "403"),
            (&six, "403", "200"),
            (&all_six, "403", "200"),
        ] {
            assert_eq!(over(by_four, path, token).await, from_four, "{path}");
            assert_eq!(over(by_six, path, token).await, from_six, "{path}");
        }
    }
}

#[tokio::test]
async fn a_program_that_asks_says_where_the_request_came_from() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let (token, _) = bound(&operator, &account, &[HOME, "::1"]).await;
    let free = operator.issue(&account, json!({})).await;
    let free = text(&free, "token");
    for (ip, code) in [
        (json!(AT_HOME), "VALID"),
        (json!("::ffff:203.0.113.9"), "VALID"),
        (json!("::1"), "VALID"),
        (json!(AWAY), "IP_NOT_ALLOWED"),
        (json!("2001:db8::1"), "IP_NOT_ALLOWED"),
        // Who is not told cannot know, and lets nobody in.
        (Value::Null, "IP_NOT_ALLOWED"),
    ] {
        let told = async |token: &str| {
            let question = json!({ "token": token, "ip": ip });
            operator.post("/v1/verify", question).await.expect(200)
        };
        let answer = told(&token).await;
        assert_eq!(answer["code"], code, "{ip}");
        assert_eq!(answer["valid"], code == "VALID", "{ip}");
        assert_eq!(answer["account_id"], json!(account), "{ip}");
        assert_eq!(told(free).await["code"], "VALID", "{ip}");
    }
    assert_eq!(verify(&operator, &token).await["code"], "IP_NOT_ALLOWED");
}

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
async fn a_server_that_introspects_judges_the_address_itself() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let (token, _) = bound(&operator, &account, &[HOME, "::1"]).await;
    let free = operator.issue(&account, json!({})).await;
    let told = async |token: &str| {
        let request = operator
            .request(Method::POST, "/oauth/introspect")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("token={token}"));
        Person::send(request).await.expect(200)
    };
    let described = told(&token).await;
    assert_eq!(described["active"], true);
    assert_eq!(described["allowed_cidrs"], json!([HOME, "::1/128"]));
    let described = told(text(&free, "token")).await;
    assert_eq!(described["active"], true);
    assert_eq!(described.get("allowed_cidrs"), None);
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
    let both = json!({ "allowed_cidrs": ["198.51.100.0/24", HOME] });
    let one = json!({ "allowed_cidrs": [HOME] });
    assert_eq!(changes, [&both, &one, &json!({ "allowed_cidrs": [] })]);

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
