//! Given what happened, when something is asked, then this follows.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use chrono::{DateTime, TimeDelta, Utc};
use tollkeeper_domain::network::NetworkSet;
use tollkeeper_domain::quota::Quotas;
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_domain::secret::{Environment, SecretHash};
use tollkeeper_domain::token::{
    BadField, Change, Command, Issue, Lifecycle, Metadata, Refusal, RevocationReason, Rotate,
    Status, Token, TokenEvent, TokenIssued, TokenName, Validity, decide, evolve,
};
use tollkeeper_domain::{BrokenHistory, ids::TokenId};
use uuid::Uuid;

const ID: TokenId = TokenId(Uuid::from_u128(1));

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn issue(expires_at: Option<i64>) -> Command {
    Command::Issue(Box::new(Issue {
        token: TokenIssued {
            account_id: Uuid::from_u128(2).into(),
            name: TokenName::new("ci").unwrap(),
            environment: Environment::Live,
            token_prefix: "tk_live_aaaa".into(),
            secret_hash: SecretHash([1; 32]),
            scopes: ["read".parse().unwrap()].into_iter().collect(),
            metadata: Metadata::default(),
            not_before: None,
            expires_at: expires_at.map(at),
            allowed_cidrs: NetworkSet::default(),
            rate_limits: RateLimits::default(),
            quotas: Quotas::default(),
            issued_by: None,
        },
        longest: None,
    }))
}

fn rotate(hash: u8, grace: i64) -> Command {
    Command::Rotate(Rotate {
        token_prefix: format!("tk_live_{hash:04}"),
        secret_hash: SecretHash([hash; 32]),
        grace: TimeDelta::seconds(grace),
    })
}

fn rename(name: &str) -> Command {
    let name = Some(TokenName::new(name).unwrap());
    Command::Change(Box::new(Change {
        name,
        ..Change::default()
    }))
}

fn networks(texts: &[&str]) -> NetworkSet {
    let networks: Vec<_> = texts.iter().map(|text| text.parse().unwrap()).collect();
    networks.try_into().unwrap()
}

/// The token after these commands, each at its second.
fn given(commands: &[(i64, Command)]) -> Option<Token> {
    commands.iter().fold(None, |token, (second, command)| {
        let events = decide(token.as_ref(), command, at(*second)).unwrap();
        events.iter().fold(token, |token, event| {
            Some(evolve(token, ID, event, at(*second)).unwrap())
        })
    })
}

/// The names of the events that follow, or the refusal.
fn when(
    token: Option<&Token>,
    second: i64,
    command: &Command,
) -> Result<Vec<&'static str>, Refusal> {
    let events = decide(token, command, at(second))?;
    Ok(events
        .into_iter()
        .map(|event| tollkeeper_domain::event::Event::Token(event).name())
        .collect())
}

#[test]
fn issued_once() {
    assert_eq!(when(None, 0, &issue(None)), Ok(vec!["TokenIssued"]));
    let token = given(&[(0, issue(Some(10)))]);
    assert_eq!(when(token.as_ref(), 1, &issue(None)), Err(Refusal::Exists));
    let token = token.unwrap();
    assert_eq!(
        (token.version, token.created_at, token.updated_at),
        (1, at(0), at(0))
    );
    assert_eq!(token.status(at(9)), Status::Active);
    assert_eq!(token.status(at(10)), Status::Expired);
}

#[test]
fn issue_checks_the_validity() {
    assert_eq!(
        when(None, 10, &issue(Some(10))),
        Err(Refusal::Validity(BadField::ExpiryPast))
    );
}

#[test]
fn nothing_is_asked_of_what_is_not_there() {
    for command in [rename("x"), rotate(2, 0), Command::Suspend, Command::Resume] {
        assert_eq!(when(None, 0, &command), Err(Refusal::Unknown));
    }
}

#[test]
fn a_change_tells_only_what_changed() {
    let token = given(&[(0, issue(Some(100)))]);
    assert_eq!(when(token.as_ref(), 1, &rename("ci")), Ok(vec![]));
    let all = Command::Change(Box::new(Change {
        name: Some(TokenName::new("cd").unwrap()),
        scopes: Some([].into_iter().collect()),
        metadata: Some(
            Metadata::new(serde_json::Map::from_iter([("a".into(), 1.into())])).unwrap(),
        ),
        allowed_cidrs: Some(networks(&["192.0.2.0/24"])),
        expires_at: Some(Some(at(50))),
        ..Change::default()
    }));
    assert_eq!(
        when(token.as_ref(), 1, &all),
        Ok(vec![
            "TokenRenamed",
            "TokenScopesChanged",
            "TokenExpiryChanged",
            "TokenRestrictionsChanged",
            "TokenMetadataChanged"
        ])
    );
    let token = given(&[(0, issue(Some(100))), (1, all)]).unwrap();
    assert!(!token.restrictions.admit(Some([10, 0, 0, 1].into())));
    assert_eq!(
        (token.version, token.name.as_str(), token.scopes.len()),
        (6, "cd", 0)
    );
    assert_eq!(
        token.validity,
        Validity {
            not_before: None,
            expires_at: Some(at(50))
        }
    );
}

