//! What a panel asks, and whom.

use serde_json::{Value, json};

/// The data sources' uids, as `grafana/provisioning/datasources` gives them.
pub(super) const PROMETHEUS: &str = "tollkeeper-prometheus";
pub(super) const POSTGRES: &str = "tollkeeper-postgres";

/// A question to one of the data sources.
#[derive(Debug, Clone)]
pub(super) enum Query {
    /// An expression over the time that is looked at, or at its end alone.
    Prometheus {
        expression: String,
        legend: &'static str,
        instant: bool,
    },
    /// A statement whose rows are a table, or values over time.
    Postgres { sql: String, over_time: bool },
}

/// An expression over the time that is looked at.
pub(super) fn prom(expression: impl Into<String>, legend: &'static str) -> Query {
    Query::Prometheus {
        expression: expression.into(),
        legend,
        instant: false,
    }
}

/// An expression at the end of the time that is looked at.
pub(super) fn now(expression: impl Into<String>, legend: &'static str) -> Query {
    Query::Prometheus {
        expression: expression.into(),
        legend,
        instant: true,
    }
}

/// Rows.
pub(super) fn rows(sql: impl Into<String>) -> Query {
    Query::Postgres {
        sql: sql.into(),
        over_time: false,
    }
}

/// Rows with a `time`, a `metric` where there is more than one, and a value.
pub(super) fn over_time(sql: impl Into<String>) -> Query {
    Query::Postgres {
        sql: sql.into(),
        over_time: true,
    }
}

impl Query {
    pub(super) fn is_prometheus(&self) -> bool {
        matches!(self, Self::Prometheus { .. })
    }

    pub(super) fn to_json(&self, name: char, buckets: bool) -> Value {
        match self {
            Self::Prometheus {
                expression,
                legend,
                instant,
            } => json!({
                "refId": name,
                "datasource": { "type": "prometheus", "uid": PROMETHEUS },
                "editorMode": "code",
                "expr": expression,
                "legendFormat": legend,
                "instant": instant,
                "range": !instant,
                "format": match (buckets, *instant) {
                    (true, _) => "heatmap",
                    (false, true) => "table",
                    (false, false) => "time_series",
                },
            }),
            Self::Postgres { sql, over_time } => json!({
                "refId": name,
                "datasource": { "type": "grafana-postgresql-datasource", "uid": POSTGRES },
                "editorMode": "code",
                "rawQuery": true,
                "rawSql": sql,
                "format": if *over_time { "time_series" } else { "table" },
            }),
        }
    }
}
