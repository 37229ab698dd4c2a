//! An installation in use, made up: accounts, tokens in every state, usage of 90 days with a peak and an
//! outage, nodes, a hole in the usage, dead letters and an audit log.

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};
use sqlx::PgPool;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::stack::Person;
use tollkeeper_testkit::sum_up_accounts;
use uuid::Uuid;

use super::Site;

/// Names of accounts, and by which other systems know them.
const ACCOUNTS: [(&str, &str); 9] = [
    ("Example Shop", "customer-4711"),
    ("Harbour Zebra Freight", "customer-4712-zebra"),
    ("Lindgren & Söner AB", "customer-4720"),
    ("Blue Kite Analytics", "customer-4733"),
    ("<script>alert(1)</script> Ltd", "customer-<b>"),
    ("Northwind Traders", "customer-4801"),
    (
        "A company with a name that goes on and on, as those of some holdings and foundations do when they are written out in full",
        "customer-4802",
    ),
    ("Old Mill Bakery", "customer-4100"),
    ("Platform", "internal-platform"),
];

/// What tokens are for.
const PURPOSES: [&str; 10] = [
    "Checkout",
    "Stock sync",
    "Nightly export",
    "Mobile app",
    "Partner feed",
    "CI deploy",
    "Grafana",
    "Warehouse scanner",
    "Price import",
    "Support desk",
];

/// What is there.
#[derive(Debug)]
pub(crate) struct Seeded {
    /// The account that a user of the tests holds.
    pub(crate) own: String,
    /// What no page of theirs may hold: ids, names and prefixes of others.
    pub(crate) foreign: Vec<String>,
}

/// Fills an installation.
pub(crate) async fn seed(site: &Site) -> Seeded {
    let operator = site.api.operator();
    let mut accounts = Vec::new();
    for (index, (name, external_id)) in ACCOUNTS.iter().enumerate() {
        accounts.push(account(&operator, index, name, external_id).await);
    }
    let mut tokens = Vec::new();
    for index in 0..40 {
        let owner = &accounts[if index % 3 == 0 { 0 } else { index % 8 }];
        tokens.push(token(&operator, owner, index).await);
    }
    for (index, token) in tokens.iter().enumerate() {
        change(&operator, token, index).await;
    }
    let of_old = &accounts[7];
    let suspend = format!("/v1/accounts/{of_old}/suspend");
    operator.post(&suspend, json!({})).await.expect(200);
    refusals(site, &tokens[1]).await;

    let ids: Vec<Uuid> = tokens.iter().map(id).collect();
    usage(&site.pool, &ids).await;
    operation(&site.pool).await;

    let is_foreign = |token: &&Value| token["account_id"] != accounts[0].as_str();
    let mut foreign: Vec<String> = accounts[1..].to_vec();
    foreign.extend(
        ACCOUNTS[1..]
            .iter()
            .map(|(_, external_id)| (*external_id).to_owned()),
    );
    for token in tokens.iter().filter(is_foreign) {
        for member in ["id", "token_prefix", "name"] {
            foreign.push(token[member].as_str().expect("a text").to_owned());
        }
    }
    Seeded {
        own: accounts.swap_remove(0),
        foreign,
    }
}

fn id(token: &Value) -> Uuid {
    let id = token["id"].as_str().and_then(|id| id.parse().ok());
    id.expect("a token has an id")
}

async fn account(operator: &Person, index: usize, name: &str, external_id: &str) -> String {
    let mut body = json!({
        "name": name,
        "external_id": external_id,
        "email": format!("ops-{index}@shop.example"),
        "role": if index == 8 { "system" } else { "user" },
    });
    if index == 0 {
        body["rate_limits"] = json!([
            { "name": "requests", "limit": 6_000, "window_seconds": 60, "burst": 1_000 },
        ]);
        body["quotas"] = json!([{ "name": "month", "limit": 1_000_000, "refill": "monthly" }]);
    }
    let made = operator.post("/v1/accounts", body).await.expect(201);
    made["id"].as_str().expect("an id").to_owned()
}

