use serde_json::{Value, json};

use super::*;

fn scopes(list: &[&str]) -> ScopeSet {
    list.iter().map(|scope| scope.parse().unwrap()).collect()
}

fn until(seconds: Option<i64>) -> Validity {
    let expires_at = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    Validity {
        not_before: None,
        expires_at,
    }
}

fn beyond(scope: &str) -> Result<(), Beyond> {
    Err(Beyond::Scope(scope.parse().unwrap()))
}

#[test]
fn a_token_hands_on_nothing_beyond_its_own() {
    let caller = Authority::Token {
        scopes: scopes(&["orders:*", "tollkeeper:tokens.write"]),
        expires_at: DateTime::from_timestamp(100, 0),
        environment: Environment::Live,
        restrictions: Restrictions::default(),
    };
    let reach = |list: &[&str], end, environment| {
        caller.reaches(Extent {
            scopes: &scopes(list),
            validity: &until(end),
            environment,
            restrictions: &Restrictions::default(),
        })
    };
    assert_eq!(
        reach(&["orders:read"], Some(100), Environment::Live),
        Ok(())
    );
    assert_eq!(reach(&[], Some(1), Environment::Live), Ok(()));
    assert_eq!(
        reach(&["users:read"], Some(1), Environment::Live),
        beyond("users:read")
    );
    assert_eq!(
        reach(&[], Some(101), Environment::Live),
        Err(Beyond::Expiry)
    );
    assert_eq!(reach(&[], None, Environment::Live), Err(Beyond::Expiry));
    assert_eq!(
        reach(&[], Some(1), Environment::Test),
        Err(Beyond::Environment)
    );
}

#[test]
fn a_token_bound_to_networks_hands_on_no_others() {
    let bound = |texts: &[&str]| {
        let networks: Vec<_> = texts.iter().map(|text| text.parse().unwrap()).collect();
        Restrictions {
            allowed_cidrs: networks.try_into().unwrap(),
            ..Restrictions::default()
        }
    };
    let reach = |own: &[&str], wanted: &[&str]| {
        let caller = Authority::Token {
            scopes: ScopeSet::default(),
            expires_at: None,
            environment: Environment::Live,
            restrictions: bound(own),
        };
        assert_eq!(caller.inherited_networks(), bound(own).allowed_cidrs);
        caller.reaches(Extent {
            scopes: &ScopeSet::default(),
            validity: &Validity::default(),
            environment: Environment::Live,
            restrictions: &bound(wanted),
        })
    };
    assert_eq!(reach(&[], &[]), Ok(()));
    assert_eq!(reach(&[], &["10.0.0.0/8"]), Ok(()));
    assert_eq!(reach(&["10.0.0.0/8"], &["10.1.0.0/16", "10.2.3.4"]), Ok(()));
    assert_eq!(reach(&["10.0.0.0/8"], &[]), Err(Beyond::Networks));
    assert_eq!(
        reach(&["10.0.0.0/8"], &["10.1.0.0/16", "::1"]),
        Err(Beyond::Networks)
    );
}

#[test]
fn a_limited_token_hands_on_no_more_than_it_may_do() {
    let limited = |limits: Value| Restrictions {
        rate_limits: serde_json::from_value(limits).unwrap(),
        ..Restrictions::default()
    };
    let reach = |own: Value, wanted: Value| {
        let caller = Authority::Token {
            scopes: ScopeSet::default(),
            expires_at: None,
            environment: Environment::Live,
            restrictions: limited(own.clone()),
        };
        assert_eq!(caller.inherited_rate_limits(), limited(own).rate_limits);
        caller.reaches(Extent {
            scopes: &ScopeSet::default(),
            validity: &Validity::default(),
            environment: Environment::Live,
            restrictions: &limited(wanted),
        })
    };
    let ten = json!([{"name": "a", "limit": 10, "window_seconds": 1}]);
    let both = json!([ten[0], {"name": "b", "limit": 1, "window_seconds": 60}]);
    let more = json!([{"name": "a", "limit": 11, "window_seconds": 1, "burst": 10}]);
    assert_eq!(reach(json!([]), json!([])), Ok(()));
    assert_eq!(reach(json!([]), ten.clone()), Ok(()));
    assert_eq!(reach(ten.clone(), ten.clone()), Ok(()));
    assert_eq!(reach(ten.clone(), both.clone()), Ok(()));
    assert_eq!(reach(both, ten.clone()), Err(Beyond::RateLimits));
    assert_eq!(reach(ten.clone(), json!([])), Err(Beyond::RateLimits));
    assert_eq!(reach(ten, more), Err(Beyond::RateLimits));
}

