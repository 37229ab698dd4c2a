//! Requests told apart by what they have in common, the largest groups first.

use super::card::Card;
use super::verdicts;
use crate::console::chart::{Series, Share, Spark, duration};
use crate::console::words::count;

/// What the API calls everything that has no group of its own.
const OTHER: &str = "(other)";

/// What it calls checks of which it is not known what they came to.
const UNKNOWN: &str = "(unknown)";

/// What it calls what has nothing of the kind.
const NONE: &str = "(none)";

/// One group.
#[derive(Debug)]
pub(super) struct Line {
    /// What it is called.
    pub(super) name: String,
    /// What stands below, smaller: a code, or the end of an id.
    pub(super) below: String,
    /// The whole of that.
    pub(super) title: String,
    /// Whether the name is one of a machine's.
    pub(super) is_code: bool,
    /// Where it leads.
    pub(super) link: Option<String>,
    /// How many requests.
    pub(super) requests: String,
    /// Their share of all.
    pub(super) share: String,
    /// How many of them failed.
    pub(super) errors: String,
    /// How long nine in ten of them took at most.
    pub(super) p90: String,
    /// How many beside the largest group, and how many of them failed.
    pub(super) bar: Share,
    /// How it went.
    pub(super) spark: Spark,
}

/// Groups of requests.
#[derive(Debug)]
pub(super) struct Breakdown {
    /// In the order of the API: the rest comes last.
    pub(super) lines: Vec<Line>,
}

/// How the groups of a breakdown are named, and where they lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// What the check came to.
    Verdict,
    /// The path.
    Endpoint,
    /// The network of the address.
    Network,
    /// The program.
    Agent,
    /// The token, by its id.
    Token,
}

impl Breakdown {
    /// Of a series with groups. `link` leads to more about one of them.
    pub(super) fn new(series: &Series, by: By, link: impl Fn(&str) -> Option<String>) -> Self {
        let groups = series.groups.as_deref().unwrap_or_default();
        let largest = groups.iter().map(|group| group.total.requests).max();
        let line = |group: &crate::console::chart::Group| {
            let (total, key) = (&group.total, group.key.as_str());
            let is_own = ![OTHER, NONE, UNKNOWN].contains(&key);
            let (name, below) = named(by, key);
            let steps: Vec<u64> = group
                .buckets
                .iter()
                .map(|step| step.figures.requests)
                .collect();
            Line {
                name,
                title: below.clone(),
                below,
                is_code: is_own && matches!(by, By::Endpoint | By::Network),
                link: is_own.then(|| link(key)).flatten(),
                requests: count(total.requests),
                share: percent(total.requests, series.total.requests),
                errors: count(total.errors),
                p90: total
                    .latency_us
                    .map_or_else(|| "–".to_owned(), |it| duration(it.p90)),
                bar: Share::new(total.requests, total.errors, largest.unwrap_or(0)),
                spark: Spark::new(&steps),
            }
        };
        Self {
            lines: groups.iter().map(line).collect(),
        }
    }

    /// The same of an answer that may be none.
    pub(super) fn of(
        answer: Card<Series>,
        by: By,
        link: impl Fn(&str) -> Option<String>,
    ) -> Card<Self> {
        answer.map(|series| Self::new(&series, by, link))
    }
}

fn named(by: By, key: &str) -> (String, String) {
    let nothing = match by {
        By::Network => "No address kept",
        By::Agent => "Not told",
        _ => "None",
    };
    match (key, by) {
        (OTHER, _) => ("All others".to_owned(), String::new()),
        (UNKNOWN, _) => ("Not known".to_owned(), String::new()),
        (NONE, _) => (nothing.to_owned(), String::new()),
        (code, By::Verdict) => (verdicts::of_code(code).to_owned(), code.to_owned()),
        (key, _) => (key.to_owned(), String::new()),
    }
}

/// A share, in per cent.
pub(in crate::console) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0%".to_owned();
    }
    let share = 100.0 * part as f64 / whole as f64;
    match share {
        share if share > 0.0 && share < 0.1 => "<0.1%".to_owned(),
        share if share < 10.0 && share > 0.0 => format!("{share:.1}%"),
        share if share > 99.9 && part < whole => ">99.9%".to_owned(),
        share => format!("{share:.0}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_say_all_or_nothing_of_some() {
        let told = [
            (0, 0),
            (0, 7),
            (1, 100_000),
            (1, 40),
            (1, 3),
            (99_999, 100_000),
            (7, 7),
        ];
        let told = told.map(|(part, whole)| percent(part, whole));
        assert_eq!(told, ["0%", "0%", "<0.1%", "2.5%", "33%", ">99.9%", "100%"]);
    }

    #[test]
    fn groups_have_names_for_people() {
        let name = |by, key| named(by, key).0;
        assert_eq!(name(By::Verdict, "IP_NOT_ALLOWED"), "Address not allowed");
        assert_eq!(name(By::Verdict, "NEW"), "NEW");
        assert_eq!(name(By::Agent, "(none)"), "Not told");
        assert_eq!(name(By::Endpoint, "(other)"), "All others");
    }
}
