//! Rules are right by themselves: by `promtool`, by their tests, and with a runbook for each alert.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use tollkeeper_dashboards::files::{alerts, in_folder, of_repository, read};

const RULES: &str = "grafana/prometheus/rules";
const TESTS: &str = "grafana/prometheus/tests";
const RUNBOOKS: &str = "docs/runbooks";

fn promtool(arguments: &[&str], files: &[PathBuf]) {
    let mut command = Command::new("promtool");
    let done = command.args(arguments).args(files).output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(done.status.success(), "promtool {arguments:?}: {said}");
}

#[test]
fn promtool_finds_nothing_wrong() {
    let configuration = of_repository("grafana/prometheus/prometheus.yml");
    promtool(&["check", "config", "--lint=all"], &[configuration]);
    let rules = in_folder(RULES, ".yml");
    promtool(&["check", "rules", "--lint=all", "--lint-fatal"], &rules);
}

#[test]
fn alerts_fire_and_do_not_fire_as_their_tests_say() {
    let tests = in_folder(TESTS, ".yml");
    promtool(&["test", "rules"], &tests);
    let text: String = tests.iter().map(|path| read(path)).collect();
    for alert in alerts() {
        let of_alert = format!(
            "ALERTS{{alertname=\"{}\", alertstate=\"firing\"}}\n",
            alert.name
        );
        let expected: Vec<&str> = text.split(&of_alert).skip(1).collect();
        let quiet = |rest: &&str| rest.lines().nth(1).unwrap().ends_with("exp_samples: []");
        assert!(
            expected.iter().any(quiet),
            "{} must be shown not to fire",
            alert.name
        );
        let fires = |rest: &&str| !quiet(rest);
        assert!(
            expected.iter().any(fires),
            "{} must be shown to fire",
            alert.name
        );
    }
}

#[test]
fn each_alert_has_a_runbook_that_names_it_and_each_runbook_an_alert() {
    let alerts = alerts();
    let names: BTreeSet<&str> = alerts.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names.len(), alerts.len(), "names are unique");
    let index = read(&of_repository(RUNBOOKS).join("README.md"));
    for alert in &alerts {
        assert!(
            ["critical", "warning"].contains(&alert.severity.as_str()),
            "{alert:?}"
        );
        let runbook = read(&of_repository(RUNBOOKS).join(&alert.runbook));
        let (title, rest) = runbook.split_once('\n').unwrap();
        let title = title.strip_prefix("# ").unwrap();
        let named = format!("`{}` ({})", alert.name, alert.severity);
        assert!(
            rest.contains(&named),
            "{} does not name {named}",
            alert.runbook
        );
        let row = format!(
            "| `{}` | {} | [{title}]({}) |",
            alert.name, alert.severity, alert.runbook
        );
        assert!(index.contains(&row), "the index lacks {row}");
        for part in [
            "## What it means",
            "## What users feel",
            "## How to see the cause",
            "## What to do",
            "## How to see that it is over",
        ] {
            assert!(runbook.contains(part), "{} lacks {part}", alert.runbook);
        }
    }
    for path in in_folder(RUNBOOKS, ".md") {
        let text = read(&path);
        // Runbooks of what is no alert name none.
        for line in text.lines().filter(|line| line.starts_with("Alerts: ")) {
            for name in line.split('`').skip(1).step_by(2) {
                assert!(names.contains(name), "{} names {name}", path.display());
            }
        }
    }
}

#[test]
fn what_is_the_runbook_of_no_alert_is_a_procedure_of_the_index() {
    let index = read(&of_repository(RUNBOOKS).join("README.md"));
    let (_, procedures) = index.split_once("\n## Procedures\n").unwrap();
    let alerts: BTreeSet<String> = alerts().into_iter().map(|it| it.runbook).collect();
    let mut listed = 0;
    for path in in_folder(RUNBOOKS, ".md") {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "README.md" || alerts.contains(name) {
            continue;
        }
        let text = read(&path);
        let title = text.lines().next().unwrap().strip_prefix("# ").unwrap();
        let row = format!("| [{title}]({name}) |");
        assert!(procedures.contains(&row), "the index lacks {row}");
        for part in [
            "## When",
            "## What users feel",
            "## How to see that it is over",
        ] {
            assert!(text.contains(part), "{name} lacks {part}");
        }
        listed += 1;
    }
    let rows = procedures
        .lines()
        .filter(|line| line.starts_with("| ["))
        .count();
    assert_eq!(rows, listed, "each procedure of the index is there");
}
