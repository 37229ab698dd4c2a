//! How people find the console and sign in to it.

use super::client::URL;
use super::jwt::fetched_url;
use super::names::{Binary, DefaultValue, Setting};
use super::{ApiUrl, Secret, SettingsError, Source};

pub(super) const PUBLIC_URL: Setting = Setting {
    name: "PUBLIC_URL",
    default: DefaultValue::None,
    meaning: "Where browsers find the API: scheme and host, without a path. The console's links for people \
              begin with it, and an OpenID Connect provider sends them back there.",
    secret: false,
    read_by: &[Binary::Api, Binary::Ctl],
    example: "https://tokens.example.com",
};

pub(super) const OIDC_ISSUER: Setting = Setting {
    name: "OIDC_ISSUER",
    default: DefaultValue::None,
    meaning: "The OpenID Connect provider that people may sign in to the console with: its issuer, an \
              `https://` URL (`http://` for a loopback host only). It needs `TOLLKEEPER_PUBLIC_URL`, the \
              client's id and its secret too.",
    secret: false,
    read_by: &[Binary::Api],
    example: "https://login.example.com",
};

pub(super) const OIDC_CLIENT_ID: Setting = Setting {
    name: "OIDC_CLIENT_ID",
    default: DefaultValue::None,
    meaning: "By which the OpenID Connect provider knows this installation.",
    secret: false,
    read_by: &[Binary::Api],
    example: "tollkeeper",
};

pub(super) const OIDC_CLIENT_SECRET: Setting = Setting {
    name: "OIDC_CLIENT_SECRET",
    default: DefaultValue::None,
    meaning: "By which this installation shows the OpenID Connect provider that it is that client.",
    secret: true,
    read_by: &[Binary::Api],
    example: "",
};

pub(super) const OIDC_NAME: Setting = Setting {
    name: "OIDC_NAME",
    default: DefaultValue::Same("single sign-on"),
    meaning: "What people call the OpenID Connect provider: it stands after `Sign in with`.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

/// The OpenID Connect provider that people may sign in with.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// Its issuer, as it writes it.
    pub issuer: String,
    /// By which it knows this installation.
    pub client_id: String,
    /// By which this installation shows that it is that.
    pub client_secret: Secret,
    /// What people call it.
    pub name: String,
    /// Where browsers find this installation, without a slash at the end.
    pub public_url: ApiUrl,
}

/// Where browsers find the API, if that is told.
///
/// # Errors
/// When it is not the root of a host.
fn public_url(source: &Source) -> Result<Option<ApiUrl>, SettingsError> {
    let url: Option<ApiUrl> = source.optional(&PUBLIC_URL)?;
    let has_path = |url: &ApiUrl| {
        let rest = url.as_str().split_once("://").map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.contains('/'))
    };
    if url.as_ref().is_some_and(has_path) {
        return Err(source.invalid(&PUBLIC_URL, "the console is at the root of its host"));
    }
    Ok(url)
}

/// Where people find the console, for links in what a command prints.
///
/// # Errors
/// When what is set is no URL.
pub fn console_url(source: &Source) -> Result<ApiUrl, SettingsError> {
    match public_url(source)? {
        Some(url) => Ok(url),
        None => source.required(&URL),
    }
}

impl OidcSettings {
    /// `None` when no provider is named.
    ///
    /// # Errors
    /// When only some of what is needed is set, or the issuer is no URL that is asked.
    pub fn read(source: &Source) -> Result<Option<Self>, SettingsError> {
        let issuer: Option<String> = source.optional(&OIDC_ISSUER)?;
        let id: Option<String> = source.optional(&OIDC_CLIENT_ID)?;
        let secret: Option<Secret> = source.optional(&OIDC_CLIENT_SECRET)?;
        let public_url = public_url(source)?;
        if issuer.is_none() && id.is_none() && secret.is_none() {
            return Ok(None);
        }
        let issuer: String = source.required(&OIDC_ISSUER)?;
        fetched_url(&issuer).map_err(|reason| source.invalid(&OIDC_ISSUER, reason))?;
        let public_url = match public_url {
            Some(url) => url,
            None => source.required(&PUBLIC_URL)?,
        };
        Ok(Some(Self {
            issuer,
            client_id: source.required(&OIDC_CLIENT_ID)?,
            client_secret: source.required(&OIDC_CLIENT_SECRET)?,
            name: source.required(&OIDC_NAME)?,
            public_url,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &str); 4] = [
        ("TOLLKEEPER_OIDC_ISSUER", "https://login.example.com/"),
        ("TOLLKEEPER_OIDC_CLIENT_ID", "tollkeeper"),
        ("TOLLKEEPER_OIDC_CLIENT_SECRET", "s3cret"),
        ("TOLLKEEPER_PUBLIC_URL", "https://tokens.example.com/"),
    ];

    fn read(pairs: &[(&str, &str)]) -> Result<Option<OidcSettings>, SettingsError> {
        let source = Source::from_pairs(Binary::Api, pairs.iter().copied())?;
        OidcSettings::read(&source)
    }

    #[test]
    fn a_provider_needs_all_of_it() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&ALL[3..]).unwrap().is_none());
        let oidc = read(&ALL).unwrap().unwrap();
        assert_eq!(oidc.issuer, "https://login.example.com/");
        assert_eq!(oidc.public_url.as_str(), "https://tokens.example.com");
        assert_eq!(oidc.name, "single sign-on");
        for missing in 0..ALL.len() {
            let mut some = ALL.to_vec();
            let (name, _) = some.remove(missing);
            let error = read(&some).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn urls_are_those_of_good_places() {
        for issuer in [
            "login.example.com",
            "http://login.example.com",
            "https://a:b@c.example",
        ] {
            let mut all = ALL;
            all[0].1 = issuer;
            let error = read(&all).unwrap_err().to_string();
            assert!(error.contains("TOLLKEEPER_OIDC_ISSUER"), "{error}");
        }
        let mut all = ALL;
        all[3].1 = "https://tokens.example.com/base";
        assert!(
            read(&all)
                .unwrap_err()
                .to_string()
                .contains("TOLLKEEPER_PUBLIC_URL")
        );
    }
}
