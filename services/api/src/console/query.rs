//! Query strings and paths of pages: the URL is their state.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// What a form gave; a field that was left empty gives nothing.
pub(super) fn given(text: Option<&String>) -> Option<&str> {
    let text = text.map(|text| text.trim());
    text.filter(|text| !text.is_empty())
}

/// The path with those of these that are there.
pub(super) fn url(path: &str, parts: &[(&str, Option<&str>)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parts {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// A text as one part of a path, whatever it holds.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_empty_is_not_in_the_url() {
        let typed = [Some("a&b".to_owned()), Some("  ".to_owned()), None];
        let [some, empty, none] = typed.each_ref().map(|it| given(it.as_ref()));
        let parts = [("q", some), ("r", empty), ("s", none)];
        assert_eq!(url("/console", &parts), "/console?q=a%26b");
        assert_eq!(url("/console", &parts[1..]), "/console");
    }

    #[test]
    fn a_text_leads_to_no_other_path() {
        assert_eq!(segment("month"), "month");
        assert_eq!(segment("../a?b#c d"), "%2E%2E%2Fa%3Fb%23c%20d");
    }
}
