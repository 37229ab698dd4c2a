//! Passwords: hashed with Argon2id (RFC 9106) by the parameters that OWASP's Password Storage Cheat Sheet
//! recommends, beside the threads that answer requests, and two at a time: each takes 19 MiB and keeps a core
//! busy for a while.

mod rules;

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
};
pub(super) use rules::NewPassword;
use rules::complaint;
use tokio::sync::Semaphore;
use tollkeeper_ambient::SharedEntropy;
use zeroize::Zeroizing;

use crate::http::problem::Problem;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// How many are hashed at once.
const AT_ONCE: usize = 2;

const SALT_BYTES: usize = 16;

/// What is compared with where there is no hash: to find that out must take as long as a wrong password.
const OF_NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$dG9sbGtlZXBlci1ub2JvZHk$\
    oWKjl9bRjn2HfrQn4Y0n3y2rMOVb8rOXc0v3UeXyQmM";

/// A password as somebody typed it.
pub(super) type Typed = Zeroizing<String>;

/// What became of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// It is another password, or there is none.
    Different,
    /// It is the one.
    Same,
    /// It is the one, and its hash was made with less than is demanded now.
    SameButWeak,
}

/// Hashes passwords.
#[derive(Clone)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    entropy: SharedEntropy,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

impl Passwords {
    /// With salts from there.
    pub(super) fn new(entropy: SharedEntropy) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            entropy,
        }
    }

    /// The hash of a password, in PHC form.
    ///
    /// # Errors
    /// 500 if it cannot be made.
    pub(super) async fn hash(&self, password: Typed) -> Result<String, Problem> {
        let mut salt = [0; SALT_BYTES];
        self.entropy.fill(&mut salt);
        let hash = move || {
            let hash = hasher().hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string())
        };
        self.in_turn(hash).await?.map_err(Problem::internal)
    }

    /// Compares a password with a hash. Without one it is different, after as much work.
    ///
    /// # Errors
    /// 500 if the hash is none.
    pub(super) async fn compare(
        &self,
        password: Typed,
        hash: Option<&str>,
    ) -> Result<Compared, Problem> {
        let hash = hash.unwrap_or(OF_NOBODY).to_owned();
        let compare = move || compare(&password, &hash);
        self.in_turn(compare).await?.map_err(Problem::internal)
    }

    /// Why a password cannot be chosen, if it cannot.
    ///
    /// # Errors
    /// 500 if that cannot be found out.
    pub(super) async fn complaint(
        &self,
        new: &NewPassword,
        email: &str,
    ) -> Result<Option<String>, Problem> {
        let (new, email) = (new.clone(), email.to_owned());
        self.in_turn(move || complaint(&new, &email)).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.turns.clone().acquire_owned().await;
        let turn = turn.map_err(Problem::internal)?;
        let work = tokio::task::spawn_blocking(move || {
            // Whoever does not wait any longer does not end the work.
            let _turn = turn;
            work()
        });
        work.await.map_err(Problem::internal)
    }
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("good parameters");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn compare(password: &str, hash: &str) -> Result<Compared, argon2::password_hash::Error> {
    let hash = PasswordHash::new(hash)?;
    if hasher()
        .verify_password(password.as_bytes(), &hash)
        .is_err()
    {
        return Ok(Compared::Different);
    }
    let params = Params::try_from(&hash)?;
    let is_strong = hash.algorithm == ARGON2ID_IDENT
        && params.m_cost() >= MEMORY_KIB
        && params.t_cost() >= PASSES
        && params.p_cost() >= LANES;
    Ok(if is_strong {
        Compared::Same
    } else {
        Compared::SameButWeak
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords() -> Passwords {
        Passwords::new(Arc::new(tollkeeper_ambient::SystemEntropy))
    }

    fn typed(text: &str) -> Typed {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_hash_is_that_of_its_password_alone() {
        let passwords = passwords();
        let hash = passwords.hash(typed("four blue tulips")).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let again = passwords.hash(typed("four blue tulips")).await.unwrap();
        assert_ne!(hash, again, "each has a salt of its own");
        let compared = |text| passwords.compare(typed(text), Some(&hash));
        assert_eq!(compared("four blue tulips").await.unwrap(), Compared::Same);
        assert_eq!(
            compared("four red tulips").await.unwrap(),
            Compared::Different
        );
    }

    #[tokio::test]
    async fn nobody_costs_as_much_as_somebody() {
        let nobody = PasswordHash::new(OF_NOBODY).unwrap();
        let params = Params::try_from(&nobody).unwrap();
        let costs = (params.m_cost(), params.t_cost(), params.p_cost());
        assert_eq!(costs, (MEMORY_KIB, PASSES, LANES));
        let compared = passwords().compare(typed(""), None).await.unwrap();
        assert_eq!(compared, Compared::Different);
    }

    #[tokio::test]
    async fn a_hash_of_weaker_parameters_is_told() {
        let weak = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(8 * 1024, 1, 1, None).unwrap(),
        );
        let hash = weak.hash_password_with_salt(b"four blue tulips", &[7; 16]);
        let hash = hash.unwrap().to_string();
        let passwords = passwords();
        let compared = passwords.compare(typed("four blue tulips"), Some(&hash));
        assert_eq!(compared.await.unwrap(), Compared::SameButWeak);
    }
}
