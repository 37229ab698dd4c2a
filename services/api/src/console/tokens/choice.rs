//! The options of a select.

/// One of several, of which one is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// What the form sends.
    pub(super) value: String,
    /// What it says.
    pub(super) name: String,
    /// Whether it is chosen.
    pub(super) is_chosen: bool,
}

/// These, with that of this value chosen; a value that is none of them is added as it is.
pub(super) fn choices(all: &[(&str, &str)], chosen: &str) -> Vec<Choice> {
    let choice = |value: &str, name: &str| Choice {
        value: value.to_owned(),
        name: name.to_owned(),
        is_chosen: value == chosen,
    };
    let mut choices: Vec<Choice> = all
        .iter()
        .map(|(value, name)| choice(value, name))
        .collect();
    if !choices.iter().any(|choice| choice.is_chosen) && !chosen.is_empty() {
        choices.push(choice(chosen, chosen));
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_is_always_there() {
        let all = [("", "Any"), ("live", "live")];
        let chosen = |value| -> Vec<String> {
            let all = choices(&all, value).into_iter();
            all.filter(|it| it.is_chosen).map(|it| it.name).collect()
        };
        assert_eq!(chosen(""), ["Any"]);
        assert_eq!(chosen("live"), ["live"]);
        assert_eq!(chosen("elsewhere"), ["elsewhere"]);
    }
}
