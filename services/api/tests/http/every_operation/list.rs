//! The operations, and what they ask for.

/// An operation of the API.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// The scope that it needs; none if any credential will do.
    pub(super) scope: Option<&'static str>,
    /// A scope that it needs beside.
    and: Option<&'static str>,
    pub(super) takes: Takes,
    /// The part of a query that it cannot do without; none if it reads none.
    pub(super) query: Option<&'static str>,
    /// Whether it heeds `If-Match`.
    pub(super) versioned: bool,
    /// How many bytes of a body it takes.
    pub(super) most: usize,
    /// How it answers when all is well.
    pub(super) success: u16,
}

/// A body.
#[derive(Debug, Clone, Copy)]
pub(super) enum Takes {
    Nothing,
    /// Such as this.
    Json(&'static str),
    /// Such as this, which may be left out.
    JsonOrNothing(&'static str),
}

impl Operation {
    const fn new(method: &'static str, path: &'static str, scope: &'static str) -> Self {
        Self {
            method,
            path,
            scope: Some(scope),
            and: None,
            takes: Takes::Nothing,
            query: None,
            versioned: false,
            most: 64 * 1024,
            success: 200,
        }
    }

    const fn and(mut self, scope: &'static str) -> Self {
        self.and = Some(scope);
        self
    }

    const fn takes(mut self, body: &'static str) -> Self {
        self.takes = Takes::Json(body);
        self
    }

    const fn may_take(mut self, body: &'static str) -> Self {
        self.takes = Takes::JsonOrNothing(body);
        self
    }

    const fn asked(mut self, query: &'static str) -> Self {
        self.query = Some(query);
        self
    }

    const fn versioned(mut self) -> Self {
        self.versioned = true;
        self
    }

    const fn up_to(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self
    }

    const fn answers(mut self, status: u16) -> Self {
        self.success = status;
        self
    }

    /// The scopes that it needs.
    pub(super) fn scopes(&self) -> Vec<&'static str> {
        self.scope.into_iter().chain(self.and).collect()
    }

    pub(super) fn is_about_one(&self) -> bool {
        self.path.contains("{id}")
    }

    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

const ACCOUNTS: &str = "tollkeeper:accounts.write";
const READ: &str = "tollkeeper:tokens.read";
const WRITE: &str = "tollkeeper:tokens.write";
const EVENTS: &str = "tollkeeper:events.read";
const USAGE: &str = "tollkeeper:usage.read";
const REPORT: &str = "tollkeeper:usage.write";
const WEBHOOKS: &str = "tollkeeper:webhooks.write";
const VERIFY: &str = "tollkeeper:verify";

/// The scopes of management.
pub(super) const SCOPES: [&str; 8] = [
    ACCOUNTS, READ, WRITE, EVENTS, USAGE, REPORT, WEBHOOKS, VERIFY,
];

/// Those that speak JSON and ask callers who they are. What proxies, OAuth clients and partners ask
/// for is tried by itself.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new("POST", "/v1/accounts", ACCOUNTS)
        .takes("{}")
        .answers(201),
    Operation::new("GET", "/v1/accounts", ACCOUNTS).asked(""),
    Operation::new("GET", "/v1/accounts/{id}", ACCOUNTS),
    Operation::new("PATCH", "/v1/accounts/{id}", ACCOUNTS)
        .takes(r#"{"name":"another"}"#)
        .versioned()
        .asked(""),
    Operation::new("DELETE", "/v1/accounts/{id}", ACCOUNTS)
        .versioned()
        .asked(""),
    Operation::new("POST", "/v1/accounts/{id}/suspend", ACCOUNTS).asked(""),
    Operation::new("POST", "/v1/accounts/{id}/resume", ACCOUNTS).asked(""),
    Operation::new("GET", "/v1/accounts/{id}/quotas", ACCOUNTS),
    Operation::new("POST", "/v1/accounts/{id}/quotas/{name}/refill", ACCOUNTS)
        .asked("")
        .versioned(),
    Operation::new("POST", "/v1/tokens", WRITE)
        .takes(r#"{"name":"a token"}"#)
        .answers(201),
    Operation::new("POST", "/v1/tokens/import", WRITE)
        .takes(concat!(
            r#"{"tokens":[{"name":"a token","hash":""#,
            "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
            r#""}]}"#
        ))
        .up_to(8 * 1024 * 1024)
        .answers(201),
    Operation::new("GET", "/v1/tokens", READ).asked(""),
    Operation::new("GET", "/v1/tokens/{id}", READ).asked(""),
    Operation::new("PATCH", "/v1/tokens/{id}", WRITE)
        .takes(r#"{"name":"another"}"#)
        .versioned(),
    Operation::new("DELETE", "/v1/tokens/{id}", WRITE)
        .asked("")
        .versioned(),
    Operation::new("POST", "/v1/tokens/bulk-revoke", WRITE)
        .takes(r#"{"dry_run":true,"filter":{"all":true}}"#)
        .answers(201),
    Operation::new("GET", "/v1/tokens/bulk-revoke/{id}", READ),
    Operation::new("POST", "/v1/tokens/{id}/rotate", WRITE)
        .may_take(r#"{"grace_seconds":0}"#)
        .versioned(),
    Operation::new("POST", "/v1/tokens/{id}/suspend", WRITE).versioned(),
    Operation::new("POST", "/v1/tokens/{id}/resume", WRITE).versioned(),
    Operation::new("GET", "/v1/tokens/{id}/quotas", READ),
    Operation::new("POST", "/v1/tokens/{id}/quotas/{name}/refill", WRITE)
        .asked("")
        .versioned(),
    Operation::new("GET", "/v1/tokens/{id}/events", EVENTS).asked(""),
    Operation::new("GET", "/v1/tokens/{id}/diff", READ).asked("from=1"),
    Operation::new("GET", "/v1/events", EVENTS).asked(""),
    Operation::new("GET", "/v1/audit", EVENTS).asked(""),
    Operation::new("GET", "/v1/tokens/{id}/usage", USAGE).asked(""),
    Operation::new("GET", "/v1/tokens/{id}/usage/requests", USAGE).asked(""),
    Operation::new("GET", "/v1/tokens/{id}/exposure", USAGE).asked(""),
    Operation::new("POST", "/v1/tokens/{id}/dry-run", USAGE).takes(r#"{"allowed_cidrs":[]}"#),
    Operation::new("GET", "/v1/usage", USAGE).asked(""),
    Operation::new("GET", "/v1/usage/tokens", USAGE).asked(""),
    Operation::new("POST", "/v1/usage", REPORT)
        .takes(concat!(
            r#"{"events":[{"id":"1","token_id":"01890a5d-ac96-774b-bcce-b302099a8057","#,
            r#""endpoint":"/","method":"GET","status":200}]}"#
        ))
        .up_to(1024 * 1024),
    Operation::new("POST", "/v1/webhooks", WEBHOOKS)
        .and(EVENTS)
        .takes(r#"{"url":"https://hooks.example.com/"}"#)
        .answers(201),
    Operation::new("GET", "/v1/webhooks", WEBHOOKS).asked(""),
    Operation::new("GET", "/v1/webhooks/{id}", WEBHOOKS),
    Operation::new("PATCH", "/v1/webhooks/{id}", WEBHOOKS)
        .and(EVENTS)
        .takes(r#"{"description":"another"}"#)
        .versioned(),
    Operation::new("DELETE", "/v1/webhooks/{id}", WEBHOOKS)
        .versioned()
        .answers(204),
    Operation::new("POST", "/v1/webhooks/{id}/rotate-secret", WEBHOOKS)
        .may_take("{}")
        .versioned(),
    Operation::new("POST", "/v1/webhooks/{id}/replay", WEBHOOKS)
        .and(EVENTS)
        .takes(r#"{"after":0}"#)
        .versioned(),
    Operation::new("GET", "/v1/webhooks/{id}/deliveries", WEBHOOKS),
    Operation {
        scope: None,
        ..Operation::new("GET", "/v1/whoami", "")
    },
    Operation::new("POST", "/v1/verify", VERIFY).takes(r#"{"token":"tk_live_x"}"#),
    Operation::new("POST", "/v1/verify/batch", VERIFY)
        .takes(r#"{"items":[{"token":"tk_live_x"}]}"#)
        .up_to(256 * 1024),
    Operation::new("POST", "/settings/api-tokens", WRITE)
        .takes(r#"{"name":"a token"}"#)
        .answers(201),
    Operation::new("GET", "/settings/api-tokens", READ).asked(""),
    Operation::new("GET", "/settings/api-tokens/{id}", READ).asked(""),
    Operation::new("DELETE", "/settings/api-tokens/{id}", WRITE)
        .asked("")
        .versioned(),
    Operation::new("POST", "/api/tokens", WRITE)
        .takes(r#"{"userId":"somebody known"}"#)
        .answers(201),
    Operation::new("GET", "/api/tokens", READ).asked(""),
];