async fn token(operator: &Person, account: &str, index: usize) -> Value {
    let in_future = |span: TimeDelta| {
        let at = SystemClock.now() + span;
        at.to_rfc3339_opts(SecondsFormat::Micros, true)
    };
    let moment = |days: i64| in_future(TimeDelta::days(days));
    let team = ["checkout", "warehouse", "data"][index % 3];
    let mut fields = json!({
        "name": format!("{} {}", PURPOSES[index % 10], index / 10 + 1),
        "scopes": [format!("orders.{}", ["read", "write"][index % 2]), "stock.read"],
        "environment": if index % 6 == 5 { "test" } else { "live" },
        "metadata": { "team": team },
    });
    match index {
        3 => fields["not_before"] = moment(3).into(),
        7 => fields["scopes"] = (0..100).map(|it| format!("area-{it}.read")).collect(),
        9 => fields["name"] = "<script>alert('tokens')</script>".into(),
        12 => fields["name"] = "x".repeat(100).into(),
        15 => fields["allowed_cidrs"] = json!(["192.0.2.0/24", "2001:db8::/32"]),
        18 => {
            fields["quotas"] = json!([{ "name": "day", "limit": 5_000, "refill": "daily" }]);
            fields["rate_limits"] = json!([
                { "name": "requests", "limit": 60, "window_seconds": 60 },
            ]);
        }
        // They are over when the rest is there.
        33 | 39 => fields["expires_at"] = in_future(TimeDelta::seconds(3)).into(),
        _ => {}
    }
    if index.is_multiple_of(4) {
        fields["expires_at"] = moment(2 + 9 * index as i64 / 4).into();
    }
    operator.issue(account, fields).await
}

async fn change(operator: &Person, token: &Value, index: usize) {
    let path = format!("/v1/tokens/{}", id(token));
    match index % 10 {
        6 => {
            let suspend = format!("{path}/suspend");
            operator.post(&suspend, json!({})).await.expect(200);
        }
        8 => {
            let reasons = [
                "key_compromise",
                "superseded",
                "privilege_withdrawn",
                "leaked",
            ];
            let reason = reasons[index / 10];
            let revoke = format!("{path}?reason={reason}");
            operator.delete(&revoke).await.expect(200);
        }
        2 => {
            let rotate = format!("{path}/rotate");
            let grace = json!({ "grace_seconds": 86_400 });
            operator.post(&rotate, grace).await.expect(200);
        }
        _ => {}
    }
}

/// Attempts that are refused.
async fn refusals(site: &Site, token: &Value) {
    let bearer = site.api.bearer(token["token"].as_str().expect("a token"));
    for _ in 0..3 {
        bearer.get("/v1/accounts").await.expect(403);
    }
    site.api
        .by_key("a key of nobody")
        .get("/v1/tokens")
        .await
        .expect(401);
}

/// Single requests of a day, and sums of 90 days. The most used token comes first.
async fn usage(pool: &PgPool, tokens: &[Uuid]) {
    for day in 0..=2 {
        sqlx::query("select usage_partition_create((now() at time zone 'UTC')::date - $1::int)")
            .bind(day)
            .execute(pool)
            .await
            .expect("the owner makes partitions");
    }
    for statement in [
        include_str!("seed/requests.sql"),
        include_str!("seed/hours.sql"),
    ] {
        let done = sqlx::query(statement).bind(tokens).execute(pool).await;
        done.expect("the owner writes usage");
    }
    let done = sqlx::raw_sql(include_str!("seed/sums.sql"))
        .execute(pool)
        .await;
    done.expect("the owner writes sums");
    sum_up_accounts(pool).await;
}

/// Nodes, sources of usage of which something is missing, and dead letters.
async fn operation(pool: &PgPool) {
    let done = sqlx::raw_sql(include_str!("seed/operation.sql"))
        .execute(pool)
        .await;
    done.expect("the owner writes what programs say of themselves");
}
