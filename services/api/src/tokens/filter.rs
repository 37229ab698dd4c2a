//! What no filter of tokens can be, wherever it is given: in the query of the list or in a body.

use chrono::{DateTime, Datelike, Utc};
use tollkeeper_read_model::tokens::{Period, TokenFilter};

/// A filter that cannot be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadFilter {
    /// Its name on the wire.
    pub(super) name: &'static str,
    /// What is wrong with it.
    pub(super) why: &'static str,
}

/// Every filter that no token could be compared with, or that contradicts another.
pub(super) fn check(filter: &TokenFilter) -> Vec<BadFilter> {
    let texts = [
        ("scope", &filter.scope),
        ("prefix", &filter.prefix),
        ("search", &filter.search),
    ];
    // PostgreSQL takes none in a text, so nothing has it.
    let unheard = |text: &Option<String>| text.as_ref().is_some_and(|it| it.contains('\0'));
    let unheard = texts.into_iter().filter(|(_, text)| unheard(text));
    let mut bad: Vec<BadFilter> = unheard
        .map(|(name, _)| BadFilter {
            name,
            why: "holds U+0000",
        })
        .collect();
    check_period("created_after", "created_before", filter.created, &mut bad);
    check_period(
        "last_used_after",
        "last_used_before",
        filter.last_used,
        &mut bad,
    );
    check_period("expires_after", "expires_before", filter.expires, &mut bad);
    if filter.unused_since.is_some_and(out_of_range) {
        bad.push(out_of_range_of("unused_since"));
    }
    bad
}

/// The filters by use, which the log knows nothing of.
pub(super) fn of_usage(filter: &TokenFilter) -> impl Iterator<Item = BadFilter> {
    let given = [
        ("last_used_after", filter.last_used.after.is_some()),
        ("last_used_before", filter.last_used.before.is_some()),
        ("never_used", filter.never_used.is_some()),
        ("unused_since", filter.unused_since.is_some()),
    ];
    let given = given.into_iter().filter(|(_, is_given)| *is_given);
    given.map(|(name, _)| BadFilter {
        name,
        why: "cannot be asked with `as_of`: usage is not part of the past",
    })
}

fn check_period(
    after_name: &'static str,
    before_name: &'static str,
    period: Period,
    bad: &mut Vec<BadFilter>,
) {
    for (name, time) in [(after_name, period.after), (before_name, period.before)] {
        if time.is_some_and(out_of_range) {
            bad.push(out_of_range_of(name));
        }
    }
    let given = period.after.zip(period.before);
    if given.is_some_and(|(after, before)| after >= before) {
        bad.push(BadFilter {
            name: before_name,
            why: "is not later than where the period begins",
        });
    }
}

const fn out_of_range_of(name: &'static str) -> BadFilter {
    BadFilter {
        name,
        why: "is no time of the years 1 to 9999",
    }
}

fn out_of_range(time: DateTime<Utc>) -> bool {
    !(1..=9999).contains(&time.year())
}
