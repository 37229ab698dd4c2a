//! What the audit log tells of signing in, and what no log does.

use serde_json::Value;
use tollkeeper_testkit::wait_for;

use super::guest::{Guest, SESSION};
use super::{OTHER, PASSWORD, invited, sql};
use crate::support::Site;

const ADA: &str = "ada@example.org";

#[tokio::test]
async fn who_came_in_and_who_did_not_is_told_and_no_secret() {
    let site = Site::with(&[("TOLLKEEPER_LOG", "trace")]).await;
    let link = invited(&site, ADA, None).await;
    let ada = Guest::of(&site);
    let person: uuid::Uuid = sqlx::query_scalar("select id from console_people")
        .fetch_one(&site.pool)
        .await
        .unwrap();
    assert_eq!(ada.choose(&link, PASSWORD).await.status, 303);
    let first = ada.cookie(SESSION).unwrap();
    let fields = [
        ("current", PASSWORD),
        ("password", OTHER),
        ("repeated", OTHER),
    ];
    assert_eq!(
        ada.submit("/console/you/password", &fields).await.status,
        303
    );
    let given = ada
        .submit(&format!("/console/people/{person}/link"), &[])
        .await;
    let (_, rest) = given.text.split_once("/console/password/").unwrap();
    let second_link = rest.split('<').next().unwrap().to_owned();
    let fields = [
        ("email", "grace@example.org"),
        ("role", "operator"),
        ("account", ""),
    ];
    assert_eq!(ada.submit("/console/people", &fields).await.status, 200);
    let second = ada.cookie(SESSION).unwrap();
    assert_eq!(
        ada.submit("/console/you/sign-out-everywhere", &[])
            .await
            .status,
        303
    );
    let wrong = "a wrong password indeed";
    for _ in 0..3 {
        assert_eq!(ada.sign_in(ADA, wrong).await.status, 403);
    }
    assert_eq!(ada.sign_in("stranger@example.org", wrong).await.status, 403);
    sql(
        &site,
        "update console_attempts set whole_at = now() + interval '1 day'",
    )
    .await;
    assert_eq!(ada.sign_in(ADA, OTHER).await.status, 429);

    let operator = site.api.operator();
    let log = async || operator.get("/v1/audit?limit=200").await.expect(200);
    wait_for("the refusals to be written", async || {
        let refused = log().await.to_string();
        refused.contains("TOO_MANY_ATTEMPTS") && refused.contains("WRONG_PASSWORD")
    })
    .await;
    let log = log().await;
    let items = log["items"].as_array().unwrap();
    let done = items.iter().filter(|item| item["subject_type"] == "person");
    let done: Vec<(&str, &str)> = done
        .map(|item| {
            assert_eq!(item["actor"], format!("operator:{ADA}"));
            assert!(item["request_id"].is_string());
            let way = item["details"]["way"].as_str();
            (item["action"].as_str().unwrap(), way.unwrap_or_default())
        })
        .collect();
    assert_eq!(
        done,
        [
            ("PersonSignedOut", ""),
            ("PersonLinkIssued", ""),
            ("PersonAdded", ""),
            ("PersonLinkIssued", ""),
            ("PersonSignedIn", "change"),
            ("PersonPasswordSet", "change"),
            ("PersonSignedIn", "link"),
            ("PersonPasswordSet", "link"),
        ]
    );
    let refused = items.iter().filter(|item| item["outcome"] == "refused");
    for item in refused {
        assert_eq!(item["action"], "POST /console/sign-in", "{item}");
        assert_eq!(item["actor"], Value::Null);
        assert_eq!(item["network"], "127.0.0.0/24");
    }
    let path = "/v1/audit?outcome=refused&action=POST%20/console/sign-in";
    let asked = operator
        .get(&format!("{path}&subject_id={person}"))
        .await
        .expect(200);
    let codes = asked["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["code"]);
    assert!(
        codes.clone().any(|code| code == "TOO_MANY_ATTEMPTS"),
        "{asked}"
    );

    let (_, first_link) = link.rsplit_once('/').unwrap();
    let told = format!("{}\n{log}", site.api.log_text());
    for secret in [
        PASSWORD,
        OTHER,
        wrong,
        first_link,
        &second_link,
        &first,
        &second,
    ] {
        assert!(!told.contains(secret), "{secret} is told");
    }
}
