//! What the query of a forward-auth request asks for. It is written by whoever configures the
//! proxy, so anything not known is an error and not ignored.

use std::sync::Arc;

use parking_lot::Mutex;
use tollkeeper_domain::scope::Scope;
use tollkeeper_domain::secret::Environment;
use utoipa::{IntoParams, ToSchema};

use super::forward_auth::PREFIX;
use super::limits::MAX_COST;
use crate::http::problem::Problem;

/// Where the original request's path and method come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Source {
    /// The path after `/v1/forward-auth` and this request's own method, as Envoy sends them.
    #[default]
    Path,
    /// `X-Original-URI` and `X-Original-Method`, as nginx is configured to send them.
    Original,
    /// `X-Forwarded-Uri` and `X-Forwarded-Method`, as Traefik and Caddy send them.
    Forwarded,
}

/// What a request asks for.
#[derive(Debug, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Options {
    /// Where path and method of the original request come from: `path` if nothing is said.
    #[param(inline, rename = "from", required = false)]
    pub(crate) source: Source,
    /// The scopes that the token must hold.
    #[param(rename = "scope", required = false)]
    pub(crate) scopes: Vec<Scope>,
    /// The environment that the token must be for.
    #[param(rename = "env")]
    pub(crate) environment: Option<Environment>,
    /// How many times over the request is charged to each rate limit: 1 if nothing is said. With 0 it is
    /// a look, which is charged to none and refused by none.
    #[param(minimum = 0, maximum = 1_000_000)]
    pub(crate) cost: Option<u32>,
    /// `403` answers 429 as 403, as nginx understands no other refusals.
    #[param(rename = "deny", required = false, value_type = String, pattern = "^403$")]
    pub(crate) limits_as_403: bool,
    /// `allow` lets JWTs of account holders pass as well, as those that the API itself takes. They have
    /// the scopes of their `scope` claim, and are neither counted nor charged to any limit.
    #[param(rename = "jwt", required = false, value_type = String, pattern = "^allow$")]
    pub(crate) accounts: bool,
}

/// What a proxy has appended of its client's to the options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Appended<'q> {
    /// The path of the original request, in the place of this one's own, for proxies that append it,
    /// as Envoy does. It comes last: everything behind `uri=` is path and query of the original
    /// request, however it looks.
    #[param(required = false)]
    pub(crate) uri: Option<&'q str>,
}

/// The options of one connection. A proxy asks with the same again and again: they are read once.
#[derive(Debug, Default)]
pub(crate) struct LastOptions(Mutex<Option<(Box<str>, Arc<Options>)>>);

/// The longest text of options that is remembered, in bytes: there may be many connections.
const MAX_REMEMBERED_BYTES: usize = 256;

impl LastOptions {
    /// Reads the query.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub(crate) fn read<'q>(&self, query: &'q str) -> Result<(Arc<Options>, Appended<'q>), Problem> {
        if let Some(known) = self.known(query) {
            return Ok(known);
        }
        let (asked, uri) = asked_and_appended(query);
        let options = Arc::new(Options::read(asked)?);
        if asked.len() <= MAX_REMEMBERED_BYTES {
            *self.0.lock() = Some((asked.into(), options.clone()));
        }
        Ok((options, Appended { uri }))
    }

    /// What is known of the query, if it asks as the last one did.
    fn known<'q>(&self, query: &'q str) -> Option<(Arc<Options>, Appended<'q>)> {
        let last = self.0.lock();
        let (text, options) = last.as_ref()?;
        // The remembered text holds no beginning of what is appended, so that what follows it here is the
        // first.
        let uri = match query.strip_prefix(&**text)? {
            "" => None,
            rest if text.is_empty() => Some(rest.strip_prefix("uri=")?),
            rest => Some(rest.strip_prefix("&uri=")?),
        };
        Some((options.clone(), Appended { uri }))
    }
}

impl Options {
    /// Where a proxy appends its client's path to this operation's own, the client's query comes with
    /// it. What frees a request of something must then be known to be the proxy's.
    ///
    /// # Errors
    /// 400 that says how the proxy can ask for it.
    pub(crate) fn check_whose(&self, path: &str, appended: Appended<'_>) -> Result<(), Problem> {
        let frees = self.cost.is_some() || self.accounts;
        if frees && appended.uri.is_none() && path != PREFIX {
            let why = "`cost` and `jwt` stand before `uri=`, or where no path is appended";
            return Err(Problem::bad_request("INVALID_QUERY", why));
        }
        Ok(())
    }

    /// Reads the part of a query that the proxy was configured with.
    ///
    /// # Errors
    /// 400 that names the parameter.
    fn read(asked: &str) -> Result<Self, Problem> {
        let mut options = Self::default();
        for (name, value) in form_urlencoded::parse(asked.as_bytes()) {
            options.take(&name, &value)?;
        }
        Ok(options)
    }

