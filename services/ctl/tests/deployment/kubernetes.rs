//! The Kubernetes manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::yaml::{documents, python};
use crate::{settings, shipped};

const FOLDER: &str = "deploy/kubernetes";
const NAME: &str = "app.kubernetes.io/name";

async fn kustomization() -> Value {
    documents(&[shipped(FOLDER).join("kustomization.yaml")])
        .await
        .remove(0)
}

async fn files() -> Vec<PathBuf> {
    let kustomization = kustomization().await;
    let named = kustomization["resources"].as_array().unwrap().iter();
    named
        .map(|name| shipped(FOLDER).join(name.as_str().unwrap()))
        .collect()
}

async fn resources() -> Vec<Value> {
    documents(&files().await).await
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

fn of_kind<'a>(resources: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let found = resources.iter().filter(|it| it["kind"] == kind);
    found.collect()
}

/// Everything that makes pods.
fn workloads(resources: &[Value]) -> Vec<&Value> {
    ["StatefulSet", "Deployment", "Job"]
        .iter()
        .flat_map(|kind| of_kind(resources, kind))
        .collect()
}

async fn are_of_the_schema(files: &[PathBuf]) -> bool {
    let check = ["-m", "kubernetes_validate", "--strict", "-k", "1.34"].map(OsStr::new);
    let files = files.iter().map(|file| file.as_os_str());
    python(check.into_iter().chain(files))
        .await
        .status
        .success()
}

#[tokio::test]
async fn manifests_are_of_the_published_schemas() {
    assert!(are_of_the_schema(&files().await).await);
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("api.yaml");
    let api = fs::read_to_string(shipped(FOLDER).join("api.yaml")).unwrap();
    fs::write(&broken, api.replacen("serviceName:", "serviseName:", 1)).unwrap();
    assert!(!are_of_the_schema(&[broken]).await, "it would be seen");
}

#[tokio::test]
async fn every_manifest_is_named() {
    let named: BTreeSet<PathBuf> = files().await.into_iter().collect();
    let there = fs::read_dir(shipped(FOLDER)).unwrap();
    let there = there.map(|file| file.unwrap().path());
    let there = there.filter(|file| !file.ends_with("kustomization.yaml"));
    assert_eq!(there.collect::<BTreeSet<_>>(), named);
}

