//! A dashboard: rows of panels, variables, and the way to the others.

use serde_json::{Value, json};

use super::panel::{COLUMNS, Panel};
use super::query::{POSTGRES, PROMETHEUS};

/// What all our dashboards are found by.
const TAG: &str = "tollkeeper";

/// Something that the reader may choose.
#[derive(Debug, Clone, Copy)]
pub(super) enum Variable {
    /// The processes of a job, all of them at first.
    Instance { job: &'static str },
    /// What a statement tells as `__value` and `__text`; all of it at first, written as `all`.
    Rows {
        name: &'static str,
        label: &'static str,
        sql: &'static str,
    },
}

impl Variable {
    fn to_json(self) -> Value {
        let all = json!({ "text": "All", "value": "$__all", "selected": true });
        match self {
            Self::Instance { job } => {
                let query = format!("label_values(up{{job=~\"{job}\"}}, instance)");
                json!({
                    "type": "query",
                    "name": "instance",
                    "label": "Instance",
                    "datasource": { "type": "prometheus", "uid": PROMETHEUS },
                    "definition": query,
                    "query": { "qryType": 1, "query": query, "refId": "instance" },
                    "refresh": 2,
                    "sort": 1,
                    "multi": true,
                    "includeAll": true,
                    "allValue": ".+",
                    "current": all,
                })
            }
            Self::Rows { name, label, sql } => json!({
                "type": "query",
                "name": name,
                "label": label,
                "datasource": { "type": "grafana-postgresql-datasource", "uid": POSTGRES },
                "definition": sql,
                "query": sql,
                "refresh": 2,
                "multi": false,
                "includeAll": true,
                "allValue": "'all'",
                "current": all,
            }),
        }
    }
}

/// Panels under a heading.
#[derive(Debug)]
pub(super) struct Row {
    title: &'static str,
    panels: Vec<Panel>,
}

impl Row {
    pub(super) fn new(title: &'static str, panels: impl Into<Vec<Panel>>) -> Self {
        let panels = panels.into();
        Self { title, panels }
    }
}

/// A dashboard being described.
#[derive(Debug)]
pub(super) struct Dashboard {
    pub(super) uid: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    /// What is looked at if nobody says otherwise, such as `now-1h`.
    pub(super) since: &'static str,
    pub(super) variables: Vec<Variable>,
    pub(super) rows: Vec<Row>,
}

impl Dashboard {
    /// The dashboard as Grafana reads it from a file.
    pub(super) fn to_json(&self) -> Value {
        let variables: Vec<Value> = self.variables.iter().map(|it| it.to_json()).collect();
        json!({
            "uid": self.uid,
            "title": format!("Tollkeeper: {}", self.title),
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": 41,
            "editable": false,
            "graphTooltip": 1,
            "timezone": "browser",
            "refresh": "30s",
            "time": { "from": self.since, "to": "now" },
            "templating": { "list": variables },
            "annotations": { "list": [self.alerts()] },
            "links": [{
                "type": "dashboards",
                "title": "Tollkeeper",
                "tags": [TAG],
                "asDropdown": false,
                "includeVars": false,
                "keepTime": true,
                "targetBlank": false,
            }],
            "panels": self.panels(),
        })
    }

    /// Marks on every graph where an alert was firing.
    fn alerts(&self) -> Value {
        json!({
            "name": "Alerts",
            "enable": true,
            "iconColor": "red",
            "datasource": { "type": "prometheus", "uid": PROMETHEUS },
            "expr": "ALERTS{alertname=~\"Tollkeeper.+\", alertstate=\"firing\"}",
            "titleFormat": "{{alertname}}",
            "textFormat": "{{instance}}",
            "step": "60s",
        })
    }

    /// Panels from left to right, as far as they have room, under the headings.
    fn panels(&self) -> Vec<Value> {
        let mut panels = Vec::new();
        let mut y = 0;
        for row in &self.rows {
            panels.push(json!({
                "id": panels.len() + 1,
                "type": "row",
                "title": row.title,
                "collapsed": false,
                "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 },
                "panels": [],
            }));
            y += 1;
            let (mut x, mut tallest) = (0, 0);
            for panel in &row.panels {
                let (width, height) = panel.dimensions();
                if x + width > COLUMNS {
                    (x, y, tallest) = (0, y + tallest, 0);
                }
                panels.push(panel.to_json(panels.len() as u64 + 1, x, y));
                x += width;
                tallest = tallest.max(height);
            }
            y += tallest;
        }
        panels
    }
}