    /// Takes over one parameter.
    ///
    /// # Errors
    /// 400 that names it.
    pub(crate) fn take(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        match (name, value) {
            ("from", "path") => self.source = Source::Path,
            ("from", "original") => self.source = Source::Original,
            ("from", "forwarded") => self.source = Source::Forwarded,
            ("deny", "403") => self.limits_as_403 = true,
            ("jwt", "allow") => self.accounts = true,
            ("cost", _) => {
                let cost = value.parse().ok().filter(|cost| *cost <= MAX_COST);
                let why = || bad("cost", &format!("this is 0 to {MAX_COST}"));
                self.cost = Some(cost.ok_or_else(why)?);
            }
            ("env", _) => {
                let environment = value.parse().map_err(|error| bad("env", &error))?;
                self.environment = Some(environment);
            }
            ("scope", _) => {
                let scope = value.parse().map_err(|error| bad("scope", &error))?;
                self.scopes.push(scope);
            }
            ("from", _) => return Err(bad("from", &"one of path, original, forwarded")),
            ("deny", _) => return Err(bad("deny", &"the one value is 403")),
            ("jwt", _) => return Err(bad("jwt", &"the one value is allow")),
            _ => {
                let detail = "the parameters are from, scope, env, cost, deny, jwt and uri";
                return Err(Problem::bad_request("INVALID_QUERY", detail));
            }
        }
        Ok(())
    }
}

/// What the proxy was configured to ask, and what it appended of the client's.
fn asked_and_appended(query: &str) -> (&str, Option<&str>) {
    if let Some(uri) = query.strip_prefix("uri=") {
        return ("", Some(uri));
    }
    match query.split_once("&uri=") {
        Some((asked, uri)) => (asked, Some(uri)),
        None => (query, None),
    }
}

fn bad(name: &str, why: &dyn std::fmt::Display) -> Problem {
    Problem::bad_request("INVALID_QUERY", format!("`{name}`: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(scopes: &[&str]) -> Vec<Scope> {
        scopes.iter().map(|scope| scope.parse().unwrap()).collect()
    }

    #[test]
    fn reads_what_it_knows() {
        let options =
            "from=original&scope=orders:read&scope=a%2Eb&env=live&cost=7&deny=403&jwt=allow";
        let options = Options::read(options);
        let expected = Options {
            source: Source::Original,
            scopes: scopes(&["orders:read", "a.b"]),
            environment: Some(Environment::Live),
            cost: Some(7),
            limits_as_403: true,
            accounts: true,
        };
        assert_eq!(options.unwrap(), expected);
        assert_eq!(Options::read("").unwrap(), Options::default());
    }

    #[test]
    fn what_is_appended_is_path_and_never_a_demand() {
        let long = format!("scope=a&{}cost=7", "env=live&".repeat(40));
        let queries = [
            ("", Some("")),
            ("", Some("/a&scope=b")),
            ("", Some("/a?uri=/b&uri=/c")),
            ("", None),
            (
                "scope=a",
                Some("/orders?page=2&scope=b&from=original&uri=/c&env=x"),
            ),
            ("scope=a", Some("")),
            ("scope=a", None),
            ("scope=a&cost=2", Some("/scope=a")),
            ("scope=a&cost=2", None),
            ("scope=ab", None),
            (&*long, Some("/a")),
        ];
        // Whatever was asked before on the same connection.
        for (before, _) in queries {
            for (asked, uri) in queries {
                let last = LastOptions::default();
                last.read(before).unwrap();
                let query = match (asked, uri) {
                    (asked, None) => asked.to_owned(),
                    ("", Some(uri)) => format!("uri={uri}"),
                    (asked, Some(uri)) => format!("{asked}&uri={uri}"),
                };
                for _ in 0..2 {
                    let (options, appended) = last.read(&query).unwrap();
                    assert_eq!(*options, Options::read(asked).unwrap(), "{query}");
                    assert_eq!(appended.uri, uri, "{query} after {before}");
                }
            }
        }
        let last = LastOptions::default();
        let (options, appended) = last.read("&uri=/a").unwrap();
        assert_eq!((&*options, appended.uri), (&Options::default(), Some("/a")));
    }

    #[test]
    fn what_could_not_be_read_is_not_remembered() {
        let last = LastOptions::default();
        last.read("scope=a").unwrap();
        // A value of another parameter is not where the appended begins.
        for bad in ["scope=uri=/a", "scope=A", "scope=a&x=1", "scope=auri=/a"] {
            for _ in 0..2 {
                assert!(last.read(bad).is_err(), "{bad}");
            }
        }
        assert_eq!(last.read("scope=a").unwrap().0.scopes, scopes(&["a"]));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for bad in [
            "from=x",
            "scope=A",
            "scope=",
            "env=prod",
            "deny=401",
            "cost=",
            "cost=-1",
            "cost=1.5",
            "cost=1000001",
            "jwt=maybe",
            "x=1",
            "x",
        ] {
            assert!(Options::read(bad).is_err(), "{bad}");
        }
    }
}
