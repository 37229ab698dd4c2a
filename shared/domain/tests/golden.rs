//! Every version of every event that was ever written can still be read, and today's are written
//! as they were. A golden file is never edited: a changed payload is a new version.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tollkeeper_domain::event::{Event, TYPES};

fn golden(name: &str, version: u32) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    folder.join(format!("{name}.v{version}.json"))
}

#[test]
fn every_version_has_a_golden_file_that_reads_back_the_same() {
    for (name, newest) in TYPES {
        for version in 1..=newest {
            let path = golden(name, version);
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let payload: Value = serde_json::from_str(&text).unwrap();
            let event = Event::read(name, version, payload.clone()).unwrap();
            assert_eq!(event.name(), name);
            if version == newest {
                assert_eq!(event.payload().unwrap(), payload, "{name}");
                assert_eq!(event.schema_version(), version);
            }
        }
    }
}

#[test]
fn there_is_no_golden_file_without_a_type() {
    let folder = golden("", 0);
    for entry in fs::read_dir(folder.parent().unwrap()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = TYPES.iter().any(|(kind, newest)| {
            (1..=*newest).any(|version| name == format!("{kind}.v{version}.json"))
        });
        assert!(known, "{name} belongs to no event type");
    }
}

#[test]
fn unknown_types_versions_and_fields_are_refused() {
    let empty = || serde_json::json!({});
    assert!(Event::read("TokenExploded", 1, empty()).is_err());
    assert!(Event::read("TokenSuspended", 2, empty()).is_err());
    assert!(Event::read("TokenSuspended", 1, serde_json::json!({"why": 1})).is_err());
    assert!(Event::read("TokenRevoked", 1, empty()).is_err());
}
