//! Reading YAML, and asking others whether it is of a published form.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tollkeeper_testkit::python_packages;

/// They carry the published schemas with them, so that nothing is fetched.
const PACKAGES: &[&str] = &["check-jsonschema==0.39.0", "kubernetes-validate==1.37.0"];

const TO_JSON: &str = "
import json, sys, yaml
print(json.dumps([d for f in sys.argv[1:] for d in yaml.safe_load_all(open(f)) if d is not None]))
";

/// All documents of these files, anchors and merges resolved.
pub(crate) async fn documents<P: AsRef<Path>>(files: &[P]) -> Vec<Value> {
    let files = files.iter().map(|file| file.as_ref().as_os_str());
    let read = python(["-c", TO_JSON].map(OsStr::new).into_iter().chain(files)).await;
    assert!(read.status.success(), "{read:?}");
    serde_json::from_slice(&read.stdout).unwrap()
}

/// What a Python of these arguments answers, with the packages at hand.
pub(crate) async fn python<'a>(arguments: impl IntoIterator<Item = &'a OsStr>) -> Output {
    let packages = python_packages("manifests", PACKAGES).await;
    Command::new("python3")
        .args(arguments)
        .env("PYTHONPATH", packages)
        .output()
        .unwrap()
}
