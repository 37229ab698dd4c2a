//! What the tests start from.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, wait_for};
use tollkeeper_tower::{Gate, GateConfig, Source};
use tower::Service;

/// Where the gates of a test read tokens and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    Postgres,
    Api,
}

/// A stack with an API, and a folder for the spools of gates.
pub(crate) struct House {
    reads: Reads,
    credential: String,
    pub(crate) stack: Stack,
    pub(crate) api: Node,
    pub(crate) operator: Person,
    folder: TempDir,
}

impl House {
    /// One whose gates read the primary.
    pub(crate) async fn new() -> Self {
        Self::where_gates_read(Reads::Postgres).await
    }

    pub(crate) async fn where_gates_read(reads: Reads) -> Self {
        let mut stack = Stack::bare().await;
        let api = stack.api(&[]).await;
        let operator = api.operator();
        let body = json!({ "role": "system" });
        let system = operator.post("/v1/accounts", body).await.expect(201);
        let fields = json!({ "scopes": ["tollkeeper:verify"] });
        let issued = operator.issue(system["id"].as_str().unwrap(), fields).await;
        Self {
            reads,
            credential: issued["token"].as_str().unwrap().to_owned(),
            operator,
            stack,
            api,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// How a gate is set up that reaches everything.
    pub(crate) fn config(&self) -> GateConfig {
        GateConfig::new(
            "a service",
            self.source(self.origin()),
            self.stack.nats.url(),
            "tk".parse().unwrap(),
            self.folder.path().join("spool"),
        )
    }

    /// What a gate asks, for a proxy before it.
    pub(crate) fn origin(&self) -> SocketAddr {
        match self.reads {
            Reads::Postgres => self.stack.database.tcp_address(),
            Reads::Api => self.api.public,
        }
    }

    /// The same at this address.
    pub(crate) fn source(&self, at: SocketAddr) -> Source {
        match self.reads {
            Reads::Postgres => Source::postgres(self.stack.database.url_through(at)),
            Reads::Api => Source::api(format!("http://{at}"), &*self.credential),
        }
    }

    /// A gate that judges.
    pub(crate) async fn gate(&self) -> Gate {
        started(self.config()).await
    }

    /// A token with these fields.
    pub(crate) async fn issue(&self, fields: Value) -> Token {
        let account = self.operator.account("shop").await;
        self.issue_for(&account, fields).await
    }

    pub(crate) async fn issue_for(&self, account: &str, fields: Value) -> Token {
        let issued = self.operator.issue(account, fields).await;
        let text = |name: &str| issued[name].as_str().unwrap().to_owned();
        Token {
            id: text("id"),
            account: account.to_owned(),
            secret: text("token"),
        }
    }

    /// Status and verdict of each call of this token, once there are so many.
    pub(crate) async fn counted(&self, token: &Token, most: usize) -> Vec<(i16, Verdict)> {
        let rows = async || -> Vec<(i16, i16)> {
            sqlx::query_as(
                "select status, verdict from api_token_usage where token_id = $1::uuid
                order by status, verdict",
            )
            .bind(&token.id)
            .fetch_all(&self.stack.database.pool)
            .await
            .unwrap()
        };
        wait_for("the calls to be counted", async || {
            rows().await.len() >= most
        })
        .await;
        let rows = rows().await.into_iter();
        rows.map(|(status, verdict)| {
            let verdict = u8::try_from(verdict).ok().and_then(Verdict::from_number);
            (status, verdict.unwrap())
        })
        .collect()
    }
}

/// An issued token.
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) secret: String,
}

impl Token {
    /// A request with it.
    pub(crate) fn request(&self, path: &str) -> Request<Body> {
        Request::get(path)
            .header("Authorization", format!("Bearer {}", self.secret))
            .body(Body::empty())
            .unwrap()
    }
}

/// A gate that judges.
pub(crate) async fn started(config: GateConfig) -> Gate {
    let gate = Gate::start(config).await.unwrap();
    let ready = tokio::time::timeout(Duration::from_secs(60), gate.ready());
    ready.await.expect("the gate becomes ready");
    gate
}

/// What a router answers, asked without a connection.
pub(crate) async fn ask(app: &Router, request: Request<Body>) -> Response<Body> {
    let answer: Result<_, Infallible> = app.clone().call(request).await;
    answer.unwrap()
}

/// Its status.
pub(crate) async fn status(app: &Router, token: &Token) -> u16 {
    ask(app, token.request("/")).await.status().as_u16()
}

/// The code of a refusal.
pub(crate) async fn code(app: &Router, token: &Token) -> String {
    let answer = ask(app, token.request("/")).await;
    let code = answer.headers().get("x-tollkeeper-code");
    code.map_or_else(
        || answer.status().to_string(),
        |code| code.to_str().unwrap().to_owned(),
    )
}

/// Serves on a port of the loopback for as long as the test runs.
pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}
