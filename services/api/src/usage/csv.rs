//! Answers as CSV: RFC 4180, lines ending in CRLF, with a line of names.
//!
//! Endpoints, methods and user agents are what strangers sent. A text that a spreadsheet would take
//! for a formula, because of how it begins, is given an apostrophe in front.

use std::borrow::Cow;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use csv::{Terminator, Writer, WriterBuilder};

use crate::http::problem::Problem;

/// A table that is being written.
pub(super) struct Table(Writer<Vec<u8>>);

impl Table {
    /// With these columns.
    pub(super) fn new(names: &[&str]) -> Result<Self, Problem> {
        let mut builder = WriterBuilder::new();
        let writer = builder.terminator(Terminator::CRLF).from_writer(Vec::new());
        let mut table = Self(writer);
        table.row(names)?;
        Ok(table)
    }

    /// Adds a line.
    pub(super) fn row<T: AsRef<[u8]>>(
        &mut self,
        cells: impl IntoIterator<Item = T>,
    ) -> Result<(), Problem> {
        self.0.write_record(cells).map_err(Problem::internal)
    }

    /// The answer.
    pub(super) fn into_response(self) -> Result<Response, Problem> {
        let bytes = self.0.into_inner().map_err(Problem::internal)?;
        let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
        let name = HeaderValue::from_static("attachment; filename=\"usage.csv\"");
        let headers = [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_DISPOSITION, name),
        ];
        Ok((headers, bytes).into_response())
    }
}

/// A text that no spreadsheet takes for a formula.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// A number, or nothing.
pub(super) fn number(number: Option<impl ToString>) -> String {
    number.map(|it| it.to_string()).unwrap_or_default()
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
