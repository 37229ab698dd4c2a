//! Whose credential a request presents, as soon as that is known, whether or not it is good for
//! anything.

use std::sync::{Arc, OnceLock};

use tollkeeper_domain::account::Role;
use tollkeeper_domain::ids::{AccountId, TokenId};

/// Takes in whose credential it is. An extension of each request; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holder(Arc<OnceLock<Known>>);

#[derive(Debug)]
enum Known {
    Operator(String),
    Token(TokenId, AccountId, Role),
    Account(AccountId),
}

impl Holder {
    /// It is the operator key of this name.
    pub(crate) fn is_operator(&self, name: &str) {
        self.set(Known::Operator(name.to_owned()));
    }

    /// It is this token, of this account.
    pub(crate) fn is_token(&self, id: TokenId, account: AccountId, role: Role) {
        self.set(Known::Token(id, account, role));
    }

    /// It is the JWT of somebody with this account.
    pub(crate) fn is_account(&self, id: AccountId) {
        self.set(Known::Account(id));
    }

    fn set(&self, known: Known) {
        // A request presents one credential.
        self.0.get_or_init(|| known);
    }

    /// How the log names them, where they are known.
    pub(super) fn actor(&self) -> Option<String> {
        Some(match self.0.get()? {
            Known::Operator(name) => format!("operator:{name}"),
            Known::Token(id, ..) => format!("token:{id}"),
            Known::Account(id) => format!("account:{id}"),
        })
    }

    /// Their account, where they have one.
    pub(super) fn account(&self) -> Option<AccountId> {
        match self.0.get()? {
            Known::Operator(_) => None,
            Known::Token(_, account, _) | Known::Account(account) => Some(*account),
        }
    }

    /// Whether they are known, and have to do with one account alone.
    pub(super) fn is_bound(&self) -> bool {
        match self.0.get() {
            None | Some(Known::Operator(_) | Known::Token(_, _, Role::System)) => false,
            Some(Known::Token(..) | Known::Account(_)) => true,
        }
    }
}
