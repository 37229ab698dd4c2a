use std::sync::Arc;

use parking_lot::Mutex;

use super::*;

const NEVER: Duration = Duration::from_secs(3600);

async fn run(life: Lifecycle, grace: Duration) -> Outcome {
    let mut signals = Signals::new().unwrap();
    life.run(&mut signals, grace).await
}

#[tokio::test]
async fn a_panicking_task_brings_the_process_down() {
    let life = Lifecycle::new();
    life.spawn("bystander", |stop| async move { stop.cancelled().await });
    life.spawn("clumsy", |stop| async move {
        assert!(stop.is_cancelled(), "tripped")
    });
    assert_eq!(run(life, NEVER).await, Outcome::Failed);
}

#[tokio::test]
async fn a_task_that_returns_early_brings_the_process_down() {
    let life = Lifecycle::new();
    life.spawn("bystander", |stop| async move { stop.cancelled().await });
    life.spawn("lazy", |_| async {});
    assert_eq!(run(life, NEVER).await, Outcome::Failed);
}

#[tokio::test]
async fn support_stops_after_the_work_that_leans_on_it() {
    let life = Lifecycle::new();
    let order = Arc::new(Mutex::new(Vec::new()));
    let (first, second) = (order.clone(), order.clone());
    life.spawn_support("publisher", |stop| async move {
        stop.cancelled().await;
        second.lock().push("publisher");
    });
    life.spawn("listener", |stop| async move {
        stop.cancelled().await;
        tokio::task::yield_now().await;
        first.lock().push("listener");
    });
    life.spawn("trigger", |_| async { Err("enough".to_owned()) });
    assert_eq!(run(life, NEVER).await, Outcome::Failed);
    assert_eq!(*order.lock(), ["listener", "publisher"]);
}

#[tokio::test]
async fn support_may_end_with_the_last_of_the_work() {
    let mut life = Lifecycle::new();
    let (caller, mut calls) = mpsc::channel::<()>(1);
    life.spawn_support("writer", |_| async move {
        while calls.recv().await.is_some() {}
    });
    life.spawn("listener", |stop| async move {
        stop.cancelled().await;
        drop(caller);
    });
    assert_eq!(life.drain().await, Outcome::Clean);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_drain_is_cut_off() {
    let life = Lifecycle::new();
    let held = Arc::new(());
    let inside = held.clone();
    life.spawn("stuck", |_| async move {
        let _inside = inside;
        std::future::pending::<()>().await;
    });
    life.spawn("trigger", |_| async {});
    assert_eq!(run(life, Duration::from_secs(30)).await, Outcome::Failed);
    // What the task held is given back once it is cut off.
    while Arc::strong_count(&held) > 1 {
        tokio::task::yield_now().await;
    }
}
