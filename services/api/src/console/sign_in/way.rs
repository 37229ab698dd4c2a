//! Where the way leads after somebody is signed in.

use crate::console::PREFIX;

/// No page has a longer address.
const LONGEST: usize = 2000;

/// The path that was asked for, if it is one of our own pages; else the first page. Whoever leads somebody to
/// the sign-in chooses it, and must not lead them away from here.
pub(in crate::console) fn own(path: &str) -> &str {
    let rest = path.strip_prefix(PREFIX);
    let is_page = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let is_plain = path.len() <= LONGEST && path.bytes().all(|byte| byte.is_ascii_graphic());
    let leads_back = ["/console/sign-in", "/console/sign-out", "/console/password"]
        .iter()
        .any(|it| path.starts_with(it));
    let climbs = path.contains("..") || path.contains('\\') || path.contains("//");
    if is_page && is_plain && !leads_back && !climbs {
        path
    } else {
        PREFIX
    }
}

/// A path with `next` in its query.
pub(super) fn with_next(path: &str, next: &str) -> String {
    if next == PREFIX {
        return path.to_owned();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    format!("{path}?{}", query.append_pair("next", next).finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_leads_to_our_own_pages_alone() {
        for page in [
            "/console",
            "/console/tokens?state=active&q=%2F%2F",
            "/console?x=1",
        ] {
            assert_eq!(own(page), page);
        }
        for other in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/console",
            "/consoles",
            "/v1/tokens",
            "/console/../v1/tokens",
            "/console//evil.example",
            "/console/\\evil",
            "/console/a b",
            "/console/\r\nSet-Cookie:x",
            "/console/sign-in?next=/console",
            "/console/sign-out",
            "javascript:alert(1)",
        ] {
            assert_eq!(own(other), "/console", "{other}");
        }
    }
}
