//! Every metric there is. To add one, write its constant beside its kin and name it in [`ALL`].

use metrics::Unit;

use crate::kinds::{Gauge, Label, Metric};

/// Whether the component named by the label is ready (1) or not (0), as `/readyz` says.
pub const COMPONENT_READY: Gauge = Gauge {
    name: "tollkeeper_component_ready",
    unit: Unit::Count,
    description: "Whether a component is ready (1) or not (0)",
    label: Label {
        name: "component",
        values: &["postgres", "nats", "proof", "spool"],
    },
};

/// All metrics, in the order of the documentation.
pub const ALL: &[Metric] = &[Metric::Gauge(&COMPONENT_READY)];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_in_the_house_form() {
        let mut seen = HashSet::new();
        for metric in ALL {
            let name = metric.name();
            assert!(seen.insert(name), "{name} is listed twice");
            assert!(name.starts_with("tollkeeper_"), "{name}");
            let counts = matches!(metric, Metric::Counter(_));
            assert_eq!(name.ends_with("_total"), counts, "{name}");
        }
    }

    #[test]
    fn a_label_lists_its_values() {
        for metric in ALL {
            let label = metric.label();
            assert_eq!(
                label.name.is_empty(),
                label.values.is_empty(),
                "{}",
                metric.name()
            );
        }
    }

    #[test]
    fn buckets_ascend() {
        for (name, bounds) in crate::buckets() {
            assert!(bounds.is_sorted(), "{name}");
        }
    }
}
