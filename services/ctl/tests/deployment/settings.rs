//! Variables that the files give to programs.

use std::collections::BTreeMap;

use tollkeeper_runtime::settings::{Binary, Source, registry};

/// Fails unless each of these is a setting that the program reads.
pub(crate) fn are_read_by(program: &str, variables: &BTreeMap<String, String>) {
    let binary = match program {
        "tollkeeper-api" => Binary::Api,
        "tollkeeper-ingestor" => Binary::Ingestor,
        "tollkeeper" => Binary::Ctl,
        other => panic!("no program {other}"),
    };
    let pairs = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    Source::from_pairs(binary, pairs).unwrap_or_else(|error| panic!("{program}: {error}"));
    for variable in variables.keys() {
        let known = registry::ALL.iter().find(|setting| {
            *variable == setting.variable() || *variable == setting.file_variable()
        });
        let known = known.unwrap_or_else(|| panic!("{program}: {variable}"));
        assert!(
            known.read_by.contains(&binary),
            "{program} does not read {variable}"
        );
    }
}
