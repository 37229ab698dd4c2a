//! What differs between a definition and what the server has.

use serde_json::{Map, Value};

/// A line for each field of `wanted` that `found` has otherwise. Fields that only the server states
/// are its defaults and of no concern.
pub(super) fn differences(wanted: &Map<String, Value>, found: &Map<String, Value>) -> Vec<String> {
    wanted
        .iter()
        .filter_map(|(name, value)| {
            let there = found.get(name).unwrap_or(&Value::Null);
            (!covers(value, there)).then(|| format!("{name} is {there}, should be {value}"))
        })
        .collect()
}

/// An object covers one with more fields: the server adds to `metadata`.
fn covers(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted
            .iter()
            .all(|(name, value)| found.get(name) == Some(value)),
        _ => wanted == found,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_what_the_definition_states_counts() {
        let wanted = object(json!({ "max_age": 5, "metadata": { "ours": "1" } }));
        let found = object(json!({ "max_age": 5, "sealed": false,
                                   "metadata": { "ours": "1", "_nats.ver": "2.12" } }));
        assert!(differences(&wanted, &found).is_empty());
    }

    #[test]
    fn a_difference_names_both_values() {
        let wanted = object(json!({ "max_age": 5 }));
        let found = object(json!({ "max_age": 6 }));
        assert_eq!(differences(&wanted, &found), ["max_age is 6, should be 5"]);
    }
}
