//! How often somebody may try.

use futures::future::join_all;

use super::guest::Guest;
use super::{OTHER, PASSWORD, member, sql};
use crate::support::Site;

const ADA: &str = "ada@example.org";

async fn statuses(guesses: impl Iterator<Item = (Guest, String)>) -> Vec<u16> {
    let tries = guesses.map(|(guest, email)| async move {
        let got = guest.sign_in(&email, OTHER).await;
        if got.status == 429 {
            let wait: u64 = got.headers["retry-after"]
                .to_str()
                .unwrap()
                .parse()
                .unwrap();
            assert!(
                wait > 0 && got.text.contains("Try again in"),
                "{}",
                got.text
            );
        }
        got.status
    });
    join_all(tries).await
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|it| **it == status).count()
}

#[tokio::test]
async fn those_who_guess_at_once_get_no_more_than_others() {
    let site = Site::start().await;
    member(&site, ADA, None).await;
    let guesses = (0..40).map(|_| (Guest::of(&site), ADA.to_owned()));
    let told = statuses(guesses).await;
    assert_eq!((count(&told, 403), count(&told, 429)), (10, 30), "{told:?}");
    // Nor is the right password looked at then.
    let ada = Guest::of(&site);
    assert_eq!(ada.sign_in(ADA, PASSWORD).await.status, 429);
    assert_eq!(ada.sign_in("ADA@example.org", PASSWORD).await.status, 429);
    // Another person is not concerned.
    let other = Guest::of(&site);
    assert_eq!(other.sign_in("grace@example.org", OTHER).await.status, 403);

    // One more after a while, and all of them after the right one.
    let later = "update console_attempts set whole_at = whole_at - interval '6 minutes'";
    assert_eq!(sql(&site, later).await, 3);
    assert_eq!(ada.sign_in(ADA, PASSWORD).await.status, 303);
    for _ in 0..10 {
        assert_eq!(ada.sign_in(ADA, OTHER).await.status, 403);
    }
    assert_eq!(ada.sign_in(ADA, OTHER).await.status, 429);
}

#[tokio::test]
async fn a_network_has_an_allowance_for_all_addresses() {
    let site = Site::start().await;
    let guesses = (0..60).map(|number| (Guest::of(&site), format!("person-{number}@example.org")));
    let told = statuses(guesses).await;
    // A slow machine may earn some back meanwhile.
    let tried = count(&told, 403);
    assert!(
        (30..60).contains(&tried) && tried + count(&told, 429) == 60,
        "{told:?}"
    );
    // What is refused for the network is not charged to the address.
    let charged: i64 = sqlx::query_scalar("select count(*) from console_attempts")
        .fetch_one(&site.pool)
        .await
        .unwrap();
    assert_eq!(usize::try_from(charged).unwrap(), tried + 1);
}

#[tokio::test]
async fn the_present_password_is_guessed_no_better_by_who_is_signed_in() {
    let site = Site::start().await;
    let ada = member(&site, ADA, None).await;
    let fields = [("current", OTHER), ("password", OTHER), ("repeated", OTHER)];
    for _ in 0..10 {
        let got = ada.submit("/console/you/password", &fields).await;
        assert_eq!(got.status, 422);
        assert!(
            got.text.contains("This is not your password."),
            "{}",
            got.text
        );
    }
    let right = [
        ("current", PASSWORD),
        ("password", OTHER),
        ("repeated", OTHER),
    ];
    let got = ada.submit("/console/you/password", &right).await;
    assert_eq!(got.status, 429, "{}", got.text);
    assert!(ada.is_in().await);
}
