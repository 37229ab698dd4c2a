//! The document against the router, the source and itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tollkeeper_domain::verdict::Verdict;

use super::document;

/// They describe the API and are no part of it.
const PAGES: [&str; 4] = ["/openapi.json", "/docs", "/docs/", "/docs/{name}"];

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn parsed() -> Value {
    serde_json::from_str(&document()).unwrap()
}

/// Every operation with its method and path.
fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, item)| {
        let methods = METHODS.iter().filter_map(move |method| {
            let operation = item.get(method)?;
            Some((format!("{method} {path}"), operation))
        });
        methods.collect::<Vec<_>>()
    })
}

/// What the router's source routes, as method and path.
fn routed() -> BTreeSet<String> {
    let source = include_str!("../router.rs");
    for other in [
        ".nest(",
        ".route_service(",
        ".nest_service(",
        "any(",
        " on(",
        ".on(",
    ] {
        assert!(
            !source.contains(other),
            "this test does not understand {other}"
        );
    }
    let mut found = BTreeSet::new();
    for route in source.split(".route(").skip(1) {
        let path = route.split('"').nth(1).unwrap();
        if PAGES.contains(&path) {
            continue;
        }
        let before = found.len();
        for method in METHODS {
            if route.contains(&format!("{method}(")) {
                found.insert(format!("{method} {path}"));
            }
        }
        assert!(found.len() > before, "no method is known for {path}");
    }
    found
}

#[test]
fn whatever_is_created_can_be_asked_for_again() {
    let document = parsed();
    let mut created = 0;
    for (name, operation) in operations(&document) {
        let made = &operation["responses"]["201"];
        if made.is_null() {
            continue;
        }
        created += 1;
        let parameters = operation["parameters"].as_array();
        let takes_key = parameters
            .into_iter()
            .flatten()
            .any(|it| it["name"] == "Idempotency-Key");
        assert!(takes_key, "{name} takes no key");
        let replayed = &made["headers"]["Idempotency-Replayed"];
        assert!(replayed.is_object(), "{name} does not say it");
    }
    assert!(
        created > 5,
        "the document names its statuses in another way"
    );
}

#[test]
fn documents_exactly_what_is_routed() {
    let document = parsed();
    let documented: BTreeSet<String> = operations(&document).map(|(name, _)| name).collect();
    let mut routed = routed();
    // Taken out before the router.
    routed.insert("get /v1/forward-auth".to_owned());
    let without = |left: &BTreeSet<String>, right| {
        let names = left.difference(right).map(|name| format!("\n    {name}"));
        names.collect::<String>()
    };
    let missing = without(&routed, &documented);
    assert!(
        missing.is_empty(),
        "routed but not described:{missing}\nhow to describe an operation stands at the top of \
         src/openapi.rs",
    );
    let gone = without(&documented, &routed);
    assert!(gone.is_empty(), "described but not routed:{gone}");
}

