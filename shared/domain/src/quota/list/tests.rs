use serde_json::{Value, json};

use super::*;

fn asked(quotas: Value) -> Result<NewQuotas, BadQuotas> {
    let quotas: Vec<NewQuota> = serde_json::from_value(quotas).unwrap();
    quotas.try_into()
}

fn held(quotas: Value) -> Quotas {
    serde_json::from_value(quotas).unwrap()
}

fn quota(name: &str, limit: u64, refill: &str, generation: u32) -> Value {
    json!({"name": name, "limit": limit, "refill": refill, "generation": generation})
}

#[test]
fn what_is_not_said_is_never_refilled() {
    let quotas = asked(json!([
        {"name": "uses", "limit": MAX_USES},
        {"name": "abcdefghijklmnopqrstuvwxyz.-_019", "limit": 1, "refill": "daily"},
    ]));
    let quotas = Quotas::from(quotas.unwrap());
    let whole = json!([
        quota("abcdefghijklmnopqrstuvwxyz.-_019", 1, "daily", 1),
        quota("uses", MAX_USES, "none", 2),
    ]);
    assert_eq!(serde_json::to_value(&quotas).unwrap(), whole);
    assert_eq!(held(whole), quotas);
    assert_eq!(quotas.get("uses").unwrap().limit, MAX_USES);
    assert!(quotas.get("use").is_none() && !quotas.is_empty());
    assert!(asked(json!([])).unwrap().is_empty());
}

#[test]
fn each_fault_is_named_at_its_place() {
    use BadQuota::{Generation, Name, NameTaken, TooMany, Uses};

    for (field, value, why) in [
        ("name", json!(""), Name),
        ("name", json!("a".repeat(33)), Name),
        ("name", json!("Uses"), Name),
        ("name", json!(".."), Name),
        ("name", json!("b"), NameTaken),
        ("limit", json!(0), Uses),
        ("limit", json!(MAX_USES + 1), Uses),
    ] {
        let mut bad = json!({"name": "a", "limit": 1});
        bad[field] = value;
        let found = asked(json!([{"name": "b", "limit": 1}, bad])).unwrap_err();
        assert_eq!(found.0, [(format!("/1/{field}"), why)], "{bad}");
    }
    let many = |count: usize| {
        let one = |it| json!({"name": format!("n{it}"), "limit": 1});
        asked(Value::Array((0..count).map(one).collect()))
    };
    assert!(many(MAX_QUOTAS).is_ok());
    assert_eq!(many(5).unwrap_err().0, [(String::new(), TooMany)]);
    for (generation, place) in [(0, "/1/generation"), (7, "/1/generation")] {
        let both = [quota("a", 1, "none", 7), quota("b", 1, "none", generation)];
        let both = both
            .map(|one| serde_json::from_value(one).unwrap())
            .to_vec();
        let found = Quotas::try_from(both).unwrap_err();
        assert_eq!(found.0, [(place.to_owned(), Generation)]);
    }
    assert!(serde_json::from_value::<Quotas>(json!([quota("a", 0, "none", 1)])).is_err());
}

#[test]
fn only_a_new_quota_and_another_refill_draw_on_a_new_balance() {
    let before = held(json!([
        quota("a", 10, "monthly", 1),
        quota("b", 10, "monthly", 3),
        quota("c", 10, "monthly", 2),
    ]));
    let after = before.becoming(
        &asked(json!([
            {"name": "d", "limit": 5},
            {"name": "c", "limit": 10, "refill": "daily"},
            {"name": "a", "limit": 11, "refill": "monthly"},
        ]))
        .unwrap(),
        7,
    );
    assert_eq!(
        after,
        held(json!([
            quota("a", 11, "monthly", 1),
            quota("c", 10, "daily", 8),
            quota("d", 5, "none", 9),
        ]))
    );
    assert_eq!(
        (before.newest_generation(), after.newest_generation()),
        (3, 9)
    );
    assert_eq!(Quotas::default().newest_generation(), 0);
}

#[test]
fn a_refill_renews_one_balance() {
    let before = held(json!([
        quota("a", 10, "daily", 4),
        quota("b", 20, "none", 2)
    ]));
    let mut after = before.clone();
    after.renew("b", 6);
    after.renew("c", 7);
    let renewed = held(json!([
        quota("a", 10, "daily", 4),
        quota("b", 20, "none", 6)
    ]));
    assert_eq!(after, renewed);
    assert_eq!(after.renewed(&before).collect::<Vec<_>>(), ["b"]);
    assert_eq!(before.renewed(&before).count(), 0);
    assert_eq!(after.renewed(&Quotas::default()).count(), 0, "it had none");
    assert_eq!(Quotas::default().renewed(&before).count(), 0);
}

#[test]
fn another_owner_of_the_same_begins_anew() {
    let held = held(json!([
        quota("a", 10, "daily", 4),
        quota("b", 20, "none", 2)
    ]));
    let again = Quotas::from(NewQuotas::from(&held));
    let generations: Vec<_> = again.iter().map(|quota| quota.generation).collect();
    assert_eq!(generations, [1, 2]);
    assert!(again.within(&held) && held.within(&again));
}

#[test]
fn more_is_a_higher_limit_or_a_more_frequent_refill() {
    let own = held(json!([quota("a", 100, "monthly", 5)]));
    let none = Quotas::default();
    assert!(own.within(&none) && none.within(&none) && own.within(&own));
    assert!(!none.within(&own));
    let with = |name, limit, refill| held(json!([quota(name, limit, refill, 1)])).within(&own);
    assert!(!with("b", 100, "monthly"));
    assert!(with("a", 99, "monthly") && !with("a", 101, "monthly"));
    assert!(with("a", 100, "none") && !with("a", 1, "daily") && !with("a", 101, "none"));
    let more = held(json!([
        quota("a", 1, "none", 1),
        quota("b", 900, "daily", 2)
    ]));
    assert!(more.within(&own), "and one quota more");
}