#[test]
fn a_rule_on_addresses_is_set_narrowed_and_lifted() {
    let bind = |texts: &[&str]| {
        Command::Change(Box::new(Change {
            allowed_cidrs: Some(networks(texts)),
            ..Change::default()
        }))
    };
    let rules = || bind(&["::1", "10.0.0.0/8", "::ffff:10.0.0.0/104"]);
    let restricted = Ok(vec!["TokenRestrictionsChanged"]);
    let free = given(&[(0, issue(None))]);
    assert_eq!(when(free.as_ref(), 1, &bind(&[])), Ok(vec![]));
    assert_eq!(when(free.as_ref(), 1, &rules()), restricted);
    let bound = given(&[(0, issue(None)), (1, rules())]);
    assert_eq!(
        when(bound.as_ref(), 2, &bind(&["10.0.0.0/8", "::1"])),
        Ok(vec![]),
        "the same in another form"
    );
    assert_eq!(when(bound.as_ref(), 2, &rename("ci")), Ok(vec![]));
    assert_eq!(when(bound.as_ref(), 2, &bind(&["::1"])), restricted);
    let at_home = |token: &Option<Token>, known: bool| {
        let client = [10, 9, 8, 7].into();
        token
            .as_ref()
            .unwrap()
            .restrictions
            .admit(known.then_some(client))
    };
    assert!(at_home(&bound, true) && !at_home(&bound, false));
    let narrowed = given(&[(0, issue(None)), (1, rules()), (2, bind(&["::1"]))]);
    assert!(!at_home(&narrowed, true));
    let lifted = given(&[(0, issue(None)), (1, rules()), (2, bind(&[]))]);
    assert!(at_home(&lifted, true) && at_home(&lifted, false));
    assert!(lifted.unwrap().restrictions.is_none());
}

#[test]
fn an_expired_token_can_be_prolonged_and_otherwise_renamed_but_not_rotated() {
    let token = given(&[(0, issue(Some(10)))]);
    assert_eq!(
        when(token.as_ref(), 11, &rename("old")),
        Ok(vec!["TokenRenamed"])
    );
    assert_eq!(
        when(token.as_ref(), 11, &rotate(2, 0)),
        Err(Refusal::Expired)
    );
    let prolong = Change {
        expires_at: Some(Some(at(90))),
        ..Change::default()
    };
    assert_eq!(
        when(token.as_ref(), 11, &Command::Change(Box::new(prolong))),
        Ok(vec!["TokenExpiryChanged"])
    );
}

#[test]
fn rotation_bounds_every_earlier_secret() {
    let token = given(&[(0, issue(None)), (10, rotate(2, 100)), (20, rotate(3, 5))]).unwrap();
    let ends: Vec<_> = token
        .secrets
        .iter()
        .map(|it| (it.hash.0[0], it.valid_until))
        .collect();
    assert_eq!(ends, [(1, Some(at(25))), (2, Some(at(25))), (3, None)]);
    let token = given(&[(0, issue(None)), (10, rotate(2, 5)), (20, rotate(3, 100))]).unwrap();
    let ends: Vec<_> = token
        .secrets
        .iter()
        .map(|it| (it.hash.0[0], it.valid_until))
        .collect();
    assert_eq!(ends, [(1, Some(at(15))), (2, Some(at(120))), (3, None)]);
    for grace in [-1, 604_801] {
        assert_eq!(
            when(Some(&token), 30, &rotate(4, grace)),
            Err(Refusal::Grace)
        );
    }
}

#[test]
fn suspending_and_resuming_twice_is_once() {
    let token = given(&[(0, issue(None))]);
    assert_eq!(when(token.as_ref(), 1, &Command::Resume), Ok(vec![]));
    let token = given(&[(0, issue(None)), (1, Command::Suspend)]);
    assert_eq!(token.as_ref().unwrap().status(at(2)), Status::Suspended);
    assert_eq!(when(token.as_ref(), 2, &Command::Suspend), Ok(vec![]));
    assert_eq!(
        when(token.as_ref(), 2, &rotate(2, 0)),
        Ok(vec!["TokenRotated"])
    );
    let token = given(&[
        (0, issue(None)),
        (1, Command::Suspend),
        (2, Command::Resume),
    ])
    .unwrap();
    assert_eq!(token.lifecycle, Lifecycle::Active);
}

#[test]
fn revoked_is_for_good() {
    let revoke = || Command::Revoke(RevocationReason::KeyCompromise);
    let token = given(&[(0, issue(None)), (1, Command::Suspend), (2, revoke())]);
    for command in [rename("x"), rotate(2, 0), Command::Suspend, Command::Resume] {
        assert_eq!(when(token.as_ref(), 3, &command), Err(Refusal::Revoked));
    }
    assert_eq!(when(token.as_ref(), 3, &revoke()), Ok(vec![]));
    let token = token.unwrap();
    assert_eq!(
        token.revocation_reason,
        Some(RevocationReason::KeyCompromise)
    );
    assert_eq!(token.revoked_at, Some(at(2)));
}

