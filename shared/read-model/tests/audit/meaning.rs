//! What is told.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::audit::{AuditFilter, AuditRow, Outcome, Source, list};
use tollkeeper_testkit::TestDatabase;
use uuid::Uuid;

use crate::log::{account, beginning, everything, fill};

const EVENTS: i64 = 1200;

/// All of it, without any question to the database but one.
async fn all(db: &mut PgConnection) -> Vec<AuditRow> {
    let mut rows = list(db, Reach::All, &everything(), None, i64::MAX)
        .await
        .unwrap();
    let sources = |source| rows.iter().filter(|it| it.source() == source).count();
    assert_eq!(sources(Source::Event), 1200);
    assert_eq!(sources(Source::Entry), 120);
    assert_eq!(sources(Source::Refusal), 120);
    // As it is to be, and not as it came.
    rows.sort_by_key(|row| {
        let place = row.place();
        std::cmp::Reverse((place.at, place.source, place.number))
    });
    rows
}

/// Whether the row is meant, told in another way than the statement does.
fn is_meant(row: &AuditRow, reach: Reach, filter: &AuditFilter) -> bool {
    let account = row.account_id.map(Into::into);
    let is_within = match reach {
        Reach::All => true,
        Reach::Account(own) => account == Some(own),
    };
    is_within
        && filter
            .actor
            .as_ref()
            .is_none_or(|it| row.actor.as_ref() == Some(it))
        && filter
            .action
            .as_ref()
            .is_none_or(|it| row.action.as_ref() == Some(it))
        && filter.outcome.is_none_or(|it| row.outcome() == it)
        && filter.account.is_none_or(|it| account == Some(it))
        && filter.subject.is_none_or(|it| row.subject_id == Some(it))
        && row.at >= filter.since
        && filter.until.is_none_or(|it| row.at < it)
}

fn questions() -> Vec<AuditFilter> {
    let text = |text: &str| Some(text.to_owned());
    let at = |seconds| beginning() + TimeDelta::seconds(seconds);
    let mut questions = vec![everything()];
    for actor in ["operator:rare", "operator:usual", "nobody"] {
        questions.push(AuditFilter {
            actor: text(actor),
            ..everything()
        });
    }
    for action in [
        "TokenRevoked",
        "TokenIssued",
        "WebhookDeleted",
        "GET /v1/tokens",
        "DELETE /v1/tokens/{id}",
        "Unheard",
    ] {
        questions.push(AuditFilter {
            action: text(action),
            ..everything()
        });
    }
    for outcome in [Outcome::Allowed, Outcome::Refused] {
        let actor = text("operator:usual");
        let outcome = Some(outcome);
        questions.push(AuditFilter {
            outcome,
            ..everything()
        });
        questions.push(AuditFilter {
            outcome,
            actor,
            ..everything()
        });
        let action = text("GET /v1/tokens");
        questions.push(AuditFilter {
            outcome,
            action,
            ..everything()
        });
    }
    for number in [2, 7, 5000] {
        let subject = Some(Uuid::from_u128(number));
        questions.push(AuditFilter {
            subject,
            ..everything()
        });
        let account = Some(account(number));
        questions.push(AuditFilter {
            account,
            ..everything()
        });
    }
    // Moments of lines, between them, and beyond them.
    for (since, until) in [
        (0, 400),
        (13, 14),
        (100, 101),
        (399, 500),
        (-9, 0),
        (13, 13),
    ] {
        let (since, until) = (at(since), Some(at(until)));
        questions.push(AuditFilter {
            since,
            until,
            ..everything()
        });
        let since = since + TimeDelta::microseconds(1);
        questions.push(AuditFilter {
            since,
            until,
            ..everything()
        });
    }
    questions
}

#[tokio::test]
async fn pages_put_together_are_what_was_asked_for() {
    let database = TestDatabase::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    fill(&mut db, EVENTS).await;
    let all = all(&mut db).await;
    for filter in questions() {
        for reach in [Reach::All, Reach::Account(account(2))] {
            let meant: Vec<&AuditRow> = all
                .iter()
                .filter(|row| is_meant(row, reach, &filter))
                .collect();
            // Few to a page, where there are not too many of them; and all at once.
            let few = i64::try_from(meant.len() / 40 + 3).unwrap();
            for limit in [few, 100_000] {
                let (mut told, mut after) = (Vec::new(), None);
                loop {
                    let page = list(&mut db, reach, &filter, after, limit).await.unwrap();
                    let Some(last) = page.last() else { break };
                    after = Some(last.place());
                    told.extend(page);
                }
                let told: Vec<&AuditRow> = told.iter().collect();
                assert_eq!(told, meant, "{filter:?} {reach:?} {limit}");
            }
        }
    }
}

#[tokio::test]
async fn a_moment_is_found_in_the_log_by_halving() {
    let database = TestDatabase::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    let before = async |db: &mut PgConnection, moment: DateTime<Utc>| {
        let found = sqlx::query_as::<_, (i64, i64)>(
            "select events_before($1), (select count(*) from events where recorded_at < $1)",
        );
        found.bind(moment).fetch_one(db).await.unwrap()
    };
    assert_eq!(before(&mut db, beginning()).await, (0, 0));
    for events in [1, 2, 3, 64, 200] {
        for statement in [
            "truncate audit_entries, audit_refusals",
            "alter table events disable trigger user",
            "truncate events",
        ] {
            sqlx::query(statement).execute(&mut *db).await.unwrap();
        }
        fill(&mut db, events).await;
        for second in -1..=70 {
            let moment = beginning() + TimeDelta::seconds(second);
            let (found, counted) = before(&mut db, moment).await;
            assert_eq!(found, counted, "{events} events, second {second}");
        }
    }
}
