//! How often browsers may go to the provider. Others of the same network, whether they go there too or guess
//! passwords, do not keep those from it who were here before.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::{join, join_all};
use tollkeeper_ambient::{Clock, SystemClock};

use super::super::guest::DEVICE;
use super::super::{OTHER, invited, sql};
use super::{Guest, Provider, sign_in, site_with};
use crate::support::Site;

const ADA: &str = "ada@example.org";

/// What browsers are told that set out at once and never come back.
async fn set_out(guests: impl Iterator<Item = Guest>) -> Vec<u16> {
    let tries = guests.map(|guest| async move {
        let got = guest.get("/console/sign-in/oidc").await;
        if got.status == 429 {
            let wait = got.headers["retry-after"].to_str().unwrap();
            assert!(wait.parse::<u64>().unwrap() > 0, "{wait}");
            assert!(got.text.contains("Try again in"), "{}", got.text);
        }
        got.status
    });
    join_all(tries).await
}

fn strangers(site: &Site, number: usize) -> impl Iterator<Item = Guest> {
    (0..number).map(|_| Guest::of(site))
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|it| **it == status).count()
}

/// Has strangers of this network set out until no more may.
async fn exhaust(site: &Site) {
    for _ in 0..50 {
        let told = set_out(strangers(site, 20)).await;
        if count(&told, 429) > 10 {
            return;
        }
    }
    panic!("there is no end to it");
}

#[tokio::test]
async fn strangers_who_set_out_keep_nobody_who_was_here_before() {
    let provider = Provider::start("subject-1", ADA).await;
    let site = site_with(&provider).await;
    invited(&site, ADA, None).await;
    let ada = Guest::of(&site);
    assert_eq!(sign_in(&ada, &site).await.status, 303);
    exhaust(&site).await;
    // However they and she take turns, she gets there and in.
    for _ in 0..4 {
        let out = ada.submit("/console/sign-out", &[]).await;
        assert_eq!(out.status, 303);
        let ((), got) = join(exhaust(&site), sign_in(&ada, &site)).await;
        assert_eq!(got.status, 303, "{}", got.text);
        assert!(ada.is_in().await);
    }
}

#[tokio::test]
async fn who_was_here_before_sets_out_no_more_often() {
    let provider = Provider::start("subject-1", ADA).await;
    let site = site_with(&provider).await;
    invited(&site, ADA, None).await;
    let ada = Guest::of(&site);
    assert_eq!(sign_in(&ada, &site).await.status, 303);
    let device = ada.cookie(DEVICE).unwrap();
    let copies = strangers(&site, 40).inspect(|copy| copy.set_cookie(DEVICE, &device));
    let told = set_out(copies).await;
    assert_eq!((count(&told, 303), count(&told, 429)), (10, 30), "{told:?}");
    // It is charged to this browser alone, and one that is made up is a stranger's.
    let made_up = strangers(&site, 1).inspect(|it| it.set_cookie(DEVICE, &"A".repeat(43)));
    assert_eq!(set_out(made_up).await, [303]);
    let aged = "update console_devices set used_at = used_at - interval '181 days'";
    sql(&site, aged).await;
    assert_eq!(sign_in(&ada, &site).await.status, 303);
}

#[tokio::test]
async fn who_guesses_passwords_keeps_nobody_from_the_provider() {
    let provider = Provider::start("subject-1", ADA).await;
    let site = site_with(&provider).await;
    invited(&site, ADA, None).await;
    let guesses = (0..60).map(|number| {
        let guest = Guest::of(&site);
        async move {
            let email = format!("person-{number}@example.org");
            guest.sign_in(&email, OTHER).await.status
        }
    });
    let told = join_all(guesses).await;
    assert!(count(&told, 429) > 0, "{told:?}");
    let newcomer = Guest::of(&site);
    assert_eq!(sign_in(&newcomer, &site).await.status, 303);
}

#[tokio::test]
async fn a_way_that_ends_in_a_sign_in_costs_the_network_nothing() {
    let provider = Provider::start("subject-1", ADA).await;
    let site = site_with(&provider).await;
    invited(&site, ADA, None).await;
    let whole_at = async || -> DateTime<Utc> {
        let latest = sqlx::query_scalar("select max(whole_at) from console_attempts");
        latest.fetch_one(&site.pool).await.unwrap()
    };
    for _ in 0..5 {
        let newcomer = Guest::of(&site);
        assert_eq!(sign_in(&newcomer, &site).await.status, 303);
    }
    assert!(whole_at().await <= SystemClock.now());
    provider.refuse_with(Some("access_denied"));
    let before = SystemClock.now();
    assert_eq!(sign_in(&Guest::of(&site), &site).await.status, 403);
    assert!(whole_at().await > before + TimeDelta::seconds(1));
}
