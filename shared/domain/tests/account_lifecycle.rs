//! Given what happened, when something is asked, then this follows.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use chrono::DateTime;
use tollkeeper_domain::account::{
    Account, AccountRegistered, Command, Identity, Lifecycle, Refusal, Role, decide, evolve,
};
use tollkeeper_domain::event::Event;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::quota::{NewQuotas, Quotas};
use tollkeeper_domain::rate_limit::RateLimits;
use uuid::Uuid;

const ID: AccountId = AccountId(Uuid::from_u128(1));

fn register(external_id: &str) -> Command {
    Command::Register(AccountRegistered {
        external_id: Some(external_id.to_owned()),
        identity: None,
        role: Role::User,
        token_limit: None,
        rate_limits: RateLimits::default(),
        quotas: Quotas::default(),
    })
}

fn given(commands: &[Command]) -> Option<Account> {
    commands.iter().fold(None, |account, command| {
        let events = decide(account.as_ref(), command).unwrap();
        events.iter().fold(account, |account, event| {
            Some(evolve(account, ID, event, DateTime::UNIX_EPOCH).unwrap())
        })
    })
}

fn when(account: Option<&Account>, command: &Command) -> Result<Vec<&'static str>, Refusal> {
    let events = decide(account, command)?;
    Ok(events
        .into_iter()
        .map(|event| Event::Account(event).name())
        .collect())
}

#[test]
fn registered_once() {
    assert_eq!(when(None, &register("acme")), Ok(vec!["AccountRegistered"]));
    let account = given(&[register("acme")]);
    assert_eq!(
        when(account.as_ref(), &register("acme")),
        Err(Refusal::Exists)
    );
    assert_eq!(when(None, &Command::Suspend), Err(Refusal::Unknown));
}

#[test]
fn names_have_a_form() {
    for bad in ["", "a\nb", &"x".repeat(256)] {
        assert_eq!(when(None, &register(bad)), Err(Refusal::Name));
        let change = Command::Change {
            external_id: Some(Some(bad.into())),
            role: None,
            token_limit: None,
            rate_limits: None,
            quotas: None,
            profile_changes: false,
        };
        assert_eq!(
            when(given(&[register("a")]).as_ref(), &change),
            Err(Refusal::Name)
        );
    }
    let by_jwt = Command::Register(AccountRegistered {
        external_id: None,
        identity: Some(Identity {
            issuer: "https://id".into(),
            subject: String::new(),
        }),
        role: Role::User,
        token_limit: None,
        rate_limits: RateLimits::default(),
        quotas: Quotas::default(),
    });
    assert_eq!(when(None, &by_jwt), Err(Refusal::Name));
}

#[test]
fn a_change_that_changes_nothing_is_no_event() {
    let account = given(&[register("acme")]);
    let change = |external_id, role| Command::Change {
        external_id,
        role,
        token_limit: None,
        rate_limits: None,
        quotas: None,
        profile_changes: false,
    };
    assert_eq!(
        when(account.as_ref(), &change(Some(Some("acme".into())), None)),
        Ok(vec![])
    );
    assert_eq!(
        when(account.as_ref(), &change(Some(None), None)),
        Ok(vec!["AccountChanged"])
    );
    let account = given(&[register("acme"), change(None, Some(Role::System))]).unwrap();
    assert_eq!(
        (account.role, account.external_id.as_deref()),
        (Role::System, Some("acme"))
    );
}

#[test]
fn personal_data_changes_the_version_and_is_not_told() {
    let account = given(&[register("acme")]);
    let change = Command::Change {
        external_id: None,
        role: None,
        token_limit: None,
        rate_limits: None,
        quotas: None,
        profile_changes: true,
    };
    assert_eq!(when(account.as_ref(), &change), Ok(vec!["AccountChanged"]));
    let after = given(&[register("acme"), change]).unwrap();
    assert_eq!(
        (after.version, after.external_id.as_deref()),
        (2, Some("acme"))
    );
}