#[test]
fn a_damaged_history_is_noticed() {
    let suspended = decide(
        given(&[(0, issue(None))]).as_ref(),
        &Command::Suspend,
        at(1),
    )
    .unwrap();
    assert_eq!(
        evolve(None, ID, &suspended[0], at(1)),
        Err(BrokenHistory::NotBegun(ID.0))
    );
    let token = given(&[(0, issue(None))]);
    let TokenEvent::Issued(issued) = &decide(None, &issue(None), at(0)).unwrap()[0] else {
        unreachable!("an issue begins with TokenIssued")
    };
    let again = TokenEvent::Issued(issued.clone());
    assert_eq!(
        evolve(token, ID, &again, at(1)),
        Err(BrokenHistory::BegunTwice(ID.0))
    );
}

#[test]
fn an_imported_token_is_a_token_like_any_other() {
    let Command::Issue(inner) = issue(None) else {
        panic!("not an issue")
    };
    let import = Command::Import(inner);
    assert_eq!(when(None, 0, &import), Ok(vec!["TokenImported"]));
    let imported = given(&[(0, import.clone())]);
    assert_eq!(imported, given(&[(0, issue(None))]));
    assert_eq!(when(imported.as_ref(), 1, &import), Err(Refusal::Exists));
    assert_eq!(
        when(imported.as_ref(), 1, &rotate(2, 0)),
        Ok(vec!["TokenRotated"])
    );
}

#[test]
fn a_near_expiry_is_told_once_for_each_notice() {
    const DAY: i64 = 86_400;
    let tell = || Command::AnnounceExpiry;
    let issued = given(&[(0, issue(Some(100 * DAY)))]);
    let told =
        |commands: &[(i64, Command)], second| when(given(commands).as_ref(), second, &tell());
    assert_eq!(when(issued.as_ref(), 0, &tell()), Ok(vec![]));
    let mut history = vec![(0, issue(Some(100 * DAY)))];
    for second in [70 * DAY, 93 * DAY, 99 * DAY] {
        assert_eq!(told(&history, second), Ok(vec!["TokenExpiring"]));
        history.push((second, tell()));
        assert_eq!(told(&history, second + 1), Ok(vec![]));
    }
    assert_eq!(told(&history, 100 * DAY), Ok(vec![]), "it has expired");
    let later = Change {
        expires_at: Some(Some(at(200 * DAY))),
        ..Change::default()
    };
    history.push((99 * DAY, Command::Change(Box::new(later))));
    assert_eq!(told(&history, 99 * DAY), Ok(vec![]));
    assert_eq!(
        told(&history, 195 * DAY),
        Ok(vec!["TokenExpiring"]),
        "told anew"
    );
    assert_eq!(told(&[(0, issue(None))], 0), Ok(vec![]), "it never expires");
    assert_eq!(
        told(&[(0, issue(Some(5 * DAY)))], 1),
        Ok(vec![]),
        "it never had a week"
    );
    assert_eq!(
        told(&[(0, issue(Some(5 * DAY)))], 4 * DAY),
        Ok(vec!["TokenExpiring"])
    );
    let missed = given(&[(0, issue(Some(100 * DAY))), (99 * DAY, tell())]).unwrap();
    assert_eq!((missed.expiry_notice, missed.version), (Some(1), 2));
    let revoke = Command::Revoke(RevocationReason::Leaked);
    assert_eq!(
        told(&[(0, issue(Some(100 * DAY))), (1, revoke)], 99 * DAY),
        Ok(vec![])
    );
}

#[test]
fn rate_limits_are_set_changed_and_lifted_apart_from_networks() {
    let limits = |units| -> RateLimits {
        let limit = serde_json::json!({"name": "a", "limit": units, "window_seconds": 60});
        serde_json::from_value(serde_json::json!([limit])).unwrap()
    };
    let change = |allowed_cidrs, rate_limits| {
        Command::Change(Box::new(Change {
            allowed_cidrs,
            rate_limits,
            ..Change::default()
        }))
    };
    let limit = |to: RateLimits| change(None, Some(to));
    let restricted = Ok(vec!["TokenRestrictionsChanged"]);
    let free = given(&[(0, issue(None))]);
    let none = RateLimits::default();
    assert_eq!(when(free.as_ref(), 1, &limit(none.clone())), Ok(vec![]));
    assert_eq!(when(free.as_ref(), 1, &limit(limits(10))), restricted);
    let limited = [
        (0, issue(None)),
        (1, limit(limits(10))),
        (2, change(Some(networks(&["::1"])), None)),
    ];
    let bound = given(&limited);
    assert_eq!(when(bound.as_ref(), 3, &limit(limits(10))), Ok(vec![]));
    assert_eq!(when(bound.as_ref(), 3, &limit(limits(11))), restricted);
    let restrictions = bound.unwrap().restrictions;
    assert_eq!(restrictions.rate_limits, limits(10));
    assert_eq!(restrictions.allowed_cidrs, networks(&["::1"]));
    let lifted = [&limited[..], &[(3, limit(none))]].concat();
    let restrictions = given(&lifted).unwrap().restrictions;
    assert!(restrictions.rate_limits.is_empty() && !restrictions.is_none());
}
