//! What each user of the broker may not do, tried one by one. The server says of each that it is refused,
//! and the streams are afterwards as they were.

use async_nats::jetstream;
use async_nats::{Client, ConnectOptions, Event};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tollkeeper_testkit::{TestNats, wait_for_some};

use crate::broker::{apply, as_user};

const USERS: [&str; 4] = [
    "tollkeeper-api",
    "tollkeeper-ingestor",
    "tollkeeper-gate",
    "tollkeeper-admin",
];

/// Nobody takes anything away that is not counted, nor the streams themselves.
const FOR_EVERYBODY: [&str; 12] = [
    "$JS.API.STREAM.DELETE.USAGE",
    "$JS.API.STREAM.DELETE.LIFECYCLE",
    "$JS.API.STREAM.PURGE.USAGE",
    "$JS.API.STREAM.PURGE.LIFECYCLE",
    "$JS.API.STREAM.MSG.DELETE.USAGE",
    "$JS.API.STREAM.MSG.DELETE.LIFECYCLE",
    "$JS.API.STREAM.MSG.GET.USAGE",
    "$JS.API.CONSUMER.DELETE.USAGE.ingestor",
    "$JS.API.CONSUMER.CREATE.USAGE.spy",
    "$JS.API.CONSUMER.CREATE.LIFECYCLE.spy",
    "$JS.API.STREAM.CREATE.OTHER",
    "_INBOX.tollkeeper-api.made-up",
];

/// The API puts usage in and never takes it out.
const FOR_THE_API: [&str; 7] = [
    "$JS.API.STREAM.MSG.GET.LIFECYCLE",
    "$JS.API.CONSUMER.MSG.NEXT.USAGE.ingestor",
    "$JS.ACK.USAGE.ingestor.1.1.1.1.0",
    "$JS.API.CONSUMER.CREATE.USAGE.ingestor",
    "$JS.API.STREAM.CREATE.USAGE",
    "$JS.API.STREAM.UPDATE.USAGE",
    "$JS.API.STREAM.UPDATE.LIFECYCLE",
];

/// The ingestor takes usage out and says nothing that others go by.
const FOR_THE_INGESTOR: [&str; 9] = [
    "$JS.API.STREAM.MSG.GET.LIFECYCLE",
    "usage.01980000-0000-7000-8000-000000000000",
    "lifecycle.TokenRevoked",
    "tollkeeper.hints",
    "tollkeeper.limits",
    "$JS.API.CONSUMER.CREATE.USAGE.ingestor",
    "$JS.API.STREAM.CREATE.USAGE",
    "$JS.API.STREAM.UPDATE.USAGE",
    "$JS.API.STREAM.UPDATE.LIFECYCLE",
];

/// A gate puts usage in and says what it let through of limits; what has happened to a token, others say.
const FOR_A_GATE: [&str; 9] = [
    "lifecycle.TokenRevoked",
    "tollkeeper.hints",
    "$JS.API.STREAM.INFO.LIFECYCLE",
    "$JS.API.STREAM.MSG.GET.LIFECYCLE",
    "$JS.API.CONSUMER.MSG.NEXT.USAGE.ingestor",
    "$JS.ACK.USAGE.ingestor.1.1.1.1.0",
    "$JS.API.CONSUMER.CREATE.USAGE.ingestor",
    "$JS.API.STREAM.CREATE.USAGE",
    "$JS.API.STREAM.UPDATE.USAGE",
];

/// Whoever makes the streams has no part in what they carry.
const FOR_THE_ADMINISTRATOR: [&str; 6] = [
    "usage.01980000-0000-7000-8000-000000000000",
    "lifecycle.TokenRevoked",
    "tollkeeper.hints",
    "tollkeeper.limits",
    "$JS.API.CONSUMER.MSG.NEXT.USAGE.ingestor",
    "$JS.ACK.USAGE.ingestor.1.1.1.1.0",
];

/// Nobody listens to usage on its way, or to what others are answered.
const NOT_TO_BE_LISTENED_TO: [&str; 5] = [">", "usage.>", "lifecycle.>", "_INBOX.>", "$JS.API.>"];

#[tokio::test]
async fn what_no_program_has_to_do_is_refused() {
    let nats = TestNats::start_with_users().await;
    apply(&nats);
    publish_one(&nats).await;
    for user in USERS {
        let (client, mut errors) = listening_to_errors(&nats, user).await;
        let own: &[&str] = match user {
            "tollkeeper-api" => &FOR_THE_API,
            "tollkeeper-ingestor" => &FOR_THE_INGESTOR,
            "tollkeeper-gate" => &FOR_A_GATE,
            _ => &FOR_THE_ADMINISTRATOR,
        };
        for subject in FOR_EVERYBODY.iter().chain(own) {
            client.publish(*subject, "{}".into()).await.unwrap();
            refused(&mut errors, &format!("publish to \"{subject}\"")).await;
        }
        let others = USERS.iter().filter(|it| **it != user);
        let inboxes = others.map(|it| format!("_INBOX.{}.>", program_of(it)));
        let subjects = NOT_TO_BE_LISTENED_TO.map(str::to_owned).into_iter();
        for subject in subjects.chain(inboxes) {
            // Kept until the server has answered.
            let _listening = client.subscribe(subject.clone()).await.unwrap();
            refused(&mut errors, &format!("subscription to \"{subject}\"")).await;
        }
    }
    let admin = jetstream::new(as_user(&nats, "tollkeeper-admin", "tollkeeper").await);
    for (stream, messages) in [("USAGE", 1), ("LIFECYCLE", 1)] {
        let stream = admin.get_stream(stream).await.unwrap();
        let state = &stream.cached_info().state;
        assert_eq!((state.messages, state.last_sequence), (messages, messages));
    }
}

/// What the program of this user calls itself.
fn program_of(user: &str) -> &str {
    match user {
        "tollkeeper-admin" => "tollkeeper",
        "tollkeeper-gate" => "tollkeeper-tower",
        other => other,
    }
}

/// Puts a message into each stream, as the API may.
async fn publish_one(nats: &TestNats) {
    let api = jetstream::new(as_user(nats, "tollkeeper-api", "tollkeeper-api").await);
    for subject in [
        "usage.01980000-0000-7000-8000-000000000001",
        "lifecycle.TokenIssued",
    ] {
        let sent = api.publish(subject, "{}".into()).await.unwrap();
        sent.await.unwrap();
    }
}

/// A client of this user, and what the server has to complain of.
async fn listening_to_errors(nats: &TestNats, user: &str) -> (Client, UnboundedReceiver<String>) {
    let (told, errors) = unbounded_channel();
    let url = nats.url_of(user);
    let (_, password) = url.split_once("://").unwrap();
    let (_, password) = password.split_once(':').unwrap();
    let (password, _) = password.split_once('@').unwrap();
    let options = ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
    let options = options.event_callback(move |event| {
        let told = told.clone();
        async move {
            if let Event::ServerError(error) = event {
                // Nobody listens any more once the test is over.
                let _over = told.send(error.to_string().to_lowercase());
            }
        }
    });
    (options.connect(nats.url()).await.unwrap(), errors)
}

/// Waits for the server to say that this was refused.
async fn refused(errors: &mut UnboundedReceiver<String>, what: &str) {
    let expected = format!("permissions violation for {}", what.to_lowercase());
    let said = wait_for_some(&expected, || {
        let next = errors.try_recv().ok();
        async { next }
    })
    .await;
    assert!(said.contains(&expected), "{said}, expected {expected}");
}
