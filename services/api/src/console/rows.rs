//! Rows of a form, such as those for rate limits and quotas: each column comes as a list.

/// The text in this row of a column.
pub(super) fn at(column: &[String], row: usize) -> String {
    let text = column.get(row).map(|text| text.trim());
    text.unwrap_or_default().to_owned()
}

/// A number as people type it: its thousands may stand apart.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits = text.chars().filter(|it| !matches!(it, ',' | ' ' | '_'));
    digits.collect::<String>().parse().ok()
}

/// A row of the quotas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct QuotaRow {
    /// What it is called.
    pub(super) name: String,
    /// How many uses it has.
    pub(super) uses: String,
    /// When it is full again.
    pub(super) refill: String,
}

impl QuotaRow {
    /// The rows in which something was typed.
    pub(super) fn typed(names: &[String], uses: &[String], refills: &[String]) -> Vec<Self> {
        let rows = (0..names.len()).map(|row| Self {
            name: at(names, row),
            uses: at(uses, row),
            refill: at(refills, row),
        });
        rows.filter(|row| !(row.name.is_empty() && row.uses.is_empty()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_as_people_type_them() {
        assert_eq!(number("1,000 000_0"), Some(10_000_000));
        assert_eq!(number(" 7 "), Some(7));
        for none in ["", "-1", "1.5", "many", "18446744073709551616"] {
            assert_eq!(number(none), None, "{none}");
        }
    }

    #[test]
    fn a_row_is_one_where_something_is_typed() {
        let column = |texts: [&str; 3]| texts.map(str::to_owned);
        let (names, uses) = (column([" month ", "", ""]), column(["", " 5 ", ""]));
        let rows = QuotaRow::typed(&names, &uses, &column(["monthly", "daily", "none"]));
        let rows = rows.iter().map(|it| [&*it.name, &it.uses, &it.refill]);
        let expected = [["month", "", "monthly"], ["", "5", "daily"]];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }
}
