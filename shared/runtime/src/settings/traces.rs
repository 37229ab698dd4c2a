//! Where traces go, and which.

use std::str::FromStr;

use url::Url;

use super::names::{Binary, DefaultValue, Setting};
use super::{SettingsError, Source};

pub(super) const OTLP_ENDPOINT: Setting = Setting {
    name: "OTLP_ENDPOINT",
    default: DefaultValue::None,
    meaning: "Where traces are sent: an OTLP receiver over HTTP, as an `http://` or `https://` URL to \
              which `/v1/traces` is added. Without it there are no traces.",
    secret: false,
    read_by: &[Binary::Api, Binary::Ingestor],
    example: "http://localhost:4318",
};

pub(super) const TRACE_RATIO: Setting = Setting {
    name: "TRACE_RATIO",
    default: DefaultValue::Same("0.01"),
    meaning: "Which part of the requests is traced whose senders do not say it by `traceparent`: 0 none, \
              1 all of them.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

/// Where traces go.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// The receiver; none if there are no traces.
    pub endpoint: Option<OtlpEndpoint>,
    /// Which part of the requests is traced that nobody has decided about.
    pub ratio: Ratio,
}

impl TraceSettings {
    /// # Errors
    /// When the endpoint is no URL that could be sent to, or the ratio none.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        Ok(Self {
            endpoint: source.optional(&OTLP_ENDPOINT)?,
            // What only goes on with traces that others began has none.
            ratio: source.optional(&TRACE_RATIO)?.unwrap_or(Ratio(0.0)),
        })
    }
}

/// The URL that traces are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpEndpoint(String);

impl OtlpEndpoint {
    /// The whole URL, with the path of traces.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no endpoint.
#[derive(Debug, thiserror::Error)]
pub enum OtlpEndpointError {
    #[error("it is not a URL: {0}")]
    Form(#[from] url::ParseError),
    #[error("only `http://` and `https://` are known; OTLP over gRPC is not")]
    Scheme,
    #[error(
        "a user name or password, a query or a fragment has no place in it; headers are told by \
         `OTEL_EXPORTER_OTLP_HEADERS`"
    )]
    Extra,
}

impl FromStr for OtlpEndpoint {
    type Err = OtlpEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OtlpEndpointError::Scheme);
        }
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !bare {
            return Err(OtlpEndpointError::Extra);
        }
        let base = String::from(url);
        Ok(Self(format!("{}/v1/traces", base.trim_end_matches('/'))))
    }
}

/// A part of a whole: 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio(pub f64);

impl FromStr for Ratio {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number: Option<f64> = text.parse().ok();
        let number = number.filter(|number| (0.0..=1.0).contains(number));
        number.map(Self).ok_or("expected a number from 0 to 1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<TraceSettings, SettingsError> {
        TraceSettings::read(&Source::from_pairs(Binary::Api, pairs.iter().copied())?)
    }

    const ENDPOINT: &str = "TOLLKEEPER_OTLP_ENDPOINT";

    #[test]
    fn the_path_of_traces_is_added() {
        assert!(read(&[]).unwrap().endpoint.is_none());
        for (text, url) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            (
                "https://traces.example/otlp",
                "https://traces.example/otlp/v1/traces",
            ),
        ] {
            let settings = read(&[(ENDPOINT, text)]).unwrap();
            assert_eq!(settings.endpoint.unwrap().as_str(), url);
        }
    }

    #[test]
    fn what_cannot_be_sent_to_is_refused_by_its_name_and_not_repeated() {
        for text in [
            "collector:4318",
            "grpc://collector:4317",
            "http://",
            "http://user:a-secret@collector",
            "http://collector/?key=a-secret",
            "http://collector/#a-secret",
        ] {
            let error = read(&[(ENDPOINT, text)]).unwrap_err().to_string();
            assert!(error.contains(ENDPOINT), "{text}: {error}");
            assert!(!error.contains("a-secret"), "{error}");
        }
    }

    #[test]
    fn a_ratio_is_a_part_of_the_whole() {
        assert_eq!(read(&[]).unwrap().ratio, Ratio(0.01));
        for (text, ratio) in [("0", 0.0), ("1", 1.0), ("0.25", 0.25)] {
            let settings = read(&[("TOLLKEEPER_TRACE_RATIO", text)]).unwrap();
            assert_eq!(settings.ratio, Ratio(ratio));
        }
        for text in ["-0.1", "1.1", "NaN", "inf", "10%"] {
            let refused = read(&[("TOLLKEEPER_TRACE_RATIO", text)]);
            assert!(refused.is_err(), "{text}");
        }
    }
}
