//! What every operation answers in the same way: to callers without the right, to bad input, while
//! the database is away. One list of operations, so that a new one is tried as all others are.

mod callers;
pub(crate) mod faults;
mod input;
mod list;
mod table;

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tollkeeper_testkit::stack::Person;

use self::list::{OPERATIONS, Operation, Takes};
use crate::support::text;

/// A key to seal secrets of webhooks with.
const SETTINGS: [(&str, &str); 1] = [(
    "TOLLKEEPER_SEAL_KEYS",
    "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
)];

/// A quota of each thing that can have one.
const QUOTA: &str = "uses";

/// An id that nothing has.
const NOTHING: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// One of each thing that an operation may be about.
struct World {
    account: String,
    token: String,
    webhook: String,
    revocation: String,
}

impl World {
    /// Things of a new account.
    async fn new(operator: &Person) -> Self {
        let account = Self::account(operator).await;
        Self::with(operator, &account, &account).await
    }

    /// Things of this account, and an account of its own: what is done to accounts is for the most
    /// part not for their own tokens to do.
    async fn of(operator: &Person, account: &str) -> Self {
        let other = Self::account(operator).await;
        Self::with(operator, account, &other).await
    }

    async fn account(operator: &Person) -> String {
        let body = json!({ "quotas": [{ "name": QUOTA, "limit": 1_000_000 }] });
        let account = operator.post("/v1/accounts", body).await.expect(201);
        text(&account, "id").to_owned()
    }

    async fn with(operator: &Person, account: &str, changed: &str) -> Self {
        // It ends before any caller's own token, or they could not hand it on.
        let quotas = json!([{ "name": QUOTA, "limit": 1_000_000 }]);
        let fields = json!({ "expires_in_minutes": 60, "quotas": quotas });
        let token = operator.issue(account, fields).await;
        let webhook = json!({ "account_id": account, "url": "https://hooks.example.com/" });
        let webhook = operator.post("/v1/webhooks", webhook).await.expect(201);
        let plan = json!({ "dry_run": true, "filter": { "account_id": account } });
        let plan = operator.post("/v1/tokens/bulk-revoke", plan).await;
        Self {
            account: changed.to_owned(),
            token: text(&token, "id").to_owned(),
            webhook: text(&webhook, "id").to_owned(),
            revocation: text(&plan.expect(201), "id").to_owned(),
        }
    }

    /// The id that the operation's path asks for.
    fn id_for(&self, operation: &Operation) -> &str {
        let path = operation.path;
        if path.starts_with("/v1/accounts/") {
            &self.account
        } else if path.starts_with("/v1/webhooks/") {
            &self.webhook
        } else if path.starts_with("/v1/tokens/bulk-revoke/") {
            &self.revocation
        } else {
            &self.token
        }
    }

    /// A good request for the operation.
    fn request(&self, person: &Person, operation: &Operation) -> RequestBuilder {
        request(person, operation, self.id_for(operation))
    }
}

/// A good request for the operation on the thing of this id.
fn request(person: &Person, operation: &Operation, id: &str) -> RequestBuilder {
    with_body(empty(person, operation, id, ""), operation)
}

/// A request without a body, and with this at the end of its query.
fn empty(person: &Person, operation: &Operation, id: &str, query: &str) -> RequestBuilder {
    let path = operation.path.replace("{id}", id).replace("{name}", QUOTA);
    let queries = [operation.query.unwrap_or_default(), query];
    let queries: Vec<&str> = queries.into_iter().filter(|it| !it.is_empty()).collect();
    let path = match queries.as_slice() {
        [] => path,
        queries => format!("{path}?{}", queries.join("&")),
    };
    person.request(method(operation), &path)
}

fn with_body(request: RequestBuilder, operation: &Operation) -> RequestBuilder {
    match operation.takes {
        Takes::Nothing => request,
        Takes::Json(body) | Takes::JsonOrNothing(body) => request
            .header("content-type", "application/json")
            .body(body),
    }
}

fn method(operation: &Operation) -> Method {
    operation.method.parse().unwrap()
}
