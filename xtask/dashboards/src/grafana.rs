//! What Grafana does to a question before it asks it: variables and macros are replaced.

use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use regex::{Captures, Regex};

use crate::files::Variable;

/// The time that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Its beginning.
    pub from: DateTime<Utc>,
    /// Its end.
    pub to: DateTime<Utc>,
    /// How often Prometheus asks the processes.
    pub scrapes: TimeDelta,
}

impl Range {
    /// How far points of a graph are apart: no closer than scrapes, and at most 240 of them.
    #[must_use]
    pub fn step(&self) -> TimeDelta {
        let even = (self.to - self.from) / 240;
        even.max(self.scrapes).max(TimeDelta::seconds(1))
    }
}

/// What the reader has chosen: a variable's name and its value as it goes into a question.
pub type Choice = (String, String);

/// All of everything, as a dashboard shows it at first.
#[must_use]
pub fn all_of(variables: &[Variable]) -> Vec<Choice> {
    variables
        .iter()
        .map(|variable| (variable.name.clone(), variable.all_value.clone()))
        .collect()
}

/// An expression for Prometheus as Grafana asks it.
#[must_use]
pub fn expression(text: &str, range: &Range, choices: &[Choice]) -> String {
    let seconds = |delta: TimeDelta| format!("{}s", delta.num_seconds().max(1));
    // Four scrapes at least, so that one may be missed.
    let rates = (range.scrapes * 4).max(range.step() + range.scrapes);
    let built_in = [
        ("__rate_interval", seconds(rates)),
        ("__interval", seconds(range.step())),
        ("__range", seconds(range.to - range.from)),
    ];
    replace(text, &built_in, choices)
}

/// A statement for Postgres as Grafana asks it.
///
/// # Panics
/// When it uses a macro that is not known here.
#[must_use]
pub fn statement(text: &str, range: &Range, choices: &[Choice]) -> String {
    static MACRO: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\$(\w+)\(([^)]*)\)").expect("a valid expression"));
    let time =
        |time: DateTime<Utc>| format!("'{}'", time.to_rfc3339_opts(SecondsFormat::Nanos, true));
    let text = MACRO.replace_all(text, |found: &Captures<'_>| match (&found[1], &found[2]) {
        ("__timeFrom", "") => time(range.from),
        ("__timeTo", "") => time(range.to),
        ("__timeFilter", column) => {
            format!(
                "{column} BETWEEN {} AND {}",
                time(range.from),
                time(range.to)
            )
        }
        (other, _) => panic!("the macro {other} is not known here: {text}"),
    });
    replace(&text, &[], choices)
}

/// Replaces `$name`, `${name}` and `${name:format}`. A value that stands for all is taken as it is; any
/// other one is quoted where the format says so.
fn replace(text: &str, built_in: &[(&str, String)], choices: &[Choice]) -> String {
    static VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\$(?:(\w+)|\{(\w+)(?::(\w+))?\})").expect("a valid expression")
    });
    let replaced = VARIABLE.replace_all(text, |found: &Captures<'_>| {
        let name = found.get(1).or(found.get(2)).map_or("", |it| it.as_str());
        let built_in = built_in.iter().find(|(known, _)| *known == name);
        let chosen = choices.iter().find(|(known, _)| known == name);
        match (built_in, chosen) {
            (Some((_, value)), _) => value.clone(),
            (None, Some((_, value))) => {
                let quoted = value.starts_with('\'');
                match found.get(3).map(|it| it.as_str()) {
                    Some("sqlstring") if !quoted => format!("'{}'", value.replace('\'', "''")),
                    _ => value.clone(),
                }
            }
            (None, None) => panic!("the variable {name} is not known here: {text}"),
        }
    });
    replaced.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range() -> Range {
        let to = "2026-11-22T08:00:00Z".parse().unwrap();
        Range {
            from: to - TimeDelta::hours(1),
            to,
            scrapes: TimeDelta::seconds(15),
        }
    }

    #[test]
    fn expressions_are_asked_over_enough_scrapes() {
        let asked = expression(
            r#"rate(a{instance=~"$instance"}[$__rate_interval]) + b[$__range]"#,
            &range(),
            &[("instance".into(), ".+".into())],
        );
        assert_eq!(asked, r#"rate(a{instance=~".+"}[60s]) + b[3600s]"#);
    }

    #[test]
    fn statements_know_times_and_choices() {
        let text = "where t >= $__timeFrom() and (${token:sqlstring} = 'all')";
        let with = |value: &str| statement(text, &range(), &[("token".into(), value.into())]);
        assert_eq!(
            with("'all'"),
            "where t >= '2026-11-22T07:00:00.000000000Z' and ('all' = 'all')"
        );
        assert!(with("it's").ends_with("('it''s' = 'all')"));
    }

    #[test]
    #[should_panic(expected = "the macro __timeGuess is not known")]
    fn an_unknown_macro_is_an_error_as_in_grafana() {
        let _asked = statement("select $__timeGuess(a)", &range(), &[]);
    }
}