#[test]
fn a_token_with_quotas_hands_on_no_more_uses() {
    let with = |quotas: Value| Restrictions {
        quotas: serde_json::from_value(quotas).unwrap(),
        ..Restrictions::default()
    };
    let quota = |name: &str, limit: u64, refill: &str, generation: u32| {
        json!({
            "name": name, "limit": limit, "refill": refill, "generation": generation,
        })
    };
    let caller = |own: Value| Authority::Token {
        scopes: ScopeSet::default(),
        expires_at: None,
        environment: Environment::Live,
        restrictions: with(own),
    };
    let reach = |own: Value, wanted: Value| {
        caller(own).reaches(Extent {
            scopes: &ScopeSet::default(),
            validity: &Validity::default(),
            environment: Environment::Live,
            restrictions: &with(wanted),
        })
    };
    let own = json!([quota("a", 10, "monthly", 7), quota("b", 5, "none", 3)]);
    let less = json!([quota("a", 10, "none", 1), quota("b", 5, "none", 2)]);
    let more = json!([quota("a", 10, "daily", 1), quota("b", 5, "none", 2)]);
    assert_eq!(reach(json!([]), own.clone()), Ok(()));
    assert_eq!(reach(own.clone(), less), Ok(()));
    assert_eq!(reach(own.clone(), more), Err(Beyond::Quotas));
    assert_eq!(reach(own.clone(), json!([])), Err(Beyond::Quotas));

    let caller = caller(own);
    let again = json!([quota("a", 10, "monthly", 1), quota("b", 5, "none", 2)]);
    assert_eq!(caller.inherited_quotas(), with(again).quotas);
    assert_eq!(caller.may_refill([]), Ok(()));
    assert_eq!(caller.may_refill(["c"]), Ok(()));
    assert_eq!(
        caller.may_refill(["c", "b"]),
        Err(Beyond::Refill("b".into()))
    );
    let holder = Authority::Account {
        granted: None,
        role: Role::User,
    };
    assert_eq!(holder.may_refill(["a"]), Ok(()));
    assert!(holder.inherited_quotas().is_empty());
}

#[test]
fn an_account_holder_hands_on_what_holders_have_and_the_issuer_grants() {
    let reach = |granted: Option<&[&str]>, role, list: &[&str]| {
        let caller = Authority::Account {
            granted: granted.map(scopes),
            role,
        };
        caller.reaches(Extent {
            scopes: &scopes(list),
            validity: &until(None),
            environment: Environment::Test,
            restrictions: &Restrictions::default(),
        })
    };
    assert_eq!(
        reach(None, Role::User, &["orders:*", "tollkeeper:tokens.write"]),
        Ok(())
    );
    assert_eq!(
        reach(Some(&["orders:*"]), Role::User, &["orders:read"]),
        Ok(())
    );
    assert_eq!(
        reach(Some(&["orders:*"]), Role::User, &["admin"]),
        beyond("admin")
    );
    for scope in [
        "tollkeeper:verify",
        "tollkeeper:accounts.write",
        "tollkeeper:usage.write",
    ] {
        assert_eq!(reach(None, Role::User, &[scope]), beyond(scope));
        assert_eq!(reach(Some(&[scope]), Role::User, &[scope]), beyond(scope));
    }
    let own = "tollkeeper:tokens.read";
    assert_eq!(reach(None, Role::System, &[own]), beyond(own));
}
