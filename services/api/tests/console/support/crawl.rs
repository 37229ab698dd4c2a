//! Following every link of the console.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use regex::Regex;

use super::{Client, Got};

/// As many pages of one kind as are looked at.
const MOST_ALIKE: usize = 12;

/// As many of those with a query: lists lead on to each of their pages, sorted and narrowed down in each way.
const MOST_ASKED: usize = 2;

/// A page that a link led to.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its path and query.
    pub(crate) at: String,
    /// What it has in common with others: its path without ids, and the names in its query.
    pub(crate) kind: String,
    /// What was answered.
    pub(crate) got: Got,
}

impl Page {
    /// Its path alone.
    pub(crate) fn path(&self) -> &str {
        self.at.split('?').next().unwrap_or_default()
    }

    /// The text of the first such element, as it stands in the page.
    pub(crate) fn inner(&self, element: &str) -> Option<String> {
        let (_, rest) = self.got.2.split_once(&format!("<{element}"))?;
        let (_, rest) = rest.split_once('>')?;
        let (text, _) = rest.split_once(&format!("</{element}>"))?;
        Some(unescaped(text))
    }
}

/// Every page that links lead to, from the first one on, as somebody sees it with this client.
pub(crate) async fn crawl(client: &Client) -> Vec<Page> {
    let link = Regex::new(r#"<a\s([^>]*)>"#).expect("a pattern");
    let href = Regex::new(r#"href="([^"]*)""#).expect("a pattern");
    let mut pages = Vec::new();
    let mut known = BTreeSet::from(["/console".to_owned()]);
    let mut alike: BTreeMap<String, usize> = BTreeMap::new();
    let mut ahead = VecDeque::from(["/console".to_owned()]);
    while let Some(at) = ahead.pop_front() {
        let got = client.get(&at).await;
        let here = at.split('?').next().unwrap_or_default();
        for attributes in link.captures_iter(&got.2).map(|found| found[1].to_owned()) {
            let Some(found) = href.captures(&attributes) else {
                continue;
            };
            let target = resolved(here, &unescaped(&found[1]));
            let Some(target) = target.filter(|_| !attributes.contains("download")) else {
                continue;
            };
            let of_kind = alike.entry(kind(&target)).or_default();
            let most = if target.contains('?') {
                MOST_ASKED
            } else {
                MOST_ALIKE
            };
            if *of_kind < most && known.insert(target.clone()) {
                *of_kind += 1;
                ahead.push_back(target);
            }
        }
        pages.push(Page {
            kind: kind(&at),
            at,
            got,
        });
    }
    pages
}

/// The path and query that a link leads to; none outside of the console, and of what is no page.
fn resolved(here: &str, link: &str) -> Option<String> {
    let link = link.split('#').next().unwrap_or_default();
    let target = match link.chars().next() {
        None => return None,
        Some('?') => format!("{here}{link}"),
        Some('/') => link.to_owned(),
        Some(_) => panic!("{here} leads to {link}, which is not of this host"),
    };
    let path = target.split('?').next().unwrap_or_default();
    let is_page = path == "/console" || path.starts_with("/console/");
    let is_file = path.starts_with("/console/assets/") || path.ends_with("/export");
    (is_page && !is_file).then_some(target)
}

fn kind(at: &str) -> String {
    let id = Regex::new(r"/([0-9a-f]{8}-[0-9a-f-]{27}|[0-9]+)\b").expect("a pattern");
    let (path, query) = at.split_once('?').unwrap_or((at, ""));
    let names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned());
    let names: BTreeSet<String> = names.collect();
    let names: Vec<String> = names.into_iter().collect();
    format!("{} {}", id.replace_all(path, "/{id}"), names.join(" "))
}

/// Without the escapes that templates write.
pub(crate) fn unescaped(text: &str) -> String {
    let escapes = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    escapes
        .iter()
        .fold(text.to_owned(), |text, (escape, meant)| {
            text.replace(escape, meant)
        })
}
