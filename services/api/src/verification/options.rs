//! What the query of a forward-auth request asks for. It is written by whoever configures the
//! proxy, so anything not known is an error and not ignored.

use std::borrow::Cow;

use tollkeeper_domain::scope::Scope;
use tollkeeper_domain::secret::Environment;
use utoipa::{IntoParams, ToSchema};

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

/// The options of one request.
#[derive(Debug, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Options<'q> {
    /// Where path and method of the original request come from: `path` if nothing is said.
    #[param(inline, rename = "from", required = false)]
    pub(crate) source: Source,
    /// The scopes that the token must hold.
    #[param(rename = "scope", required = false, value_type = Vec<Scope>)]
    pub(crate) scopes: Vec<Cow<'q, str>>,
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
    /// The path of the original request, in the place of this one's own, for proxies that append it,
    /// as Envoy does. It comes last: everything behind `uri=` is path and query of the original
    /// request, however it looks.
    #[param(required = false)]
    pub(crate) uri: Option<&'q str>,
}

impl<'q> Options<'q> {
    /// Reads the query.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub(crate) fn read(query: &'q str) -> Result<Self, Problem> {
        let mut options = Self::default();
        let (asked, appended) = asked_and_appended(query);
        options.uri = appended;
        for (name, value) in form_urlencoded::parse(asked.as_bytes()) {
            options.take(&name, value)?;
        }
        Ok(options)
    }

    /// Takes over one parameter.
    ///
    /// # Errors
    /// 400 that names it.
    pub(crate) fn take(&mut self, name: &str, value: Cow<'q, str>) -> Result<(), Problem> {
        match (name, &*value) {
            ("from", "path") => self.source = Source::Path,
            ("from", "original") => self.source = Source::Original,
            ("from", "forwarded") => self.source = Source::Forwarded,
            ("deny", "403") => self.limits_as_403 = true,
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
                value
                    .parse::<Scope>()
                    .map_err(|error| bad("scope", &error))?;
                self.scopes.push(value);
            }
            ("from", _) => return Err(bad("from", &"one of path, original, forwarded")),
            ("deny", _) => return Err(bad("deny", &"the one value is 403")),
            _ => {
                let detail = "the parameters are from, scope, env, cost, deny and uri";
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

    #[test]
    fn reads_what_it_knows() {
        let options =
            Options::read("from=original&scope=orders:read&scope=a%2Eb&env=live&cost=7&deny=403");
        let expected = Options {
            source: Source::Original,
            scopes: vec!["orders:read".into(), "a.b".into()],
            environment: Some(Environment::Live),
            cost: Some(7),
            limits_as_403: true,
            uri: None,
        };
        assert_eq!(options.unwrap(), expected);
        assert_eq!(Options::read("").unwrap(), Options::default());
    }

    #[test]
    fn what_is_appended_is_path_and_never_a_demand() {
        let read = |query| Options::read(query).unwrap();
        let options = read("scope=a&uri=/orders?page=2&scope=b&from=original&uri=/c&env=x");
        assert_eq!(options.scopes, ["a"]);
        assert_eq!(options.source, Source::Path);
        assert_eq!(
            options.uri,
            Some("/orders?page=2&scope=b&from=original&uri=/c&env=x")
        );
        assert_eq!(read("uri=/a&scope=b").uri, Some("/a&scope=b"));
        assert!(read("uri=/a&scope=b").scopes.is_empty());
        assert_eq!(read("uri=").uri, Some(""));
        // A value of another parameter is not where it begins.
        assert!(Options::read("scope=uri=/a").is_err());
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
