//! `tollkeeper up`, whole: with the real servers and the real services.

#![allow(clippy::unwrap_used)]

mod running;

use std::net::TcpListener;
use std::process::Command;

use running::{Place, Running};
use rustix::process::Signal;
use tollkeeper_testkit::wait_for;

#[tokio::test]
async fn a_first_request_passes_and_a_second_start_finds_the_data() {
    let place = Place::new();
    let mut first = Running::start(&place).await;
    assert_eq!(first.ask_whether_it_may_pass().await, 200);
    assert_eq!(place.mode_of("secrets.json"), 0o600);
    assert_eq!(place.mode_of("first-token"), 0o600);
    let token = first.token();
    assert!(first.stop(Signal::TERM).await.success());
    assert!(place.is_quiet());

    let mut second = Running::start(&place).await;
    assert_eq!(second.token(), token);
    assert_eq!(second.ask_whether_it_may_pass().await, 200);
    assert!(second.stop(Signal::INT).await.success());
}

#[tokio::test]
async fn other_commands_find_everything_by_a_file() {
    let place = Place::new();
    let mut running = Running::start(&place).await;
    assert_eq!(place.mode_of("env"), 0o600);
    assert!(running.text().contains("/.tollkeeper/env\n"));
    assert_eq!(place.shell("tollkeeper nats diff"), "");
    assert!(place.shell("tollkeeper token list").contains("first token"));
    let operators = place.shell("tollkeeper operator list");
    assert!(operators.contains("operator@localhost"), "{operators}");
    let database = "psql \"$TOLLKEEPER_DATABASE_URL\" -Atc 'select position from event_log_head'";
    assert_eq!(place.shell(database), "2\n");
    assert!(running.stop(Signal::TERM).await.success());
}

#[tokio::test]
async fn the_first_operator_gets_in_by_a_link_until_they_have() {
    let place = Place::new();
    let mut first = Running::start(&place).await;
    let unused = first.console_link().expect("a link at the first start");
    assert!(first.stop(Signal::TERM).await.success());

    let mut second = Running::start(&place).await;
    let link = second
        .console_link()
        .expect("another one, as long as nobody has a password");
    let client = tollkeeper_testkit::http_client();
    let status = async |link: &str| client.get(link).send().await.unwrap().status().as_u16();
    assert_eq!(status(&unused).await, 404);
    assert_eq!(status(&link).await, 200);
    let set = client
        .post(&link)
        .header("origin", format!("http://127.0.0.1:{}", place.port))
        .form(&[
            ("password", "four blue tulips"),
            ("repeated", "four blue tulips"),
        ]);
    let response = set.send().await.unwrap();
    assert!(response.headers().contains_key("set-cookie") || response.status().is_success());
    assert_eq!(status(&link).await, 404);
    assert!(second.stop(Signal::TERM).await.success());

    let mut third = Running::start(&place).await;
    assert_eq!(third.console_link(), None);
    assert!(third.stop(Signal::TERM).await.success());
}

#[tokio::test]
async fn a_second_one_in_the_same_folder_is_refused() {
    let place = Place::new();
    let mut running = Running::start(&place).await;
    let refused = place.command().output().unwrap();
    assert!(!refused.status.success());
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(
        text.contains("another `tollkeeper up` is running"),
        "{text}"
    );
    assert_eq!(running.ask_whether_it_may_pass().await, 200);
    assert!(running.stop(Signal::TERM).await.success());
}

#[tokio::test]
async fn a_service_that_dies_brings_everything_down() {
    let place = Place::new();
    let mut running = Running::start(&place).await;
    running.kill_child("tollkeeper-inge");
    assert!(!running.ended().await.success());
    let text = running.text();
    assert!(text.contains("tollkeeper-ingestor ended"), "{text}");
    assert!(place.is_quiet());
}

#[tokio::test]
async fn a_killed_one_leaves_nothing_behind() {
    let place = Place::new();
    let mut killed = Running::start(&place).await;
    let token = killed.token();
    killed.stop(Signal::KILL).await;
    wait_for("the children to be gone", || async { place.is_quiet() }).await;

    let mut again = Running::start(&place).await;
    assert_eq!(again.token(), token);
    assert_eq!(again.ask_whether_it_may_pass().await, 200);
    assert!(again.stop(Signal::TERM).await.success());
}

#[tokio::test]
async fn the_next_one_waits_for_what_a_killed_one_left() {
    let place = Place::new();
    let mut killed = Running::start(&place).await;
    killed.stop(Signal::KILL).await;

    // Its guards have only begun to end the servers, which hold ports, a spool and a store.
    let mut again = Running::start(&place).await;
    assert_eq!(again.ask_whether_it_may_pass().await, 200);
    assert!(again.stop(Signal::TERM).await.success());
}

#[test]
fn a_taken_port_is_named_by_its_setting() {
    let place = Place::new();
    let _taken = TcpListener::bind(("127.0.0.1", place.port)).unwrap();
    let refused = place.command().output().unwrap();
    assert!(!refused.status.success());
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.contains("set TOLLKEEPER_LISTEN to another"), "{text}");
}

#[test]
fn servers_of_ones_own_are_not_silently_ignored() {
    let place = Place::new();
    let mut command: Command = place.command();
    command.env("TOLLKEEPER_DATABASE_URL", "postgres://localhost/mine");
    let refused = command.output().unwrap();
    assert!(!refused.status.success());
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.contains("TOLLKEEPER_DATABASE_URL is set"), "{text}");
}

#[tokio::test]
async fn it_runs_as_an_ordinary_user() {
    let place = Place::of_an_ordinary_user();
    let mut running = Running::start(&place).await;
    assert_eq!(running.ask_whether_it_may_pass().await, 200);
    assert!(running.stop(Signal::TERM).await.success());
}
