//! The files of `grafana`, as they are shipped.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde::Deserialize;

/// A file or folder of the repository.
///
/// # Panics
/// When this package is not where it belongs.
#[must_use]
pub fn of_repository(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this package is two folders below the repository")
        .join(path)
}

/// A file's text.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder whose names end in this, sorted.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn in_folder(folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = of_repository(folder);
    let entries = fs::read_dir(&folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    paths.sort();
    paths
}

/// A dashboard, as far as it matters to what is asked and drawn.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    /// By which links find it.
    pub uid: String,
    /// Its name.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// Its panels, headings among them, from top to bottom.
    pub panels: Vec<Panel>,
    /// What the reader may choose.
    pub templating: Templating,
    /// What is marked on graphs.
    pub annotations: Annotations,
}

/// The variables of a dashboard.
#[derive(Debug, Clone, Deserialize)]
pub struct Templating {
    /// All of them.
    pub list: Vec<Variable>,
}

/// Something that the reader may choose.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    /// What expressions call it.
    pub name: String,
    /// How its values are found.
    pub definition: String,
    /// What stands for all of them.
    pub all_value: String,
}

/// The marks of a dashboard.
#[derive(Debug, Clone, Deserialize)]
pub struct Annotations {
    /// All of them.
    pub list: Vec<Annotation>,
}

/// Something that is marked on graphs.
#[derive(Debug, Clone, Deserialize)]
pub struct Annotation {
    /// When it is to be marked: an expression for Prometheus.
    pub expr: String,
}

/// A panel, or a heading.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Panel {
    /// How it shows the answers: `stat`, `timeseries`, …; `row` for a heading.
    #[serde(rename = "type")]
    pub kind: String,
    /// What stands above it.
    pub title: String,
    /// What it tells.
    #[serde(default)]
    pub description: String,
    /// Where it is.
    pub grid_pos: Place,
    /// What it asks.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// How its values are written and coloured.
    #[serde(default)]
    pub field_config: FieldConfig,
    /// Where it leads.
    #[serde(default)]
    pub links: Vec<Link>,
}

/// Where a panel is, on a grid of 24 columns.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Place {
    /// From the left.
    pub x: u32,
    /// From the top.
    pub y: u32,
    /// Columns.
    pub w: u32,
    /// Rows.
    pub h: u32,
}

/// A link to somewhere else.
#[derive(Debug, Clone, Deserialize)]
pub struct Link {
    /// Where it leads.
    pub url: String,
}

/// One question of a panel: an expression for Prometheus or a statement for Postgres.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Whom it is for.
    pub datasource: Datasource,
    /// An expression for Prometheus.
    #[serde(default)]
    pub expr: String,
    /// What its series are called.
    #[serde(default)]
    pub legend_format: String,
    /// Whether it is asked for the end of the time alone.
    #[serde(default)]
    pub instant: bool,
    /// A statement for Postgres.
    #[serde(default)]
    pub raw_sql: String,
    /// What the answer is: `time_series`, `table`, `heatmap`.
    pub format: String,
}

/// A data source by its uid.
#[derive(Debug, Clone, Deserialize)]
pub struct Datasource {
    /// As `grafana/provisioning` names it.
    pub uid: String,
}

/// How values are written and coloured.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct FieldConfig {
    /// Of all columns and series.
    pub defaults: Defaults,
    /// Of single columns.
    #[serde(default)]
    pub overrides: Vec<Override>,
}

/// How values are written and coloured, unless a column says otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Defaults {
    /// Grafana's name of the unit.
    pub unit: String,
    /// How many digits after the point.
    pub decimals: Option<usize>,
    /// The most that a bar shows.
    pub max: Option<f64>,
    /// From which value on which colour.
    pub thresholds: Thresholds,
    /// Texts in place of values.
    pub mappings: Vec<Mapping>,
    /// How lines are drawn.
    pub custom: Custom,
}