#[tokio::test]
async fn pods_may_do_little() {
    for workload in workloads(&resources().await) {
        let name = text(workload, "/metadata/name");
        let pod = &workload["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        assert_eq!(pod["enableServiceLinks"], false, "{name}");
        let of_pod = &pod["securityContext"];
        assert_eq!(of_pod["runAsNonRoot"], true, "{name}");
        assert_eq!(text(of_pod, "/seccompProfile/type"), "RuntimeDefault");
        for container in pod["containers"].as_array().unwrap() {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(context["capabilities"]["drop"][0], "ALL", "{name}");
            assert!(container["resources"]["limits"]["memory"].is_string());
        }
    }
}

#[tokio::test]
async fn programs_are_given_settings_that_they_read_and_files_that_are_mounted() {
    let resources = resources().await;
    let maps: BTreeMap<&str, &Value> = of_kind(&resources, "ConfigMap")
        .into_iter()
        .map(|map| (text(map, "/metadata/name"), &map["data"]))
        .collect();
    for workload in workloads(&resources) {
        let pod = &workload["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let program = text(container, "/command/0");
        let program = program.strip_prefix("/usr/local/bin/").unwrap();
        let mut variables = BTreeMap::new();
        for from in container["envFrom"].as_array().into_iter().flatten() {
            let map = maps[text(from, "/configMapRef/name")];
            for (name, value) in map.as_object().unwrap() {
                variables.insert(name.clone(), value.as_str().unwrap().to_owned());
            }
        }
        for variable in container["env"].as_array().into_iter().flatten() {
            let value = text(variable, "/value");
            let mount = text(container, "/volumeMounts/0/mountPath");
            let secrets = container["volumeMounts"].as_array().unwrap();
            let mounted = secrets
                .iter()
                .any(|mount| value.starts_with(text(mount, "/mountPath")));
            assert!(mounted, "{value} is not below {mount}");
            variables.insert(text(variable, "/name").to_owned(), value.to_owned());
        }
        settings::are_read_by(program, &variables);
        // What is to be in which secret is told to whoever makes it.
        let told = fs::read_to_string(shipped("docs/deployment.md")).unwrap();
        let secret = pod["volumes"].as_array().unwrap().iter();
        for secret in secret.filter_map(|it| it["secret"]["secretName"].as_str()) {
            assert!(told.contains(&format!("`{secret}`")), "{secret}");
        }
    }
}

#[tokio::test]
async fn what_selects_pods_finds_them_and_ports_are_those_of_the_programs() {
    let resources = resources().await;
    let pods: BTreeMap<&str, &Value> = workloads(&resources)
        .into_iter()
        .map(|it| &it["spec"]["template"])
        .map(|it| {
            (
                it["metadata"]["labels"][NAME].as_str().unwrap(),
                &it["spec"],
            )
        })
        .collect();
    let port_of = |pod: &str, port: &str| {
        let ports = pods[pod]["containers"][0]["ports"].as_array().unwrap();
        let found = ports.iter().find(|it| it["name"] == port);
        found.map(|it| it["containerPort"].as_u64().unwrap())
    };
    for service in of_kind(&resources, "Service") {
        let pod = service["spec"]["selector"][NAME].as_str().unwrap();
        for port in service["spec"]["ports"].as_array().unwrap() {
            assert!(
                port_of(pod, text(port, "/targetPort")).is_some(),
                "{service}"
            );
        }
    }
    for kind in ["StatefulSet", "Deployment", "PodDisruptionBudget"] {
        for it in of_kind(&resources, kind) {
            let pod = it["spec"]["selector"]["matchLabels"][NAME]
                .as_str()
                .unwrap();
            assert!(pods.contains_key(pod), "{it}");
        }
    }
    let maps = of_kind(&resources, "ConfigMap");
    for (pod, port, setting) in [
        ("tollkeeper-api", "http", "TOLLKEEPER_LISTEN"),
        ("tollkeeper-api", "internal", "TOLLKEEPER_INTERNAL_LISTEN"),
        (
            "tollkeeper-ingestor",
            "internal",
            "TOLLKEEPER_INTERNAL_LISTEN",
        ),
    ] {
        let map = maps.iter().find(|it| text(it, "/metadata/name") == pod);
        let address = map.unwrap()["data"][setting].as_str().unwrap();
        let (_, number) = address.rsplit_once(':').unwrap();
        assert_eq!(
            port_of(pod, port).map(|it| it.to_string()).as_deref(),
            Some(number)
        );
    }
    for pod in ["tollkeeper-api", "tollkeeper-ingestor"] {
        let container = &pods[pod]["containers"][0];
        for (probe, path) in [("readinessProbe", "/readyz"), ("livenessProbe", "/livez")] {
            let asked = &container[probe]["httpGet"];
            assert_eq!(
                (&asked["path"], &asked["port"]),
                (&path.into(), &"internal".into())
            );
        }
    }
}

#[tokio::test]
async fn a_spool_stays_when_its_pod_goes() {
    let resources = resources().await;
    let api = of_kind(&resources, "StatefulSet")[0];
    let spec = &api["spec"];
    assert_eq!(spec["volumeClaimTemplates"][0]["metadata"]["name"], "spool");
    let kept = &spec["persistentVolumeClaimRetentionPolicy"];
    assert_eq!(
        (&kept["whenDeleted"], &kept["whenScaled"]),
        (&"Retain".into(), &"Retain".into())
    );
    let service = text(spec, "/serviceName");
    let services = of_kind(&resources, "Service");
    assert!(
        services
            .iter()
            .any(|it| text(it, "/metadata/name") == service)
    );
    let mounts = spec["template"]["spec"]["containers"][0]["volumeMounts"]
        .as_array()
        .unwrap();
    let spool = mounts.iter().find(|it| it["name"] == "spool").unwrap();
    let maps = of_kind(&resources, "ConfigMap");
    let settings = maps
        .iter()
        .find(|it| text(it, "/metadata/name") == "tollkeeper-api");
    let folder = settings.unwrap()["data"]["TOLLKEEPER_SPOOL_DIR"]
        .as_str()
        .unwrap();
    assert!(folder.starts_with(text(spool, "/mountPath")));
}
