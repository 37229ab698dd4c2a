//! `docs/operations.md` against the router, the description of the API, and the tests it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

use super::faults::IN_TURN;
use super::{OPERATIONS, Operation, Takes};

/// They speak of the API and are no operations of it.
const PAGES: [&str; 4] = [
    "GET /openapi.json",
    "GET /docs",
    "GET /docs/",
    "GET /docs/{name}",
];

/// They ask in other forms, or other callers, and are tried by themselves.
const BY_THEMSELVES: [&str; 16] = [
    "GET /v1/usage/completeness",
    "GET /v1/dead-letters",
    "GET /v1/dead-letters/{id}",
    "POST /v1/dead-letters/replay",
    "GET /v1/nodes",
    "DELETE /v1/nodes/{id}",
    "PUT /v1/nodes/{id}",
    "PUT /v1/nodes/{id}/usage",
    "POST /v1/nodes/lookup",
    "GET /v1/nodes/events",
    "POST /v1/nodes/ledger",
    "POST /v1/nodes/balances",
    "GET /v1/forward-auth",
    "POST /oauth/introspect",
    "POST /oauth/revoke",
    "POST /v1/leaks",
];

/// Of these only a panic could be a 500.
const READ_NOTHING: [&str; 22] = [
    "GET /v1/usage/completeness",
    "GET /v1/dead-letters",
    "GET /v1/dead-letters/{id}",
    "POST /v1/dead-letters/replay",
    "GET /v1/nodes",
    "DELETE /v1/nodes/{id}",
    "PUT /v1/nodes/{id}",
    "PUT /v1/nodes/{id}/usage",
    "POST /v1/nodes/lookup",
    "GET /v1/nodes/events",
    "POST /v1/nodes/ledger",
    "POST /v1/nodes/balances",
    "GET /v1/tokens/bulk-revoke/{id}",
    "GET /v1/audit",
    "GET /v1/usage",
    "GET /v1/usage/tokens",
    "POST /v1/usage",
    "POST /v1/webhooks",
    "POST /v1/verify",
    "POST /v1/verify/batch",
    "POST /oauth/introspect",
    "GET /v1/forward-auth",
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page() -> String {
    read("../../docs/operations.md")
}

/// An operation's statuses: those as everywhere, and those of its own.
type Row = (BTreeSet<u16>, BTreeSet<u16>);

fn statuses(text: &str) -> BTreeSet<u16> {
    let words = text.split([' ', ',', ':', ';']);
    words.filter_map(|word| word.parse().ok()).collect()
}

fn rows() -> BTreeMap<String, Row> {
    let page = page();
    let (_, table) = page.split_once("\n## Each operation\n").unwrap();
    let lines = table.lines().filter(|line| line.starts_with("| `"));
    let mut rows = BTreeMap::new();
    for line in lines.take_while(|line| line.contains(" /")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [operation, everywhere, own] = cells.as_slice() else {
            panic!("no three cells: {line}");
        };
        let name = operation.trim_matches('`').to_owned();
        let row = (statuses(everywhere), statuses(own));
        assert!(rows.insert(name, row).is_none(), "{operation} stands twice");
    }
    rows
}

/// What the description says of each operation.
fn described() -> BTreeMap<String, BTreeSet<u16>> {
    let document: Value = serde_json::from_str(&read("../../docs/openapi.json")).unwrap();
    let mut described = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap().keys();
            let statuses = responses.map(|status| status.parse().unwrap()).collect();
            described.insert(format!("{} {path}", method.to_uppercase()), statuses);
        }
    }
    described
}

#[test]
fn every_route_has_a_row() {
    let rows = rows();
    let route = Regex::new(r#"\.route\(\s*"([^"]+)""#).unwrap();
    let router = read("src/router.rs");
    for found in route.captures_iter(&router) {
        let path = &found[1];
        let has_row = rows.keys().any(|name| name.ends_with(&format!(" {path}")));
        assert!(has_row, "{path} has no row");
    }
    let listed: BTreeSet<&str> = rows.keys().map(String::as_str).collect();
    let described = described();
    let known = described.keys().map(String::as_str).chain(PAGES).collect();
    assert_eq!(listed, known);
}

#[test]
fn every_row_has_the_statuses_that_are_described() {
    let described = described();
    for (name, (everywhere, own)) in rows() {
        let Some(described) = described.get(&name) else {
            continue;
        };
        let mut expected = described.clone();
        if READ_NOTHING.contains(&name.as_str()) {
            expected.remove(&500);
        }
        let listed: BTreeSet<u16> = everywhere.union(&own).copied().collect();
        assert_eq!(listed, expected, "{name}");
    }
}

/// What the tests of this module show of the operation.
fn shown(operation: &Operation) -> BTreeSet<u16> {
    let name = operation.name();
    let mut shown = BTreeSet::from([400, 401, 403, 429, 503]);
    if operation.is_about_one() {
        shown.insert(404);
    }
    if IN_TURN.contains(&name.as_str()) {
        shown.insert(409);
    }
    if operation.versioned {
        shown.insert(412);
    }
    if !matches!(operation.takes, Takes::Nothing) {
        shown.extend([413, 415, 422]);
    }
    if !READ_NOTHING.contains(&name.as_str()) {
        shown.insert(500);
    }
    shown
}

#[test]
fn what_is_as_everywhere_is_tried_of_each() {
    let tried: BTreeMap<String, BTreeSet<u16>> = OPERATIONS
        .iter()
        .map(|operation| (operation.name(), shown(operation)))
        .collect();
    for (name, (everywhere, _)) in rows() {
        if [&PAGES[..], &BY_THEMSELVES]
            .concat()
            .contains(&name.as_str())
        {
            assert!(everywhere.is_empty(), "{name}");
        } else {
            let tried = tried.get(&name);
            let tried = tried.unwrap_or_else(|| panic!("list.rs has no {name}"));
            assert_eq!(&everywhere, tried, "{name}");
        }
    }
}

#[test]
fn every_test_that_is_named_is_there() {
    let name = Regex::new(r"`([a-z0-9_]+(?:::[a-z0-9_]+)*)::([a-z0-9_]+)`").unwrap();
    let page = page();
    let mut named = 0;
    for found in name.captures_iter(&page) {
        let module = found[1].replace("::", "/");
        let path = PathBuf::from("tests/http").join(format!("{module}.rs"));
        let source = read(path.to_str().unwrap());
        let test = Regex::new(&format!(
            r"#\[(tokio::)?test\]\n(async )?fn {}\(\)",
            &found[2]
        ));
        assert!(test.unwrap().is_match(&source), "{} is no test", &found[0]);
        named += 1;
    }
    assert!(named > 100, "{named}");
}
