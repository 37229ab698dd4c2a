//! Reading what is shown.

use std::collections::{BTreeMap, BTreeSet};

use tollkeeper_telemetry::{Metric, Service, catalogue, names, series};
use tollkeeper_testkit::stack::Node;

/// Every time series with its value, by its name and its labels in order.
#[derive(Debug)]
pub(super) struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    pub(super) async fn of(node: &Node) -> Self {
        let answer = node.about_itself("/metrics").await;
        assert_eq!(answer.status, 200);
        let lines = answer.text.lines();
        let shown = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut read = BTreeMap::new();
        for line in shown {
            let (key, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = match key.split_once('{') {
                Some((name, labels)) => (name, labels.strip_suffix('}').unwrap()),
                None => (key, ""),
            };
            let labels = labels.split(',').filter(|label| !label.is_empty());
            let key = key_of(name, labels.map(str::to_owned).collect());
            let before = read.insert(key, value.parse().unwrap());
            assert_eq!(before, None, "shown twice: {line}");
        }
        Self(read)
    }

    /// The value of a time series.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(name, value)| label(name, value));
        let key = key_of(name, labels.collect());
        *self.0.get(&key).unwrap_or_else(|| panic!("no {key}"))
    }

    /// The values of all time series whose name begins so, added up.
    pub(super) fn sum(&self, name: &str) -> f64 {
        let all = self.0.iter();
        let of_it = all.filter(|(key, _)| key.split('{').next() == Some(name));
        of_it.map(|(_, value)| value).sum()
    }

    pub(super) fn keys(&self) -> BTreeSet<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// The time series that a service is to show, by the catalogue.
pub(super) fn expected(service: Service) -> BTreeSet<String> {
    let mut expected = BTreeSet::new();
    for metric in catalogue::of(service) {
        for values in series(metric.labels(), service) {
            let pairs = names(metric.labels()).zip(values);
            let labels: Vec<_> = pairs.map(|(name, value)| label(name, value)).collect();
            add(&mut expected, metric, &labels);
        }
    }
    expected
}

fn add(expected: &mut BTreeSet<String>, metric: &Metric, labels: &[String]) {
    let name = metric.name();
    if metric.buckets().is_empty() {
        expected.insert(key_of(name, labels.to_vec()));
        return;
    }
    let bounds = metric.buckets().iter().map(f64::to_string);
    for bound in bounds.chain(["+Inf".to_owned()]) {
        let mut labels = labels.to_vec();
        labels.push(label("le", &bound));
        expected.insert(key_of(&format!("{name}_bucket"), labels));
    }
    for part in ["sum", "count"] {
        expected.insert(key_of(&format!("{name}_{part}"), labels.to_vec()));
    }
}

fn label(name: &str, value: &str) -> String {
    format!("{name}=\"{value}\"")
}

fn key_of(name: &str, mut labels: Vec<String>) -> String {
    labels.sort();
    format!("{name}{{{}}}", labels.join(","))
}
