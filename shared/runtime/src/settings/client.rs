//! Where the API is, and as whom to ask it.

use std::str::FromStr;

use url::Url;

use super::names::{Binary, DefaultValue, Setting};
use super::{Secret, SettingsError, Source};

pub(super) const URL: Setting = Setting {
    name: "URL",
    default: DefaultValue::Same("http://127.0.0.1:8080"),
    meaning: "Where `tollkeeper token` finds the API, and people the console if \
              `TOLLKEEPER_PUBLIC_URL` is not set: an `http://` or `https://` URL, with a path \
              where the API is not at the root.",
    secret: false,
    read_by: &[Binary::Ctl],
    example: "https://tokens.example.com",
};

pub(super) const API_KEY: Setting = Setting {
    name: "API_KEY",
    default: DefaultValue::None,
    meaning: "The credential that `tollkeeper token` asks with: an operator key, an API token or a \
              JWT.",
    secret: true,
    read_by: &[Binary::Ctl],
    example: "",
};

/// Where the API is, and as whom to ask it.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    pub url: ApiUrl,
    pub key: Secret,
}

impl ClientSettings {
    /// # Errors
    /// When there is no credential or one that no header can hold, or the URL is none.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let key: Secret = source.required(&API_KEY)?;
        let text = key.expose();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let reason = "it is empty, or holds spaces or what is not ASCII";
            return Err(source.invalid(&API_KEY, reason));
        }
        let url = source.required(&URL)?;
        Ok(Self { url, key })
    }
}

/// The URL below which the API's paths are, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiUrl(String);

impl ApiUrl {
    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no URL of an API.
#[derive(Debug, thiserror::Error)]
pub enum ApiUrlError {
    #[error("it is not a URL: {0}")]
    Form(#[from] url::ParseError),
    #[error("only `http://` and `https://` are known")]
    Scheme,
    #[error("a user name or password, a query or a fragment has no place in it")]
    Extra,
}

impl FromStr for ApiUrl {
    type Err = ApiUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ApiUrlError::Scheme);
        }
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !bare {
            return Err(ApiUrlError::Extra);
        }
        Ok(Self(String::from(url).trim_end_matches('/').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<ClientSettings, SettingsError> {
        let source = Source::from_pairs(Binary::Ctl, pairs.iter().copied())?;
        ClientSettings::read(&source)
    }

    const KEY: (&str, &str) = ("TOLLKEEPER_API_KEY", "tk_live_x");

    #[test]
    fn the_url_has_no_slash_at_its_end() {
        let url = |pairs: &[(&str, &str)]| read(pairs).unwrap().url.as_str().to_owned();
        assert_eq!(url(&[KEY]), "http://127.0.0.1:8080");
        let with_path = ("TOLLKEEPER_URL", "https://a.example/base/");
        assert_eq!(url(&[KEY, with_path]), "https://a.example/base");
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for url in [
            "example.com",
            "ftp://example.com",
            "http://user@example.com",
            "http://example.com/?a=b",
            "http://example.com/#a",
        ] {
            assert!(read(&[KEY, ("TOLLKEEPER_URL", url)]).is_err(), "{url}");
        }
        assert!(read(&[]).is_err());
        for key in ["", "a secret", "secr\u{e9}t", "sec\nret"] {
            let error = read(&[("TOLLKEEPER_API_KEY", key)])
                .unwrap_err()
                .to_string();
            assert!(error.contains("TOLLKEEPER_API_KEY"), "{error}");
            assert!(!error.contains("sec"), "{error}");
        }
    }
}
