//! Labels: what the time series of a metric are told apart by, each with all its values.

/// A program that exports metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `tollkeeper-api`.
    Api,
    /// `tollkeeper-ingestor`.
    Ingestor,
}

impl Service {
    /// Every one of them.
    pub const ALL: [Self; 2] = [Self::Api, Self::Ingestor];

    /// As people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::Ingestor => "ingestor",
        }
    }
}

/// One label, or two that belong together, with all values, each registered at start.
#[derive(Debug, Clone, Copy)]
pub enum Label {
    /// One that has the same values in each service.
    One {
        /// Its name.
        name: &'static str,
        /// Its values.
        values: &'static [&'static str],
    },
    /// One that has values of its own in each service.
    PerService {
        /// Its name.
        name: &'static str,
        /// Those of the API.
        api: &'static [&'static str],
        /// Those of the ingestor.
        ingestor: &'static [&'static str],
    },
    /// Two that do not take all values of the one with all of the other.
    Pair {
        /// Their names.
        names: [&'static str; 2],
        /// What they take together.
        values: &'static [[&'static str; 2]],
    },
}

impl Label {
    /// A label that has the same values in each service.
    #[must_use]
    pub const fn one(name: &'static str, values: &'static [&'static str]) -> Self {
        Self::One { name, values }
    }

    /// Its name, or their names.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        match self {
            Self::One { name, .. } | Self::PerService { name, .. } => std::slice::from_ref(name),
            Self::Pair { names, .. } => names,
        }
    }

    /// What it takes in a service: a value for each of its names.
    pub fn values(&self, service: Service) -> impl Iterator<Item = &[&'static str]> {
        let (singles, pairs): (&[&'static str], &[[&'static str; 2]]) = match self {
            Self::One { values, .. } => (values, &[]),
            Self::PerService { api, ingestor, .. } => match service {
                Service::Api => (api, &[]),
                Service::Ingestor => (ingestor, &[]),
            },
            Self::Pair { values, .. } => (&[], values),
        };
        let singles = singles.iter().map(std::slice::from_ref);
        singles.chain(pairs.iter().map(<[_; 2]>::as_slice))
    }
}

/// The names of all labels.
pub fn names(labels: &'static [Label]) -> impl Iterator<Item = &'static str> {
    labels
        .iter()
        .flat_map(|label| label.names().iter().copied())
}

/// The values of each time series that a service has of a metric with these labels, in the order of
/// the names: all values of the first label, and for each all of the next.
#[must_use]
pub fn series(labels: &'static [Label], service: Service) -> Vec<Vec<&'static str>> {
    labels.iter().fold(vec![Vec::new()], |series, label| {
        let extended = series.iter().flat_map(|before| {
            label
                .values(service)
                .map(move |values| [before.as_slice(), values].concat())
        });
        extended.collect()
    })
}

/// Labels as the recorder takes them.
pub(crate) fn recorded(
    metric: &str,
    labels: &'static [Label],
    values: &[&'static str],
) -> Vec<metrics::Label> {
    debug_assert!(
        Service::ALL
            .iter()
            .any(|service| series(labels, *service).iter().any(|it| it == values)),
        "{metric} does not list {values:?}"
    );
    names(labels)
        .zip(values)
        .map(|(name, value)| metrics::Label::from_static_parts(name, value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: &[Label] = &[
        Label::Pair {
            names: ["method", "route"],
            values: &[["GET", "/a"], ["POST", "/b"]],
        },
        Label::PerService {
            name: "status",
            api: &["ok", "failed"],
            ingestor: &["ok"],
        },
    ];

    #[test]
    fn series_are_all_values_with_one_another_and_pairs_stay_together() {
        assert_eq!(
            names(LABELS).collect::<Vec<_>>(),
            ["method", "route", "status"]
        );
        assert_eq!(
            series(LABELS, Service::Api),
            [
                ["GET", "/a", "ok"],
                ["GET", "/a", "failed"],
                ["POST", "/b", "ok"],
                ["POST", "/b", "failed"],
            ]
        );
        assert_eq!(series(LABELS, Service::Ingestor).len(), 2);
        assert_eq!(series(&[], Service::Api), [Vec::<&str>::new()]);
    }

    #[test]
    #[should_panic(expected = "a_metric does not list")]
    fn a_value_that_is_not_listed_is_found_out() {
        recorded("a_metric", LABELS, &["GET", "/b", "ok"]);
    }
}
