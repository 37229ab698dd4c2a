use serde_json::{Value, json};

use super::*;

fn told(position: i64, name: &str, payload: Value) -> Told {
    Told {
        position,
        event_id: Uuid::from_u128(position.unsigned_abs().into()),
        stream_type: Kind::Token,
        stream_id: Uuid::nil(),
        account_id: Uuid::nil(),
        name: name.to_owned(),
        payload,
        actor: "operator:test".to_owned(),
        recorded_at: DateTime::UNIX_EPOCH,
    }
}

/// What is to be done about a history of events of these names, and because of which.
fn wanted(read: fn(&[&Told]) -> Vec<Finding>, names: &[&str]) -> Vec<(What, String)> {
    let events: Vec<Told> = (1..)
        .zip(names)
        .map(|(position, name)| told(position, name, json!({})))
        .collect();
    let found = read(&events.iter().collect::<Vec<_>>()).into_iter();
    found.map(|it| (it.what, it.event.name)).collect()
}

fn of(what: What, name: &str) -> (What, String) {
    (what, name.to_owned())
}

#[test]
fn a_token_is_denied_again_as_it_was_in_the_end() {
    for (names, expected) in [
        (
            &["TokenSuspended", "TokenRevoked"][..],
            vec![of(What::Revoke, "TokenRevoked")],
        ),
        (
            &["TokenResumed", "TokenSuspended"],
            vec![of(What::Suspend, "TokenSuspended")],
        ),
        (
            &["TokenSuspended", "TokenResumed"],
            vec![of(What::Look, "TokenResumed")],
        ),
        (
            &[
                "TokenRotated",
                "TokenScopesChanged",
                "TokenRotated",
                "TokenExpiring",
            ],
            vec![
                of(What::Look, "TokenScopesChanged"),
                of(What::Look, "TokenRotated"),
            ],
        ),
        (
            &["TokenIssued", "TokenRevoked"],
            vec![of(What::Gone, "TokenIssued")],
        ),
        (&["TokenExpiring"], vec![]),
    ] {
        assert_eq!(wanted(of_token, names), expected, "{names:?}");
    }
}

#[test]
fn what_ended_with_its_account_is_found_with_the_account() {
    let event = told(1, "TokenRevoked", json!({ "reason": "account_deleted" }));
    assert!(of_token(&[&event]).is_empty());
    let names = ["AccountSuspended", "AccountDeleted"];
    let expected = [of(What::Delete, "AccountDeleted")];
    assert_eq!(wanted(of_account, &names), expected);
    let names = ["AccountChanged", "AccountSuspended"];
    let expected = [
        of(What::Look, "AccountChanged"),
        of(What::Suspend, "AccountSuspended"),
    ];
    assert_eq!(wanted(of_account, &names), expected);
}

#[test]
fn what_was_done_again_is_left_out() {
    let both = || {
        let events = [
            told(1, "TokenSuspended", json!({})),
            told(2, "TokenRotated", json!({})),
        ];
        of_token(&events.iter().collect::<Vec<_>>())
    };
    let left = |state| -> Vec<What> {
        let left = still_wanted(both(), state).into_iter();
        left.map(|it| it.what).collect()
    };
    assert_eq!(left(State::Works), [What::Suspend, What::Look]);
    assert_eq!(left(State::Rests), [What::Look]);
    assert_eq!(left(State::Ended), []);
    assert_eq!(left(State::Absent), [What::Gone]);
}
