//! Conditions of a token as SQL, of the table `t`.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};
use tollkeeper_domain::token::Status;

pub(super) fn push_state(sql: &mut QueryBuilder<Postgres>, state: Status, now: DateTime<Utc>) {
    match state {
        Status::Active | Status::Suspended => sql
            .push(" and t.state = ")
            .push_bind(state.as_str())
            .push(" and (t.expires_at is null or t.expires_at > ")
            .push_bind(now)
            .push(")"),
        Status::Revoked => sql.push(" and t.state = 'revoked'"),
        Status::Expired => sql
            .push(" and t.state <> 'revoked' and t.expires_at <= ")
            .push_bind(now),
    };
}

pub(super) fn push_scope(sql: &mut QueryBuilder<Postgres>, scope: &str) {
    sql.push(" and t.scopes @> ")
        .push_bind(vec![scope.to_owned()]);
}

pub(super) fn push_prefix(sql: &mut QueryBuilder<Postgres>, prefix: &str) {
    sql.push(" and t.token_prefix like ")
        .push_bind(format!("{}%", literally(prefix)));
}

pub(super) fn push_search(sql: &mut QueryBuilder<Postgres>, search: &str) {
    sql.push(" and t.name ilike ")
        .push_bind(format!("%{}%", literally(search)));
}

/// The text as a pattern that only it matches.
fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// Whether the index on names can look for it: it knows three letters or digits in a row.
pub(super) fn has_trigram(search: &str) -> bool {
    search
        .split(|character: char| !character.is_alphanumeric())
        .any(|word| word.chars().count() >= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_nothing_but_its_text() {
        assert_eq!(literally(r"50%_\é"), r"50\%\_\\é");
    }

    #[test]
    fn a_word_of_three_is_looked_up() {
        assert!(has_trigram("a-key"));
        assert!(has_trigram("clé"));
        assert!(!has_trigram("a-b-c d"));
    }
}
