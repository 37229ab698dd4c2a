//! The systemd units, as systemd's own tool sees them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tollkeeper_testkit::binary;

use crate::{settings, shipped};

const PROGRAMS: [&str; 2] = ["tollkeeper-api", "tollkeeper-ingestor"];

/// The most that `systemd-analyze security` may say, in tenths: 0 is a sealed box, 100 no bounds.
const MOST_EXPOSED: u32 = 15;

fn unit(program: &str) -> String {
    let file = shipped("deploy/systemd").join(format!("{program}.service"));
    fs::read_to_string(file).unwrap()
}

/// The unit in a folder of its own, with the program where it is in this test.
fn placed(program: &str, folder: &tempfile::TempDir) -> PathBuf {
    let installed = format!("/usr/local/bin/{program}");
    let text = unit(program);
    assert!(text.contains(&format!("\nExecStart={installed}\n")));
    let text = text.replace(&installed, binary(program).to_str().unwrap());
    let file = folder.path().join(format!("{program}.service"));
    fs::write(&file, text).unwrap();
    file
}

fn analyze(arguments: &[&str], unit: &PathBuf) -> Output {
    let done = Command::new("systemd-analyze")
        .args(arguments)
        .arg(unit)
        .output();
    done.expect("systemd-analyze is installed: `cargo xtask test` sees to it")
}

#[test]
fn units_are_right_and_bound_their_programs() {
    let folder = tempfile::tempdir().unwrap();
    for program in PROGRAMS {
        let unit = placed(program, &folder);
        let verified = analyze(&["verify"], &unit);
        assert!(
            verified.status.success() && verified.stderr.is_empty(),
            "{verified:?}"
        );
        let threshold = format!("--threshold={MOST_EXPOSED}");
        let judged = analyze(
            &["security", "--offline=true", "--no-pager", &threshold],
            &unit,
        );
        assert!(judged.status.success(), "{judged:?}");
        let nobody = analyze(
            &["security", "--offline=true", "--no-pager", "--threshold=1"],
            &unit,
        );
        assert!(!nobody.status.success(), "it would be seen");
    }
}

#[test]
fn programs_are_given_settings_that_they_read_and_credentials_that_are_loaded() {
    for program in PROGRAMS {
        let text = unit(program);
        let values = |name: &str| {
            let lines = text.lines().map(str::to_owned);
            let prefix = format!("{name}=");
            lines
                .filter_map(|line| Some(line.strip_prefix(&prefix)?.to_owned()))
                .collect::<Vec<_>>()
        };
        let variables: BTreeMap<String, String> = values("Environment")
            .iter()
            .map(|line| line.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        settings::are_read_by(program, &variables);
        let loaded = values("LoadCredential");
        let used: Vec<_> = variables
            .values()
            .filter_map(|value| value.strip_prefix("%d/"))
            .collect();
        assert_eq!(loaded.len(), used.len(), "{program}");
        for name in used {
            assert!(
                loaded
                    .iter()
                    .any(|line| line.starts_with(&format!("{name}:"))),
                "{program}: {name}"
            );
        }
    }
}
