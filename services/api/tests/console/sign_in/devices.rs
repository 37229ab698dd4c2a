//! Browsers in which somebody has signed in before: others who guess do not shut them out, and they guess no
//! better themselves.

use futures::future::{join, join_all};

use super::guest::{DEVICE, Guest, SESSION};
use super::{OTHER, PASSWORD, invited, member, sql};
use crate::support::Site;

const ADA: &str = "ada@example.org";

/// What so many browsers are told that were never here and guess at once.
async fn strangers(site: &Site, number: usize, email: &str) -> Vec<u16> {
    let tries = (0..number).map(|_| async {
        let stranger = Guest::of(site);
        stranger.sign_in(email, OTHER).await.status
    });
    join_all(tries).await
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|it| **it == status).count()
}

/// Somebody who has signed in before and is signed out.
async fn was_here(site: &Site, email: &str) -> Guest {
    let guest = member(site, email, None).await;
    let out = guest.submit("/console/sign-out", &[]).await;
    assert_eq!(out.status, 303);
    assert!(guest.cookie(SESSION).is_none() && guest.cookie(DEVICE).is_some());
    guest
}

#[tokio::test]
async fn strangers_who_guess_do_not_shut_out_who_was_here_before() {
    let site = Site::start().await;
    let ada = was_here(&site, ADA).await;
    let told = strangers(&site, 20, ADA).await;
    assert_eq!((count(&told, 403), count(&told, 429)), (10, 10), "{told:?}");
    // However they and she take turns, she gets in, and they get no attempt out of it.
    for _ in 0..4 {
        let (told, got) = join(strangers(&site, 4, ADA), ada.sign_in(ADA, PASSWORD)).await;
        assert_eq!(count(&told, 429), 4, "{told:?}");
        assert_eq!(got.status, 303, "{}", got.text);
        assert!(ada.is_in().await);
        ada.submit("/console/sign-out", &[]).await;
    }
    // A slip of hers is one of her own.
    assert_eq!(ada.sign_in(ADA, OTHER).await.status, 403);
    assert_eq!(ada.sign_in(ADA, PASSWORD).await.status, 303);
    // In a browser that was never here she is a stranger.
    let elsewhere = Guest::of(&site);
    assert_eq!(elsewhere.sign_in(ADA, PASSWORD).await.status, 429);
}

#[tokio::test]
async fn a_network_that_guesses_shuts_nobody_out_who_was_here_before() {
    let site = Site::start().await;
    let ada = was_here(&site, ADA).await;
    let tries = (0..60).map(|number| {
        let site = &site;
        async move { strangers(site, 1, &format!("person-{number}@example.org")).await }
    });
    let told = join_all(tries).await.concat();
    assert!(count(&told, 429) > 0, "{told:?}");
    assert_eq!(ada.sign_in(ADA, PASSWORD).await.status, 303);
}

#[tokio::test]
async fn who_was_here_before_guesses_no_better() {
    let site = Site::start().await;
    let ada = was_here(&site, ADA).await;
    let device = ada.cookie(DEVICE).unwrap();
    let tries = (0..40).map(|_| async {
        let copy = Guest::of(&site);
        copy.set_cookie(DEVICE, &device);
        copy.sign_in(ADA, OTHER).await.status
    });
    let told = join_all(tries).await;
    assert_eq!((count(&told, 403), count(&told, 429)), (10, 30), "{told:?}");
    assert_eq!(ada.sign_in(ADA, PASSWORD).await.status, 429);
    // It is charged to this browser alone: not to the address, and not to the network.
    let charged = "select count(*) from console_attempts";
    let charged = sqlx::query_scalar::<_, i64>(charged);
    assert_eq!(charged.fetch_one(&site.pool).await.unwrap(), 1);
    let elsewhere = Guest::of(&site);
    assert_eq!(elsewhere.sign_in(ADA, PASSWORD).await.status, 303);
    assert_eq!(ada.sign_in(ADA, PASSWORD).await.status, 429);
}

