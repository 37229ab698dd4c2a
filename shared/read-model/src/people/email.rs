//! The address by which somebody signs in.

use std::fmt;
use std::str::FromStr;

/// The most characters (RFC 5321, section 4.5.3.1, less the brackets).
const MOST: usize = 254;

/// An address in good form. Whether somebody reads what is sent there is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

/// The text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no e-mail address")]
pub struct BadEmail;

impl Email {
    /// As it was written, without what was around it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Email {
    type Err = BadEmail;

    fn from_str(text: &str) -> Result<Self, BadEmail> {
        let text = text.trim();
        let (local, host) = text.rsplit_once('@').ok_or(BadEmail)?;
        let plain = |it: char| !it.is_whitespace() && !it.is_control();
        let is_good = !local.is_empty()
            && !host.is_empty()
            && !local.contains('@')
            && text.chars().count() <= MOST
            && text.chars().all(plain);
        if is_good {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadEmail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_two_parts() {
        for good in [
            "operator@localhost",
            " Ada@example.org ",
            "ä+b@xn--a.example",
        ] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        let long = format!("{}@example.org", "a".repeat(260));
        for bad in ["", "ada", "@", "a@", "@b", "a b@c", "a@b@c", "a\0@b", &long] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
        let email: Email = " Ada@example.org ".parse().unwrap();
        assert_eq!(
            (email.as_str(), email.local_part()),
            ("Ada@example.org", "Ada")
        );
    }
}
