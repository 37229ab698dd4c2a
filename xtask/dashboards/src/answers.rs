//! What a panel is answered.

use sqlx::{Column, PgPool, Row, ValueRef};

use crate::files::{Dashboard, Panel, Target};
use crate::grafana::{self, Choice, Range};
use crate::prometheus::{Prometheus, Series};

/// The answer to one question of a panel.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Of Prometheus.
    Series(Vec<Series>),
    /// Of Postgres.
    Rows(Rows),
}

/// Rows, as texts.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// Each with a value for every column.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Answer {
    /// Whether there is anything to be shown: a row, or a number at any moment.
    #[must_use]
    pub fn is_something(&self) -> bool {
        match self {
            Self::Series(series) => series
                .iter()
                .flat_map(|it| &it.points)
                .any(|(_, value)| value.is_finite()),
            Self::Rows(rows) => rows.rows.iter().flatten().any(Option::is_some),
        }
    }
}

/// Whom the panels ask.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// For expressions.
    pub prometheus: &'a Prometheus,
    /// For statements, with the rights that the dashboards have.
    pub postgres: &'a PgPool,
}

impl Sources<'_> {
    /// The answers to all questions of a panel.
    ///
    /// # Errors
    /// What the server says of a question that it cannot answer, with the question.
    pub async fn of_panel(
        &self,
        panel: &Panel,
        range: &Range,
        choices: &[Choice],
    ) -> Result<Vec<Answer>, String> {
        let mut answers = Vec::with_capacity(panel.targets.len());
        for target in &panel.targets {
            answers.push(self.of_target(target, range, choices).await?);
        }
        Ok(answers)
    }

    /// The answer to one question.
    ///
    /// # Errors
    /// As [`Sources::of_panel`].
    pub async fn of_target(
        &self,
        target: &Target,
        range: &Range,
        choices: &[Choice],
    ) -> Result<Answer, String> {
        if !target.raw_sql.is_empty() {
            let sql = grafana::statement(&target.raw_sql, range, choices);
            let rows = self.rows(&sql).await;
            return rows
                .map(Answer::Rows)
                .map_err(|error| format!("{error}: {sql}"));
        }
        let expression = grafana::expression(&target.expr, range, choices);
        let asked = if target.instant {
            self.prometheus.at(&expression, range.to).await
        } else {
            self.prometheus.over(&expression, range).await
        };
        asked
            .map(Answer::Series)
            .map_err(|error| format!("{error}: {expression}"))
    }

    /// The rows of a statement, by the simple protocol, which answers in texts.
    ///
    /// # Errors
    /// When the database refuses it.
    pub async fn rows(&self, sql: &str) -> Result<Rows, sqlx::Error> {
        let found = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_all(self.postgres)
            .await?;
        let columns = found.first().map(|row| row.columns().to_vec());
        let mut rows = Rows {
            columns: columns
                .unwrap_or_default()
                .iter()
                .map(|column| column.name().to_owned())
                .collect(),
            rows: Vec::with_capacity(found.len()),
        };
        for row in &found {
            let values = (0..row.len()).map(|index| {
                let raw = row.try_get_raw(index)?;
                if raw.is_null() {
                    return Ok(None);
                }
                let text = raw.as_str().map_err(sqlx::Error::Decode)?;
                Ok(Some(text.to_owned()))
            });
            rows.rows.push(values.collect::<Result<_, sqlx::Error>>()?);
        }
        Ok(rows)
    }
}

/// The panels that ask something, with the heading each is under.
pub fn panels(dashboard: &Dashboard) -> impl Iterator<Item = &Panel> {
    dashboard.panels.iter().filter(|panel| panel.kind != "row")
}