#[tokio::test]
async fn a_browser_is_known_for_its_own_person_and_for_a_while() {
    let site = Site::start().await;
    let ada = was_here(&site, ADA).await;
    let grace = was_here(&site, "grace@example.org").await;
    // More than enough, should one of them not be heard.
    strangers(&site, 20, ADA).await;
    // Another's browser, and one that is made up, are strangers.
    assert_eq!(grace.sign_in(ADA, PASSWORD).await.status, 429);
    let made_up = Guest::of(&site);
    made_up.set_cookie(DEVICE, &"A".repeat(43));
    assert_eq!(made_up.sign_in(ADA, PASSWORD).await.status, 429);
    let aged = "update console_devices set used_at = used_at - interval '179 days'";
    sql(&site, aged).await;
    // To sign in is to be known for longer, by the same secret.
    let before = ada.cookie(DEVICE);
    assert_eq!(ada.sign_in(ADA, PASSWORD).await.status, 303);
    assert_eq!(ada.cookie(DEVICE), before);
    let aged = "update console_devices set used_at = used_at - interval '181 days'";
    sql(&site, aged).await;
    assert_eq!(ada.sign_in(ADA, PASSWORD).await.status, 429);
}

#[tokio::test]
async fn a_new_link_makes_strangers_of_all_other_browsers() {
    let site = Site::start().await;
    let before = was_here(&site, ADA).await;
    let operator = member(&site, "operator@example.org", None).await;
    let id: uuid::Uuid = sqlx::query_scalar("select id from console_people where email = $1")
        .bind(ADA)
        .fetch_one(&site.pool)
        .await
        .unwrap();
    let given = operator
        .submit(&format!("/console/people/{id}/link"), &[])
        .await;
    let (_, link) = given.text.split_once("/console/password/").unwrap();
    let link: String = link.chars().take_while(|it| !"<\"".contains(*it)).collect();
    let ada = Guest::of(&site);
    let set = ada
        .choose(&format!("/console/password/{link}"), PASSWORD)
        .await;
    assert_eq!(set.status, 303, "{}", set.text);
    strangers(&site, 10, ADA).await;
    assert_eq!(before.sign_in(ADA, PASSWORD).await.status, 429);
    assert_eq!(ada.sign_in(ADA, PASSWORD).await.status, 303);
}

#[tokio::test]
async fn tables_hold_hashes_of_the_last_twenty_browsers() {
    let site = Site::start().await;
    invited(&site, "grace@example.org", None).await;
    let ada = was_here(&site, ADA).await;
    let more = "insert into console_devices
        select sha256(n::text::bytea), id, now() - n * interval '1 hour'
        from console_people, generate_series(1, 30) as n where email like 'ada%'";
    assert_eq!(sql(&site, more).await, 30);
    let hashes = async || {
        let all = "select encode(secret_hash, 'hex') from console_devices order by used_at";
        let all = sqlx::query_scalar::<_, String>(all).fetch_all(&site.pool);
        all.await.unwrap()
    };
    // One that goes on makes no room.
    assert_eq!(ada.sign_in(ADA, PASSWORD).await.status, 303);
    assert_eq!(hashes().await.len(), 31);
    let elsewhere = Guest::of(&site);
    assert_eq!(elsewhere.sign_in(ADA, PASSWORD).await.status, 303);
    let kept = hashes().await;
    assert_eq!(kept.len(), 20);
    let secret = elsewhere.cookie(DEVICE).unwrap();
    assert!(kept.iter().all(|hash| *hash != secret), "{kept:?}");
    // Those that were used last are kept.
    let before = ada.cookie(DEVICE);
    assert_eq!(ada.sign_in(ADA, PASSWORD).await.status, 303);
    assert_eq!(ada.cookie(DEVICE), before);
    assert_eq!(hashes().await.len(), 20);
}

#[tokio::test]
async fn strangers_who_guess_keep_nobody_from_a_new_password() {
    let site = Site::start().await;
    let ada = member(&site, ADA, None).await;
    strangers(&site, 40, ADA).await;
    let fields = [
        ("current", PASSWORD),
        ("password", OTHER),
        ("repeated", OTHER),
    ];
    let got = ada.submit("/console/you/password", &fields).await;
    assert_eq!(got.location(), "/console/you?done=password-changed");
    assert_eq!(ada.sign_in(ADA, OTHER).await.status, 303);
}
