//! Links by which somebody sets a password.

use futures::future::join_all;

use super::guest::Guest;
use super::{OTHER, PASSWORD, invited, member, sql};
use crate::support::Site;

const ADA: &str = "ada@example.org";

#[tokio::test]
async fn of_those_who_use_a_link_at_once_one_gets_in() {
    let site = Site::start().await;
    let link = invited(&site, ADA, None).await;
    let guests: Vec<Guest> = (0..8).map(|_| Guest::of(&site)).collect();
    let passwords: Vec<String> = (0..8)
        .map(|number| format!("{PASSWORD} {number}"))
        .collect();
    let tries = guests.iter().zip(&passwords);
    let tries = tries.map(|(guest, password)| guest.choose(&link, password));
    let statuses: Vec<u16> = join_all(tries).await.iter().map(|got| got.status).collect();
    let winners: Vec<usize> = (0..8).filter(|number| statuses[*number] == 303).collect();
    let [winner] = winners[..] else {
        panic!("{statuses:?}")
    };
    assert_eq!(
        statuses.iter().filter(|it| **it == 404).count(),
        7,
        "{statuses:?}"
    );
    for (number, guest) in guests.iter().enumerate() {
        assert_eq!(guest.is_in().await, number == winner);
    }
    let again = Guest::of(&site).sign_in(ADA, &passwords[winner]).await;
    assert_eq!(again.status, 303);
    assert_eq!(guests[0].get(&link).await.status, 404);
}

#[tokio::test]
async fn a_link_ends_by_time_by_another_and_with_its_person() {
    let site = Site::start().await;
    let guest = Guest::of(&site);
    let operator = member(&site, "operator@example.org", None).await;
    for over in [
        "update console_links set expires_at = now()",
        "update console_people set disabled_at = now() where email like 'a%'",
        "delete from console_people where email like 'a%'",
    ] {
        let link = invited(&site, &format!("a{}@example.org", over.len()), None).await;
        assert_eq!(guest.get(&link).await.status, 200, "before: {over}");
        assert!(sql(&site, over).await >= 1);
        assert_eq!(guest.get(&link).await.status, 404, "{over}");
        assert_eq!(guest.choose(&link, PASSWORD).await.status, 404, "{over}");
        assert!(!guest.is_in().await, "{over}");
    }
    let link = invited(&site, ADA, None).await;
    let person = person(&site, ADA).await;
    let path = format!("/console/people/{person}/link");
    let given = operator.submit(&path, &[]).await;
    assert_eq!(given.status, 200);
    assert_eq!(
        guest.get(&link).await.status,
        404,
        "the new one takes its place"
    );
    for other in ["/console/password/short", "/console/password/..%2F..%2Fv1"] {
        assert_eq!(guest.get(other).await.status, 404, "{other}");
    }
}

#[tokio::test]
async fn a_password_that_is_refused_does_not_use_the_link_up() {
    let site = Site::start().await;
    let link = invited(&site, "grace.hopper@example.org", None).await;
    let guest = Guest::of(&site);
    for bad in ["short", "12345678", "grace.hopper", &"x1 ".repeat(50)] {
        let got = guest.choose(&link, bad).await;
        assert_eq!(got.status, 422, "{bad}");
        assert!(got.text.contains("password-complaint") && !got.text.contains(&format!("{bad}\"")));
    }
    let fields = [("password", PASSWORD), ("repeated", OTHER)];
    assert_eq!(guest.post(&link, &fields).await.status, 422);
    let foreign = Some("https://evil.example");
    let good = [("password", PASSWORD), ("repeated", PASSWORD)];
    assert_eq!(guest.post_from(foreign, &link, &good).await.status, 403);
    assert_eq!(guest.choose(&link, PASSWORD).await.status, 303);
}

#[tokio::test]
async fn a_link_sets_a_lost_password_and_ends_what_was_begun_with_it() {
    let site = Site::start().await;
    let operator = member(&site, "operator@example.org", None).await;
    let before = member(&site, ADA, None).await;
    for _ in 0..11 {
        Guest::of(&site).sign_in(ADA, OTHER).await;
    }
    let path = format!("/console/people/{}/link", person(&site, ADA).await);
    let given = operator.submit(&path, &[]).await.text;
    let (_, rest) = given.split_once("/console/password/").unwrap();
    let link = format!("/console/password/{}", rest.split('<').next().unwrap());
    let ada = Guest::of(&site);
    assert_eq!(ada.choose(&link, OTHER).await.status, 303);
    assert!(ada.is_in().await && !before.is_in().await);
    // Somebody's guesses lock them out no longer.
    assert_eq!(Guest::of(&site).sign_in(ADA, OTHER).await.status, 303);
}

async fn person(site: &Site, email: &str) -> uuid::Uuid {
    let found = sqlx::query_scalar("select id from console_people where email = $1").bind(email);
    found.fetch_one(&site.pool).await.unwrap()
}