#[test]
fn suspended_resumed_deleted() {
    let suspended = given(&[register("acme"), Command::Suspend]);
    assert_eq!(when(suspended.as_ref(), &Command::Suspend), Ok(vec![]));
    assert_eq!(
        when(suspended.as_ref(), &Command::Resume),
        Ok(vec!["AccountResumed"])
    );
    let deleted = given(&[register("acme"), Command::Suspend, Command::Delete]);
    assert_eq!(deleted.as_ref().unwrap().lifecycle, Lifecycle::Deleted);
    assert_eq!(when(deleted.as_ref(), &Command::Delete), Ok(vec![]));
    for command in [Command::Suspend, Command::Resume, register("acme")] {
        assert!(when(deleted.as_ref(), &command).is_err());
    }
    assert_eq!(
        when(deleted.as_ref(), &Command::Resume),
        Err(Refusal::Deleted)
    );
}

#[test]
fn a_limit_of_its_own_is_set_and_taken_back() {
    let limit = |token_limit| Command::Change {
        external_id: None,
        role: None,
        token_limit: Some(token_limit),
        rate_limits: None,
        quotas: None,
        profile_changes: false,
    };
    let account = given(&[register("acme"), limit(Some(3))]);
    assert_eq!(account.as_ref().unwrap().token_limit, Some(3));
    assert_eq!(when(account.as_ref(), &limit(Some(3))), Ok(vec![]));
    let account = given(&[register("acme"), limit(Some(3)), limit(None)]).unwrap();
    assert_eq!((account.token_limit, account.version), (None, 3));
}

#[test]
fn rate_limits_are_set_and_lifted() {
    let limits: RateLimits = serde_json::from_value(serde_json::json!([
        {"name": "requests", "limit": 1000, "window_seconds": 60},
    ]))
    .unwrap();
    let change = |to: &RateLimits| Command::Change {
        external_id: None,
        role: None,
        token_limit: None,
        rate_limits: Some(to.clone()),
        quotas: None,
        profile_changes: false,
    };
    let account = given(&[register("acme"), change(&limits)]);
    assert_eq!(account.as_ref().unwrap().rate_limits, limits);
    assert_eq!(when(account.as_ref(), &change(&limits)), Ok(vec![]));
    let none = RateLimits::default();
    let account = given(&[register("acme"), change(&limits), change(&none)]).unwrap();
    assert_eq!((account.rate_limits, account.version), (none, 3));
}

#[test]
fn quotas_keep_their_balance_until_they_are_refilled_or_made_anew() {
    let quotas = |text: &str| -> NewQuotas {
        let quotas: Vec<_> = serde_json::from_str(text).unwrap();
        quotas.try_into().unwrap()
    };
    let change = |text: &str| Command::Change {
        external_id: None,
        role: None,
        token_limit: None,
        rate_limits: None,
        quotas: Some(quotas(text)),
        profile_changes: false,
    };
    let refill = |name: &str| Command::RefillQuota(name.into());
    let (ten, eleven) = (
        r#"[{"name": "month", "limit": 10, "refill": "monthly"}]"#,
        r#"[{"name": "month", "limit": 11, "refill": "monthly"}]"#,
    );
    let generation = |commands: &[Command]| {
        let account = given(&[&[register("acme")], commands].concat()).unwrap();
        let quota = account.quotas.get("month").map(|it| it.generation);
        (quota, account.quota_generation)
    };
    let account = given(&[register("acme"), change(ten)]);
    assert_eq!(when(account.as_ref(), &change(ten)), Ok(vec![]));
    assert_eq!(
        when(account.as_ref(), &refill("month")),
        Ok(vec!["AccountQuotaRefilled"])
    );
    assert_eq!(
        when(account.as_ref(), &refill("day")),
        Err(Refusal::NoSuchQuota)
    );
    assert_eq!(generation(&[change(ten), change(eleven)]), (Some(1), 1));
    assert_eq!(
        generation(&[change(ten), refill("month"), change(eleven)]),
        (Some(2), 2)
    );
    let anew = [change(ten), refill("month"), change("[]"), change(ten)];
    assert_eq!(generation(&anew[..3]), (None, 2));
    assert_eq!(generation(&anew), (Some(3), 3));

    let deleted = given(&[register("acme"), change(ten), Command::Delete]);
    assert_eq!(
        when(deleted.as_ref(), &refill("month")),
        Err(Refusal::Deleted)
    );
    let Command::Register(mut registered) = register("acme") else {
        panic!("it registers");
    };
    registered.quotas = quotas(ten).into();
    let account = given(&[Command::Register(registered), refill("month")]).unwrap();
    assert_eq!(
        (account.quotas.newest_generation(), account.version),
        (2, 2)
    );
}
