//! Answers as CSV: RFC 4180, lines ending in CRLF, with a line of names.
//!
//! Endpoints, methods and user agents are what strangers sent. A text that a spreadsheet would take
//! for a formula, because of how it begins, is given an apostrophe in front.

use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use csv::{Terminator, Writer, WriterBuilder};
use serde::Deserialize;
use utoipa::ToSchema;

pub(crate) use tollkeeper_read_model::audit::text;

use super::problem::Problem;

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageFormat, default = "json")]
pub(crate) enum Format {
    #[default]
    Json,
    /// RFC 4180, with a line of names.
    Csv,
}

/// A table that is being written.
pub(crate) struct Table(Writer<Vec<u8>>);

impl Table {
    /// With these columns.
    pub(crate) fn new(names: &[&str]) -> Result<Self, Problem> {
        let mut builder = WriterBuilder::new();
        let writer = builder.terminator(Terminator::CRLF).from_writer(Vec::new());
        let mut table = Self(writer);
        table.row(names)?;
        Ok(table)
    }

    /// Adds a line.
    pub(crate) fn row<T: AsRef<[u8]>>(
        &mut self,
        cells: impl IntoIterator<Item = T>,
    ) -> Result<(), Problem> {
        self.0.write_record(cells).map_err(Problem::internal)
    }

    /// The answer, to be saved as `usage.csv`.
    pub(crate) fn into_response(self) -> Result<Response, Problem> {
        self.into_file(HeaderValue::from_static(
            "attachment; filename=\"usage.csv\"",
        ))
    }

    /// The answer, with what is to become of it.
    pub(crate) fn into_file(self, disposition: HeaderValue) -> Result<Response, Problem> {
        let bytes = self.0.into_inner().map_err(Problem::internal)?;
        let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
        let headers = [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_DISPOSITION, disposition),
        ];
        Ok((headers, bytes).into_response())
    }
}

/// A number, or nothing.
pub(crate) fn number(number: Option<impl ToString>) -> String {
    number.map(|it| it.to_string()).unwrap_or_default()
}

/// The same question from there on: RFC 8288.
pub(crate) fn next_page(uri: &Uri, cursor: &str) -> Result<(HeaderName, HeaderValue), Problem> {
    let query = uri.query().unwrap_or_default().split('&');
    let kept: Vec<&str> = query.filter(|it| !it.starts_with("cursor=")).collect();
    let (path, kept) = (uri.path(), kept.join("&"));
    let link = format!("<{path}?{kept}&cursor={cursor}>; rel=\"next\"");
    let link = HeaderValue::try_from(link).map_err(Problem::internal)?;
    Ok((header::LINK, link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be_and_no_formula_gets_through() {
        let mut table = Table::new(&["a", "b"]).unwrap();
        for cell in [
            "plain",
            "=1+1",
            "-1",
            "+1",
            "@x",
            "\t=1",
            "a,b",
            "say \"x\"",
            "a\r\nb",
            "",
        ] {
            table.row([&*text(cell), "1"]).unwrap();
        }
        let bytes = table.0.into_inner().unwrap();
        let expected = "a,b\r\nplain,1\r\n'=1+1,1\r\n'-1,1\r\n'+1,1\r\n'@x,1\r\n'\t=1,1\r\n\
            \"a,b\",1\r\n\"say \"\"x\"\"\",1\r\n\"a\r\nb\",1\r\n,1\r\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
}
