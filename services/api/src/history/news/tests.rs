use tokio::time::timeout;
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

use super::*;

/// On the paused clock it passes as soon as nothing else is left to do.
const LONG: Duration = Duration::from_secs(3600);

fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

fn mark(position: i64, account_id: AccountId, kind: &str) -> Mark {
    Mark {
        position,
        account_id: account_id.0,
        r#type: kind.to_owned(),
    }
}

/// A batch of as many events as there are marks, up to `until`.
fn batch(until: i64, marks: Vec<Mark>) -> Batch {
    let length = i64::try_from(marks.len()).unwrap();
    Batch {
        marks,
        ..Batch::next(Some(until - length), until)
    }
}

fn filter(account: Option<AccountId>, types: &[&str], after: i64) -> FeedFilter {
    FeedFilter {
        account,
        types: types.iter().map(ToString::to_string).collect(),
        after,
        limit: 50,
    }
}

fn listener(news: &News) -> Listener<'_> {
    news.listen(Holder::Account(account(1))).unwrap()
}

/// Whether the listener is woken by what was told.
async fn woken(listener: &mut Listener<'_>, filter: &mut FeedFilter) -> bool {
    timeout(LONG, listener.news(filter)).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_by_what_is_wanted_alone() {
    let news = News::new(CancellationToken::new());
    let mut listener = listener(&news);
    let (own, other) = (account(1), account(2));
    let mut wanted = filter(Some(own), &["TokenRevoked"], 10);

    news.tell(batch(
        12,
        vec![
            mark(11, other, "TokenRevoked"),
            mark(12, own, "TokenIssued"),
        ],
    ));
    assert!(!woken(&mut listener, &mut wanted).await);
    assert_eq!(wanted.after, 12, "what is not wanted is never looked at");

    news.tell(batch(13, vec![mark(13, own, "TokenRevoked")]));
    assert!(woken(&mut listener, &mut wanted).await);
    assert_eq!(wanted.after, 12, "what is wanted is still to be read");

    let mut everything = filter(None, &[], 13);
    news.tell(batch(14, vec![mark(14, other, "TokenIssued")]));
    assert!(woken(&mut listener, &mut everything).await);
}

#[tokio::test(start_paused = true)]
async fn who_is_waiting_already_is_woken_too() {
    let news = News::new(CancellationToken::new());
    let mut listener = listener(&news);
    let mut wanted = filter(None, &[], 0);
    let (woken, ()) = tokio::join!(woken(&mut listener, &mut wanted), async {
        sleep(PACE).await;
        news.tell(batch(1, vec![mark(1, account(1), "AccountRegistered")]));
    });
    assert!(woken);
}

#[tokio::test(start_paused = true)]
async fn what_was_looked_at_already_wakes_nobody_again() {
    let news = News::new(CancellationToken::new());
    let mut listener = listener(&news);
    let mut wanted = filter(None, &[], 20);
    news.tell(batch(11, vec![mark(11, account(1), "TokenIssued")]));
    assert!(!woken(&mut listener, &mut wanted).await);
    assert_eq!(wanted.after, 20);
}

#[tokio::test(start_paused = true)]
async fn who_missed_something_looks() {
    let news = News::new(CancellationToken::new());
    let own = account(1);

    // Something was committed between the look and the listening.
    let mut late = listener(&news);
    let mut wanted = filter(Some(own), &[], 10);
    news.tell(Batch::next(None, 11));
    assert!(woken(&mut late, &mut wanted).await);

    // Nothing was.
    let mut wanted = filter(Some(own), &[], 11);
    news.tell(Batch::next(Some(11), 11));
    assert!(!woken(&mut late, &mut wanted).await);

    // More batches came than are kept.
    for position in 12..=12 + i64::try_from(BATCHES).unwrap() {
        news.tell(batch(
            position,
            vec![mark(position, account(2), "TokenIssued")],
        ));
    }
    assert!(woken(&mut late, &mut wanted).await);
    assert_eq!(wanted.after, 11);
}

#[tokio::test(start_paused = true)]
async fn who_waits_beyond_the_end_of_a_log_that_fell_back_looks_once() {
    let news = News::new(CancellationToken::new());
    let mut listener = listener(&news);
    let own = account(1);
    let mut beyond = filter(Some(own), &[], 100);
    news.tell(Batch::next(Some(100), 50));
    assert!(woken(&mut listener, &mut beyond).await);
    assert_eq!(beyond.after, 100, "the look is told that it lies beyond");

    // Whoever begins again is told of what is new, and is not kept awake by what was.
    let mut again = filter(Some(own), &[], 50);
    news.tell(Batch::next(Some(50), 50));
    assert!(!woken(&mut listener, &mut again).await);
    news.tell(batch(51, vec![mark(51, own, "TokenIssued")]));
    assert!(woken(&mut listener, &mut again).await);
}

#[test]
fn a_batch_goes_on_where_the_last_one_ended() {
    let ends = |last, head| {
        let batch = Batch::next(last, head);
        (batch.after, batch.until, batch.fell_back)
    };
    assert_eq!(ends(None, 7), (7, 7, false));
    assert_eq!(ends(Some(3), 7), (3, 7, false));
    assert_eq!(ends(Some(7), 7), (7, 7, false));
    assert_eq!(ends(Some(9), 7), (7, 7, true));
    let far = MOST_TOLD + 10;
    assert_eq!(ends(Some(3), far), (10, far, false), "the rest is a gap");
}

#[tokio::test(start_paused = true)]
async fn committing_and_beginning_to_wait_have_the_log_read() {
    let news = News::new(CancellationToken::new());
    let due = async || timeout(LONG, news.due.notified()).await.is_ok();
    assert!(!due().await);
    news.committed();
    assert!(due().await);
    let _listener = listener(&news);
    assert!(due().await);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_is_waited_for_by_nobody() {
    let stop = CancellationToken::new();
    let news = News::new(stop.clone());
    assert!(timeout(LONG, news.over()).await.is_err());
    stop.cancel();
    assert!(timeout(LONG, news.over()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn few_read_at_a_time() {
    let news = News::new(CancellationToken::new());
    let mut turns = Vec::new();
    for _ in 0..READERS {
        turns.push(news.turn().await.unwrap());
    }
    assert!(timeout(LONG, news.turn()).await.is_err());
    turns.pop();
    assert!(timeout(LONG, news.turn()).await.is_ok());
}
