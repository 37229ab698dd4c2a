//! What becomes of the balances of a token's quotas, by what is asked of the token.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tollkeeper_domain::event::Event;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::network::NetworkSet;
use tollkeeper_domain::quota::{NewQuotas, Quotas};
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_domain::scope::ScopeSet;
use tollkeeper_domain::secret::{Environment, SecretHash};
use tollkeeper_domain::token::{
    Change, Command, Issue, Metadata, Refusal, RevocationReason, Rotate, Token, TokenIssued,
    TokenName, decide, evolve,
};
use uuid::Uuid;

const ID: TokenId = TokenId(Uuid::from_u128(1));
const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// Quotas of these names, limits and refills.
fn asked(quotas: &[(&str, u64, &str)]) -> NewQuotas {
    let quota = |(name, limit, refill): &(_, _, _)| {
        let quota = json!({"name": name, "limit": limit, "refill": refill});
        serde_json::from_value(quota).unwrap()
    };
    let quotas: Vec<_> = quotas.iter().map(quota).collect();
    quotas.try_into().unwrap()
}

fn issued(quotas: Quotas) -> Box<Issue> {
    Box::new(Issue {
        token: TokenIssued {
            account_id: Uuid::from_u128(2).into(),
            name: TokenName::new("ci").unwrap(),
            environment: Environment::Live,
            token_prefix: "tk_live_aaaa".into(),
            secret_hash: SecretHash([1; 32]),
            scopes: ScopeSet::default(),
            metadata: Metadata::default(),
            not_before: None,
            expires_at: None,
            allowed_cidrs: NetworkSet::default(),
            rate_limits: RateLimits::default(),
            quotas,
            issued_by: None,
        },
        longest: None,
    })
}

fn issue(quotas: &[(&str, u64, &str)]) -> Command {
    Command::Issue(issued(asked(quotas).into()))
}

fn change(quotas: &[(&str, u64, &str)]) -> Command {
    Command::Change(Box::new(Change {
        quotas: Some(asked(quotas)),
        ..Change::default()
    }))
}

fn refill(name: &str) -> Command {
    Command::RefillQuota(name.into())
}

fn given(commands: &[Command]) -> Option<Token> {
    commands.iter().fold(None, |token, command| {
        let events = decide(token.as_ref(), command, NOW).unwrap();
        events.iter().fold(token, |token, event| {
            Some(evolve(token, ID, event, NOW).unwrap())
        })
    })
}

fn when(given: &[Command], command: &Command) -> Result<Vec<&'static str>, Refusal> {
    let events = decide(self::given(given).as_ref(), command, NOW)?;
    let names = events.into_iter().map(|event| Event::Token(event).name());
    Ok(names.collect())
}

/// The generations of the token's quotas by their names, and the greatest that there ever was.
fn generations(commands: &[Command]) -> (Vec<(String, u32)>, u32) {
    let token = given(commands).unwrap();
    let quotas = token.restrictions.quotas.iter();
    let generations = quotas.map(|quota| (quota.name.to_string(), quota.generation));
    (generations.collect(), token.quota_generation)
}

fn named(generations: &[(&str, u32)]) -> Vec<(String, u32)> {
    let owned = generations
        .iter()
        .map(|(name, it)| ((*name).to_owned(), *it));
    owned.collect()
}

#[test]
fn an_issued_and_an_imported_token_begin_with_the_first_balances() {
    let quotas = [("day", 5, "daily"), ("all", 9, "none")];
    let first = (named(&[("all", 1), ("day", 2)]), 2);
    assert_eq!(generations(&[issue(&quotas)]), first);
    let import = Command::Import(issued(asked(&quotas).into()));
    assert_eq!(generations(&[import]), first);
    assert_eq!(generations(&[issue(&[])]), (vec![], 0));
}

#[test]
fn another_limit_keeps_what_was_used_and_another_refill_does_not() {
    let begin = issue(&[("a", 5, "daily")]);
    assert_eq!(
        when(std::slice::from_ref(&begin), &change(&[("a", 5, "daily")])),
        Ok(vec![])
    );
    for (to, generation) in [
        (("a", 6, "daily"), 1),
        (("a", 5, "monthly"), 2),
        (("a", 5, "none"), 2),
    ] {
        assert_eq!(
            when(std::slice::from_ref(&begin), &change(&[to])),
            Ok(vec!["TokenRestrictionsChanged"])
        );
        assert_eq!(
            generations(&[begin.clone(), change(&[to])]),
            (named(&[("a", generation)]), generation),
        );
    }
}

#[test]
fn no_generation_comes_twice() {
    let a = [("a", 5, "none")];
    let history = [
        issue(&a),
        refill("a"),
        change(&[]),
        change(&a),
        change(&[("a", 5, "daily"), ("b", 1, "none")]),
        refill("a"),
    ];
    let after = |count| generations(&history[..count]);
    assert_eq!(after(2), (named(&[("a", 2)]), 2));
    assert_eq!(after(3), (vec![], 2));
    assert_eq!(after(4), (named(&[("a", 3)]), 3));
    assert_eq!(after(5), (named(&[("a", 4), ("b", 5)]), 5));
    assert_eq!(after(6), (named(&[("a", 6), ("b", 5)]), 6));
}

#[test]
fn a_refill_is_told_by_itself_and_only_of_a_quota_that_is_there() {
    let begin = [issue(&[("a", 5, "none")])];
    assert_eq!(when(&begin, &refill("a")), Ok(vec!["TokenQuotaRefilled"]));
    assert_eq!(when(&begin, &refill("b")), Err(Refusal::NoSuchQuota));
    assert_eq!(when(&[], &refill("a")), Err(Refusal::Unknown));
    let revoke = Command::Revoke(RevocationReason::Unspecified);
    let revoked = [&begin[..], &[revoke]].concat();
    assert_eq!(when(&revoked, &refill("a")), Err(Refusal::Revoked));
    let suspended = [&begin[..], &[Command::Suspend]].concat();
    assert_eq!(
        when(&suspended, &refill("a")),
        Ok(vec!["TokenQuotaRefilled"])
    );
}

#[test]
fn a_new_secret_and_other_restrictions_leave_the_balances_alone() {
    let rotate = Command::Rotate(Rotate {
        token_prefix: "tk_live_bbbb".into(),
        secret_hash: SecretHash([2; 32]),
        grace: TimeDelta::zero(),
    });
    let bind = Command::Change(Box::new(Change {
        allowed_cidrs: Some(vec!["::1".parse().unwrap()].try_into().unwrap()),
        ..Change::default()
    }));
    let history = [issue(&[("a", 5, "none")]), refill("a"), rotate, bind];
    assert_eq!(generations(&history), (named(&[("a", 2)]), 2));
    let restrictions = given(&history).unwrap().restrictions;
    assert!(!restrictions.allowed_cidrs.is_any() && !restrictions.is_none());
}
