//! The order of the list: the heads of the columns that it can be sorted by, as links.

/// The order of a list that no other is asked for of.
const NEWEST: &str = "-created_at";

/// The columns, what they are sorted by, and whether a first click puts the last of it first.
const COLUMNS: [(&str, &str, bool); 4] = [
    ("Name", "name", false),
    ("Last used", "last_used_at", true),
    ("Expires", "expires_at", false),
    ("Created", "created_at", true),
];

/// The head of a column that the list can be sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heading {
    /// What it says.
    pub(super) label: &'static str,
    /// Where the list is sorted by it; in the other direction, if it already is.
    pub(super) href: String,
    /// How the list is sorted by it, in the words of `aria-sort`.
    pub(super) direction: Option<&'static str>,
}

/// The heads of the columns of a list that is sorted so. What leads to an order tells its address.
pub(super) fn headings(sort: &str, address: impl Fn(&str) -> String) -> [Heading; 4] {
    COLUMNS.map(|(label, column, is_descending_first)| {
        let (field, is_descending) = read(sort);
        let is_it = field == column;
        let leads_down = if is_it {
            !is_descending
        } else {
            is_descending_first
        };
        let target = match (column, leads_down) {
            // The order without a name.
            ("created_at", true) => String::new(),
            (column, true) => format!("-{column}"),
            (column, false) => column.to_owned(),
        };
        let direction = if is_descending {
            "descending"
        } else {
            "ascending"
        };
        Heading {
            label,
            href: address(&target),
            direction: is_it.then_some(direction),
        }
    })
}

/// What comes first in the order.
pub(super) fn words(sort: &str) -> &'static str {
    match read(sort) {
        ("name", false) => "by name",
        ("name", true) => "by name, from the end",
        ("last_used_at", false) => "by last use, the longest ago first",
        ("last_used_at", true) => "by last use, the latest first",
        ("expires_at", false) => "by expiry, the soonest first",
        ("expires_at", true) => "by expiry, the latest first",
        ("created_at", false) => "the oldest first",
        _ => "the newest first",
    }
}

/// The field and whether the last of it comes first.
fn read(sort: &str) -> (&str, bool) {
    let sort = if sort.is_empty() { NEWEST } else { sort };
    sort.strip_prefix('-')
        .map_or((sort, false), |it| (it, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sort: &str) -> Vec<String> {
        let headings = headings(sort, |to| format!("[{to}]")).into_iter();
        let told = headings.map(|it| format!("{} {}", it.href, it.direction.unwrap_or("none")));
        told.collect()
    }

    #[test]
    fn a_column_sorts_the_list_and_then_turns_it_round() {
        let newest = [
            "[name] none",
            "[-last_used_at] none",
            "[expires_at] none",
            "[created_at] descending",
        ];
        assert_eq!(told(""), newest);
        assert_eq!(told("-created_at"), newest);
        assert_eq!(told("name")[0], "[-name] ascending");
        assert_eq!(told("-name")[0], "[name] descending");
        assert_eq!(told("-last_used_at")[1], "[last_used_at] descending");
        assert_eq!(told("created_at")[3], "[] ascending");
        assert_eq!(told("name")[3], "[] none");
    }

    #[test]
    fn every_order_has_words() {
        let orders = [
            "",
            "created_at",
            "name",
            "-name",
            "expires_at",
            "-expires_at",
        ];
        let orders = orders.into_iter().chain(["last_used_at", "-last_used_at"]);
        let words: std::collections::BTreeSet<_> = orders.map(words).collect();
        assert_eq!(words.len(), 8);
    }
}
