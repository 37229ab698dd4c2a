//! What is around every page: the head of the document, the way to the other pages, and who is signed in.

use super::asker::Known;
use super::assets;
use super::session::{Person, Role, SignedIn};

/// A part of the console that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The first page.
    Home,
    /// Tokens and what belongs to them.
    Tokens,
    /// What tokens were used for.
    Usage,
    /// How the installation does.
    Operation,
    /// Owners of tokens.
    Accounts,
    /// Who may sign in.
    People,
    /// Whoever is signed in.
    You,
}

/// One entry of the navigation.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where it leads.
    pub(super) path: &'static str,
    /// What it says.
    pub(super) name: &'static str,
    /// Whether the page belongs there.
    pub(super) is_here: bool,
}

const ENTRIES: [(Place, &str, &str); 3] = [
    (Place::Home, "/console", "Home"),
    (Place::Tokens, "/console/tokens", "Tokens"),
    (Place::Usage, "/console/usage", "Usage"),
];

const OF_OPERATORS: [(Place, &str, &str); 3] = [
    (Place::Operation, "/console/operation", "Operation"),
    (Place::Accounts, "/console/accounts", "Accounts"),
    (Place::People, "/console/people", "People"),
];

/// How a notice looks, and how screen readers tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Something was done.
    Good,
    /// Something was refused.
    Bad,
    /// Something to know.
    Info,
}

impl Tone {
    /// As the styles name it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Info => "info",
        }
    }
}

/// A sentence above the page.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    /// How it looks.
    pub(super) tone: Tone,
    /// What it says.
    pub(super) text: String,
}

/// What is around a page.
#[derive(Debug)]
pub(super) struct Frame {
    /// The page's title.
    pub(super) title: String,
    /// Where it belongs; none for whoever is not signed in.
    pub(super) entries: Vec<Entry>,
    /// Who is signed in, by their address.
    pub(super) email: Option<String>,
    /// Whether that is the page about them.
    pub(super) is_you: bool,
    /// What every form of whoever is signed in carries, as `form_token`.
    pub(super) form_token: String,
    /// A sentence above the page.
    pub(super) notice: Option<Notice>,
}

impl Frame {
    /// Around a page for whoever is signed in.
    pub(super) fn new(signed_in: &SignedIn, place: Place, title: impl Into<String>) -> Self {
        let frame = Self::around(&signed_in.person, &signed_in.form_token, Some(place));
        frame.called(title)
    }

    /// Around what belongs to no place: for whoever is signed in, or somebody who is not known.
    pub(super) fn nowhere(known: Option<&Known>, title: impl Into<String>) -> Self {
        match known {
            Some(it) => Self::around(&it.person, &it.form_token, None).called(title),
            None => Self::outside(title),
        }
    }

    fn around(person: &Person, form_token: &str, place: Option<Place>) -> Self {
        let more: &[_] = match person.role {
            Role::Operator => &OF_OPERATORS,
            Role::User(_) => &[],
        };
        let entries = ENTRIES.iter().chain(more);
        let entries = entries.map(|&(of, path, name)| Entry {
            path,
            name,
            is_here: Some(of) == place,
        });
        Self {
            entries: entries.collect(),
            email: Some(person.email.clone()),
            is_you: place == Some(Place::You),
            form_token: form_token.to_owned(),
            ..Self::outside("")
        }
    }

    fn called(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Around a page for somebody who is not signed in.
    pub(super) fn outside(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            entries: Vec::new(),
            email: None,
            is_you: false,
            form_token: String::new(),
            notice: None,
        }
    }

    /// The same with a sentence above the page.
    pub(super) fn saying(mut self, tone: Tone, text: impl Into<String>) -> Self {
        let text = text.into();
        self.notice = Some(Notice { tone, text });
        self
    }

    /// Where the styles are.
    pub(super) fn style(&self) -> &'static str {
        assets::style()
    }

    /// Where the script is.
    pub(super) fn script(&self) -> &'static str {
        assets::script()
    }

    /// Where the icon is.
    pub(super) fn icon(&self) -> &'static str {
        assets::icon()
    }
}