#[test]
fn every_operation_has_a_name_of_its_own_a_tag_a_summary_and_errors() {
    let document = parsed();
    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().collect();
    let mut names = BTreeSet::new();
    for (operation, described) in operations(&document) {
        let name = described["operationId"].as_str().unwrap();
        assert!(
            names.insert(name.to_owned()),
            "{operation}: {name} is taken"
        );
        assert!(
            described["summary"].is_string(),
            "{operation} has no summary"
        );
        let tag = &described["tags"][0];
        assert!(
            tags.iter().any(|known| known["name"] == *tag),
            "{operation}: {tag}"
        );
        for status in ["400", "500", "503"] {
            let response = &described["responses"][status];
            assert!(response.is_object(), "{operation} says nothing of {status}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = parsed();
    visit(&document, &mut |key, value| {
        if key == "$ref" {
            let target = value.as_str().unwrap().strip_prefix('#').unwrap();
            assert!(document.pointer(target).is_some(), "{target} is not there");
        }
    });
}

/// Bodies in requests and in successes; those of errors are in the errors' own examples.
#[test]
fn every_body_has_an_example() {
    let document = parsed();
    for (operation, described) in operations(&document) {
        let request = described.get("requestBody").into_iter();
        let responses = described["responses"].as_object().unwrap().values();
        for body in request.chain(responses) {
            for content in body["content"]
                .as_object()
                .into_iter()
                .flat_map(|it| it.values())
            {
                assert!(
                    content.get("example").is_some() || has_example(&document, &content["schema"]),
                    "{operation} has a body without an example: {content}"
                );
            }
        }
    }
}

fn has_example(document: &Value, schema: &Value) -> bool {
    if let Some(target) = schema["$ref"].as_str() {
        return has_example(document, document.pointer(&target[1..]).unwrap());
    }
    schema.get("example").is_some()
        || schema.get("examples").is_some()
        || schema
            .get("items")
            .is_some_and(|items| has_example(document, items))
        || schema["allOf"]
            .as_array()
            .is_some_and(|parts| parts.iter().any(|part| has_example(document, part)))
        || schema["properties"].as_object().is_some_and(|properties| {
            properties
                .values()
                .any(|property| has_example(document, property))
        })
}

/// A default that does not fit its own schema would be one that no value fits.
#[test]
fn every_default_is_what_its_schema_allows() {
    let document = parsed();
    let parameters = operations(&document).flat_map(|(operation, described)| {
        let parameters = described["parameters"].as_array().into_iter().flatten();
        parameters.map(move |it| (format!("{} of {operation}", it["name"]), &it["schema"]))
    });
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let properties = schemas.iter().flat_map(|(schema, described)| {
        let properties = described["properties"].as_object().into_iter().flatten();
        properties.map(move |(name, property)| (format!("{name} of {schema}"), property))
    });
    let mut seen = 0;
    for (name, schema) in parameters.chain(properties) {
        visit(schema, &mut |key, default| {
            if key == "default" {
                seen += 1;
                assert!(fits(&document, schema, default), "{name}: {schema}");
            }
        });
    }
    assert!(seen > 30, "defaults are written in another way: {seen}");
}

/// Whether a schema allows a value, by what schemas of the document say of plain ones.
fn fits(document: &Value, schema: &Value, value: &Value) -> bool {
    let by = |keyword: &str| schema.get(keyword);
    let list = |keyword: &str| by(keyword).and_then(Value::as_array);
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let number = value.as_i64();
    let bound = |keyword: &str| by(keyword).and_then(Value::as_i64).zip(number);
    let target = by("$ref").and_then(Value::as_str);
    target.is_none_or(|it| fits(document, document.pointer(&it[1..]).unwrap(), value))
        && list("allOf").is_none_or(|all| all.iter().all(|it| fits(document, it, value)))
        && list("oneOf").is_none_or(|one| one.iter().any(|it| fits(document, it, value)))
        && by("type").is_none_or(|it| match it.as_array() {
            Some(kinds) => kinds.iter().any(|it| it == kind),
            None => it == kind,
        })
        && list("enum").is_none_or(|all| all.contains(value))
        && bound("minimum").is_none_or(|(least, number)| number >= least)
        && bound("maximum").is_none_or(|(most, number)| number <= most)
}

#[test]
fn every_request_refuses_unknown_fields() {
    let document = parsed();
    for (operation, described) in operations(&document) {
        let schema = &described["requestBody"]["content"]["application/json"]["schema"];
        if let Some(target) = schema["$ref"].as_str() {
            let schema = document.pointer(&target[1..]).unwrap();
            assert_eq!(schema["additionalProperties"], false, "{operation}");
        }
    }
}

#[test]
fn verdicts_are_written_as_they_are_answered() {
    let codes = Verdict::ALL.map(Verdict::code);
    let document = parsed();
    let documented = document["components"]["schemas"]["Verdict"]["enum"].clone();
    assert_eq!(documented, serde_json::to_value(codes).unwrap());
}

/// A code that stands in the source stands in the document.
#[test]
fn every_code_is_documented() {
    let document = parsed();
    let mut documented = BTreeSet::new();
    let responses = document["components"]["responses"].as_object().unwrap();
    // OAuth has no word of its own for it.
    documented.insert("INVALID_FORM".to_owned());
    for response in responses.values() {
        visit(response, &mut |key, value| {
            if key == "code"
                && let Some(codes) = value["enum"].as_array()
            {
                documented.extend(codes.iter().map(|code| code.as_str().unwrap().to_owned()));
            }
        });
    }
    let mut seen = 0;
    each_source(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut |text| {
            for maker in ["bad_request(", "bad_credential(", "forbidden(", "conflict("] {
                for call in text.split(&format!("Problem::{maker}")).skip(1) {
                    let argument = call.trim_start();
                    if let Some(code) = argument
                        .strip_prefix('"')
                        .and_then(|it| it.split('"').next())
                    {
                        seen += 1;
                        assert!(documented.contains(code), "{code} is not documented");
                    }
                }
            }
        },
    );
    assert!(seen > 10, "the source names its codes in another way");
}

fn each_source(folder: &Path, look: &mut dyn FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // What pages answer is for people.
        if path.ends_with("src/console") {
            continue;
        }
        if path.is_dir() {
            each_source(&path, look);
        } else {
            let text = fs::read_to_string(path).unwrap();
            // As both are written within the type's own file and outside of it.
            look(&text.replace("Self::", "Problem::"));
        }
    }
}

fn visit(value: &Value, look: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                look(key, value);
                visit(value, look);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, look)),
        _ => {}
    }
}