/// From which value on which colour.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Thresholds {
    /// The first one has no value.
    pub steps: Vec<Step>,
}

/// A colour from a value on.
#[derive(Debug, Clone, Deserialize)]
pub struct Step {
    /// The value; none for what is below all others.
    pub value: Option<f64>,
    /// The colour's name.
    pub color: String,
}

/// Texts in place of values.
#[derive(Debug, Clone, Deserialize)]
pub struct Mapping {
    /// By the value.
    pub options: std::collections::BTreeMap<String, Says>,
}

/// A text in place of a value.
#[derive(Debug, Clone, Deserialize)]
pub struct Says {
    /// The text.
    pub text: String,
    /// Its colour.
    pub color: String,
}

/// How lines are drawn.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Custom {
    /// Whether they lie on one another.
    pub stacking: Stacking,
}

/// Whether lines lie on one another.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Stacking {
    /// `normal` or `none`.
    pub mode: String,
}

/// How some columns or series are written.
#[derive(Debug, Clone, Deserialize)]
pub struct Override {
    /// Which ones.
    pub matcher: Matcher,
    /// What is different.
    pub properties: Vec<Property>,
}

/// Which columns or series.
#[derive(Debug, Clone, Deserialize)]
pub struct Matcher {
    /// `byName` or `byRegexp`.
    pub id: String,
    /// The name, or an expression between slashes.
    pub options: String,
}

impl FieldConfig {
    /// What is different for a column or a series of this name.
    ///
    /// # Panics
    /// When a matcher is of a kind that is not known here, or its expression is none.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Property> {
        let own = self.overrides.iter().filter(|it| it.matcher.is_for(name));
        own.flat_map(|it| &it.properties)
    }
}

impl Matcher {
    /// Whether a column or a series of this name is one of them.
    fn is_for(&self, name: &str) -> bool {
        match self.id.as_str() {
            "byName" => self.options == name,
            "byRegexp" => {
                let expression = self.options.trim_matches('/');
                Regex::new(expression)
                    .unwrap_or_else(|error| panic!("{error}"))
                    .is_match(name)
            }
            other => panic!("the matcher {other} is not known here"),
        }
    }
}

/// What is different.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "id", content = "value", rename_all = "camelCase")]
pub enum Property {
    /// The unit's name.
    Unit(String),
    /// The colour.
    Color(Fixed),
}

/// A colour of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fixed {
    /// Its name.
    pub fixed_color: String,
}

/// All dashboards that are shipped.
///
/// # Panics
/// When one is not of the form that Grafana reads.
#[must_use]
pub fn dashboards() -> Vec<Dashboard> {
    let files = in_folder("grafana/dashboards", ".json");
    files
        .iter()
        .map(|path| {
            serde_json::from_str(&read(path))
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        })
        .collect()
}

/// An alert of the rules that are shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// `critical` or `warning`.
    pub severity: String,
    /// The file in `docs/runbooks`.
    pub runbook: String,
}

/// The alerts of `grafana/prometheus/rules`, read from the lines that every one of them has.
///
/// # Panics
/// When one lacks its severity or its runbook.
#[must_use]
pub fn alerts() -> Vec<Alert> {
    let files = in_folder("grafana/prometheus/rules", ".yml");
    let text: String = files.iter().map(|path| read(path)).collect();
    let found = text.split("- alert: ").skip(1).map(|rule| {
        let name = rule.lines().next().unwrap_or_default().to_owned();
        let after = |key: &str| {
            let found = rule.split_once(key);
            let (_, rest) = found.unwrap_or_else(|| panic!("{name} has no {key}"));
            let end = rest.find(['\n', '\'']).unwrap_or(rest.len());
            rest[..end].to_owned()
        };
        Alert {
            severity: after("severity: "),
            runbook: after("runbook_url: '{{ or $externalLabels.runbooks \"docs/runbooks\" }}/"),
            name,
        }
    });
    found.collect()
}
