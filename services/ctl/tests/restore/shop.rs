//! An account with tokens, and what is asked about them.

use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, wait_for};

/// A token, its secret with it.
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Token {
    pub(crate) async fn issue(operator: &Person, account: &str) -> Self {
        Self::of(&operator.issue(account, json!({})).await)
    }

    /// The one that an answer shows.
    pub(crate) fn of(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Self {
            id: text("id"),
            secret: text("token"),
        }
    }

    pub(crate) fn path(&self, what: &str) -> String {
        format!("/v1/tokens/{}{what}", self.id)
    }

    /// What a check of this token says.
    pub(crate) async fn verdict(&self, api: &Node) -> String {
        let answer = api
            .bearer(&self.secret)
            .get("/v1/forward-auth/orders")
            .await;
        if answer.status == 200 {
            return "VALID".to_owned();
        }
        answer
            .header("x-tollkeeper-code")
            .unwrap_or("none")
            .to_owned()
    }

    /// Waits until checks say so.
    pub(crate) async fn becomes(&self, api: &Node, verdict: &str) {
        let what = format!("{} to be {verdict}", self.id);
        wait_for(&what, async || self.verdict(api).await == verdict).await;
    }

    /// Has it pass so many times.
    pub(crate) async fn pass(&self, api: &Node, times: usize) {
        for _ in 0..times {
            assert_eq!(self.verdict(api).await, "VALID");
        }
    }

    /// Waits until so many calls are counted.
    pub(crate) async fn counted(&self, api: &Node, calls: u64) {
        let operator = api.operator();
        let what = format!("{calls} calls to be counted");
        wait_for(&what, async || {
            let answer = operator.get(&self.path("")).await;
            answer.status == 200 && answer.json()["usage_count"].as_u64() == Some(calls)
        })
        .await;
    }
}

/// Waits until the stream holds everything that the log has told, and gives the end of the log.
pub(crate) async fn relayed(stack: &Stack) -> i64 {
    let end: i64 = sqlx::query_scalar("select position from event_log_head")
        .fetch_one(&stack.database.pool)
        .await
        .unwrap();
    let broker = async_nats::jetstream::new(stack.nats.client().await);
    wait_for("the log to be relayed", async || {
        let stream = broker.get_stream("LIFECYCLE").await.unwrap();
        let messages = stream.cached_info().state.messages;
        i64::try_from(messages).unwrap() >= end
    })
    .await;
    end
}

/// Each finding of `tollkeeper restore check`: what is to be done, and about what.
pub(crate) fn findings(answer: &Value) -> Vec<(String, String)> {
    let found = answer["findings"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found: Vec<_> = found
        .map(|it| (text(&it["what"]), text(&it["stream_id"])))
        .collect();
    found.sort();
    found
}

/// The value of a metric.
pub(crate) async fn metric(api: &Node, name: &str) -> f64 {
    let metrics = api.about_itself("/metrics").await.text;
    let value = metrics.lines().find_map(|line| line.strip_prefix(name));
    value
        .unwrap_or_else(|| panic!("{name}: {metrics}"))
        .trim()
        .parse()
        .unwrap()
}
