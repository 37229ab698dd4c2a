//! How answers are printed: as a table for people, or as the JSON that the API gave. Which of the
//! two does not depend on where the output goes, so that what works in a terminal works in a script.

use std::io::Write;

use clap::ValueEnum;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;

use super::api::Pages;
use super::failure::Failure;
use crate::out::complain;

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns, for people; what is in them may change
    Table,
    /// What the API answered; a list is an array of its items
    Json,
}

/// Prints answers in one format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output(Format);

/// A column's heading, and the member that it shows.
pub(crate) type Column = (&'static str, &'static str);

/// What is shown of one token, in this order and as far as it is there. Whatever else an answer
/// holds is in its JSON.
const MEMBERS: &[&str] = &[
    "token",
    "id",
    "account_id",
    "name",
    "environment",
    "token_prefix",
    "state",
    "scopes",
    "metadata",
    "allowed_cidrs",
    "rate_limits",
    "quotas",
    "not_before",
    "expires_at",
    "revocation_reason",
    "revoked_at",
    "cascade",
    "issued_by",
    "created_at",
    "updated_at",
    "version",
    "usage_count",
    "last_used_at",
];

impl Output {
    pub(crate) const fn new(format: Format) -> Self {
        Self(format)
    }

    /// A token.
    pub(crate) fn token(self, token: &Value) -> Result<(), Failure> {
        self.members(token, MEMBERS)
    }

    /// These members of an answer, one below the other.
    pub(crate) fn members(self, answer: &Value, members: &[&str]) -> Result<(), Failure> {
        if self.0 == Format::Json {
            return write_json(answer);
        }
        let shown = members.iter().filter(|name| !answer[**name].is_null());
        let rows = shown.map(|name| [(*name).to_owned(), cell(&answer[*name])]);
        write(&table(rows.collect(), None))
    }

    /// Items, one a row. Says so if there are others.
    pub(crate) fn rows(self, pages: Pages, columns: &[Column]) -> Result<(), Failure> {
        if self.0 == Format::Json {
            write_json(&Value::Array(pages.items))?;
        } else {
            let row = |item: &Value| -> Vec<String> {
                let cells = columns.iter().map(|(_, member)| cell(&item[*member]));
                cells.collect()
            };
            let rows: Vec<Vec<String>> = pages.items.iter().map(row).collect();
            let headings = columns.iter().map(|(heading, _)| *heading).collect();
            write(&table(rows, Some(headings)))?;
        }
        if pages.more {
            complain("there are more: see --limit and --all");
        }
        Ok(())
    }

    /// What an answer says, in rows; as JSON the answer itself.
    pub(crate) fn rows_of(
        self,
        answer: &Value,
        rows: Pages,
        columns: &[Column],
    ) -> Result<(), Failure> {
        if self.0 == Format::Json {
            return write_json(answer);
        }
        self.rows(rows, columns)
    }

    /// A text by itself, whatever the format.
    pub(crate) fn text(text: &str) -> Result<(), Failure> {
        write(text)
    }
}

/// A text on one line, without what a terminal would take for a command.
pub(crate) fn plain(text: &str) -> String {
    let shown = |it: char| if it.is_control() { '\u{fffd}' } else { it };
    text.chars().map(shown).collect()
}

fn cell(value: &Value) -> String {
    plain(&match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            texts.join(" ")
        }
        other => other.to_string(),
    })
}

fn table<R: IntoIterator<Item = String>>(rows: Vec<R>, headings: Option<Vec<&str>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    if let Some(headings) = headings {
        table.set_header(headings);
    }
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

fn write_json(value: &Value) -> Result<(), Failure> {
    write(&format!("{value:#}"))
}

/// Nobody may take an answer for printed that was not: a secret is shown once.
fn write(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    written.map_err(Failure::Output)
}
