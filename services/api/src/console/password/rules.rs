//! Which passwords may be chosen: NIST SP 800-63B, section 5.1.1.2. There are no rules about kinds of
//! characters; what is guessed first is refused.

use serde::Deserialize;
use tollkeeper_read_model::people::Email;
use zxcvbn::{Score, zxcvbn};

use super::Typed;

const FEWEST: usize = 8;
const MOST: usize = 128;

/// A password that is chosen, typed twice.
#[derive(Clone, Deserialize)]
pub(in crate::console) struct NewPassword {
    /// The password.
    pub(in crate::console) password: Typed,
    /// The same again.
    pub(in crate::console) repeated: Typed,
}

/// Why a password cannot be chosen, if it cannot.
pub(super) fn complaint(new: &NewPassword, email: &str) -> Option<String> {
    let characters = new.password.chars().count();
    if characters < FEWEST {
        return Some(format!("Take at least {FEWEST} characters."));
    }
    if characters > MOST {
        return Some(format!("Take at most {MOST} characters."));
    }
    if new.password != new.repeated {
        return Some("The two are not the same. Type the password again.".to_owned());
    }
    let own = email.parse::<Email>();
    let own = own.as_ref().map_or("", Email::local_part);
    // Found within a million guesses by whoever begins with the commonest.
    if zxcvbn(&new.password, &[email, own, "tollkeeper"]).score() < Score::Two {
        let text = "This is one of the first that somebody would guess. Take another: some words that have \
            nothing to do with each other, for example.";
        return Some(text.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn refused(password: &str) -> Option<String> {
        let new = NewPassword {
            password: Zeroizing::new(password.to_owned()),
            repeated: Zeroizing::new(password.to_owned()),
        };
        complaint(&new, "grace.hopper@example.org")
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for common in [
            "password",
            "12345678",
            "P@ssw0rd",
            "qwertyuiop",
            "aaaaaaaaaa",
            "iloveyou1",
            "grace.hopper",
            "grace.hopper@example.org",
            "tollkeeper1",
        ] {
            assert!(refused(common).is_some(), "{common}");
        }
        for good in [
            "four blue tulips",
            "mfq7wzkd",
            "пароль из пяти слов",
            // As long as one may be.
            "seven grey herons borrow umbrellas from a violin maker while the last ferry waits for oranges, chalk, two maps and a lantern!!!!",
        ] {
            assert_eq!(refused(good), None, "{good}");
        }
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert!(refused("äöüäöüß").unwrap().contains("at least 8"));
        assert!(refused(&"x7 ".repeat(43)).unwrap().contains("at most 128"));
    }

    #[test]
    fn it_is_typed_twice() {
        let new = NewPassword {
            password: Zeroizing::new("four blue tulips".to_owned()),
            repeated: Zeroizing::new("four blue tulip".to_owned()),
        };
        assert!(complaint(&new, "a@b").unwrap().contains("not the same"));
    }
}
