//! What no page costs: reading a table, or sorting more than it shows.

use chrono::TimeDelta;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::audit::{AuditFilter, list, plan};
use tollkeeper_testkit::TestDatabase;
use uuid::Uuid;

use crate::log::{account, beginning, everything, fill};

/// Enough for the planner to mind reading all of them.
const EVENTS: i64 = 60_000;

const PAGE: i64 = 51;

#[tokio::test]
async fn every_page_is_read_by_an_index_and_no_further_than_it_goes() {
    let database = TestDatabase::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    fill(&mut db, EVENTS).await;
    let text = |text: &str| Some(text.to_owned());
    let rare = text("operator:rare");
    for (filter, reach, indexes) in [
        (
            everything(),
            Reach::All,
            &[
                "events_pkey",
                "audit_entries_recorded",
                "audit_refusals_first",
            ][..],
        ),
        (
            AuditFilter {
                actor: rare.clone(),
                ..everything()
            },
            Reach::All,
            &[
                "events_actor",
                "audit_entries_actor",
                "audit_refusals_actor",
            ],
        ),
        (
            AuditFilter {
                action: text("TokenRevoked"),
                ..everything()
            },
            Reach::All,
            &["events_type"],
        ),
        (
            AuditFilter {
                action: text("WebhookDeleted"),
                ..everything()
            },
            Reach::All,
            &["audit_entries_action"],
        ),
        (
            AuditFilter {
                action: text("DELETE /v1/tokens/{id}"),
                ..everything()
            },
            Reach::All,
            &["audit_refusals_operation"],
        ),
        (
            AuditFilter {
                subject: Some(Uuid::from_u128(77)),
                ..everything()
            },
            Reach::All,
            &[
                "events_stream_version_key",
                "audit_entries_subject",
                "audit_refusals_subject",
            ],
        ),
        (
            everything(),
            Reach::Account(account(2)),
            &[
                "events_account",
                "audit_entries_account",
                "audit_refusals_account",
            ],
        ),
    ] {
        let first = plan(&mut db, reach, &filter, None, PAGE).await.unwrap();
        for index in indexes {
            assert!(first.contains(index), "{filter:?}: no {index}:\n{first}");
        }
        let page = list(&mut db, reach, &filter, None, PAGE).await.unwrap();
        let last = page.last().map(|row| row.place());
        let next = plan(&mut db, reach, &filter, last, PAGE).await.unwrap();
        for plan in [first, next] {
            assert!(!plan.contains("Seq Scan"), "{filter:?}:\n{plan}");
        }
    }
    // Also in the middle, and with an end in time.
    let until = Some(beginning() + TimeDelta::seconds(EVENTS / 6));
    let middle = AuditFilter {
        until,
        ..everything()
    };
    let plan = plan(&mut db, Reach::All, &middle, None, PAGE)
        .await
        .unwrap();
    assert!(
        !plan.contains("Seq Scan") && plan.contains("events_pkey"),
        "{plan}"
    );
}
