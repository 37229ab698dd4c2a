//! Waiting for the log to go on: who is told, of what, and who may wait.

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Answer, Person};
use tollkeeper_testkit::wait_for_some;

use crate::support::{manager, path_of, problem, text};

/// How many may wait of one holder.
const SHARE: usize = 50;

fn types(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|event| text(event, "type")).collect()
}

/// Who waited for nothing gets an empty page at the end, so a full one shows that they were woken.
#[tokio::test]
async fn whoever_waits_is_told_and_only_of_what_they_asked_for() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let elsewhere = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let suspend = format!("{}/suspend", path_of(&token));

    // Some wait where it is committed and some at another node; none for what comes first.
    let whole = "/v1/events?after=2&type=TokenSuspended&wait_seconds=30".to_owned();
    let own = format!("{whole}&account_id={account}");
    let mut waiting = Vec::new();
    for query in [whole, own] {
        for person in [api.operator(), elsewhere.operator()] {
            let query = query.clone();
            waiting.push(tokio::spawn(async move { person.get(&query).await }));
        }
    }
    operator.issue(&account, json!({})).await;
    operator.post(&suspend, json!({})).await.expect(200);
    for answer in waiting {
        let page = answer.await.unwrap().expect(200);
        assert_eq!(types(&page), ["TokenSuspended"]);
        assert_eq!(page["items"][0]["position"], 4);
    }
    // What is there already is not waited for.
    let page = operator
        .get("/v1/events?after=3&wait_seconds=30")
        .await
        .expect(200);
    assert_eq!(types(&page), ["TokenSuspended"]);
    let none = operator
        .get("/v1/events?after=4&wait_seconds=1")
        .await
        .expect(200);
    assert_eq!(
        (&none["items"], &none["next_after"], &none["has_more"]),
        (&json!([]), &json!(4), &json!(false))
    );
}

/// How a wait ended, after how many that ended with nothing.
type Ended = (Answer, usize);

/// As many as one holder may have wait, all of them let in, and what the next one is told. They
/// wait on while they hear nothing, if they are `patient`.
async fn all_waiting(person: &Person, patient: bool) -> (Vec<JoinHandle<Ended>>, Answer) {
    let wait = |person: Person| async move {
        let mut in_vain = 0;
        loop {
            let answer = person.get("/v1/events?after=2&wait_seconds=30").await;
            match answer.status {
                // The probe below had the last place.
                429 => {}
                200 if patient && types(&answer.json()).is_empty() => in_vain += 1,
                _ => return (answer, in_vain),
            }
        }
    };
    let waiting = (0..SHARE).map(|_| tokio::spawn(wait(person.clone())));
    let waiting = waiting.collect();
    let refused = wait_for_some("all to wait", async || {
        let probe = "/v1/events?after=2&type=AccountDeleted&wait_seconds=1";
        let answer = person.get(probe).await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    (waiting, refused)
}

#[tokio::test]
async fn one_holder_does_not_take_the_places_of_others() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let reader = manager(&operator, &account, &["tollkeeper:events.read"]).await;
    let reader = api.bearer(text(&reader, "token"));

    let (waiting, refused) = all_waiting(&reader, true).await;
    problem(&refused, 429, "TOO_MANY_WAITING");
    assert!(refused.header("retry-after").is_some());
    // Whoever does not wait is served, and so are others who do.
    for (person, query) in [
        (&reader, "after=2"),
        (&reader, "after=0&wait_seconds=30"),
        (&operator, "after=2&wait_seconds=1"),
    ] {
        person.get(&format!("/v1/events?{query}")).await.expect(200);
    }

    // All who wait are told, and places are given back.
    operator.issue(&account, json!({})).await;
    let mut woken = 0;
    for ended in waiting {
        let (answer, in_vain) = ended.await.unwrap();
        assert_eq!(types(&answer.expect(200)), ["TokenIssued"]);
        woken += usize::from(in_vain == 0);
    }
    assert!(woken > 0);
    let page = reader.get("/v1/events?after=3&wait_seconds=1").await;
    assert_eq!(page.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn nobody_waits_for_a_node_that_stops() {
    let mut stack = Stack::bare().await;
    let mut api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    operator.issue(&account, json!({})).await;
    let (waiting, _refused) = all_waiting(&operator, false).await;
    let ended = api.stop().await;
    for waited in waiting {
        let (answer, _) = waited.await.unwrap();
        assert_eq!(answer.expect(200)["items"], json!([]));
    }
    assert_eq!(ended.code(), Some(0), "{}", api.log_text());
}

/// The end of the log, as a copy from before the last events has it.
const RESTORED: &str = "update event_log_head
    set position = 1, hash = (select hash from events where position = 1)";

#[tokio::test]
async fn whoever_waits_beyond_the_end_of_a_restored_log_is_told_to_begin_again() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    operator.issue(&account, json!({})).await;
    let (waiting, _refused) = all_waiting(&operator, true).await;
    let restored = sqlx::query(RESTORED).execute(&stack.database.pool);
    assert_eq!(restored.await.unwrap().rows_affected(), 1);
    let mut woken = 0;
    for ended in waiting {
        let (answer, in_vain) = ended.await.unwrap();
        problem(&answer, 400, "INVALID_QUERY");
        woken += usize::from(in_vain == 0);
    }
    assert!(woken > 0);
    let again = operator.get("/v1/events?after=1&wait_seconds=1").await;
    let again = again.expect(200);
    assert_eq!(
        (&again["items"], &again["next_after"]),
        (&json!([]), &json!(1))
    );
}
