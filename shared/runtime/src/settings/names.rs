//! What a setting is.

use std::fmt;

/// The prefix of every setting's environment variable.
pub(super) const PREFIX: &str = "TOLLKEEPER_";

/// The binaries that read settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    Api,
    Ingestor,
    Ctl,
}

impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "tollkeeper-api",
            Self::Ingestor => "tollkeeper-ingestor",
            Self::Ctl => "tollkeeper",
        })
    }
}

/// What a setting is when nobody sets it.
#[derive(Debug, Clone, Copy)]
pub enum DefaultValue {
    /// It has none: required, or off when absent.
    None,
    /// The same for every binary.
    Same(&'static str),
    /// Different per binary, so that two of them fit on one machine.
    PerBinary(&'static [(Binary, &'static str)]),
}

/// One setting: its name and all that is known about it.
#[derive(Debug)]
pub struct Setting {
    /// Without the prefix, for example `DATABASE_URL`.
    pub name: &'static str,
    pub default: DefaultValue,
    /// One or two sentences for the reference.
    pub meaning: &'static str,
    /// A secret is redacted everywhere and may be given as a file.
    pub secret: bool,
    pub read_by: &'static [Binary],
    /// A value to show in `.env.example` where there is no default.
    pub example: &'static str,
}

impl Setting {
    /// The environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    /// The environment variable that names a file holding the value.
    #[must_use]
    pub fn file_variable(&self) -> String {
        format!("{PREFIX}{}_FILE", self.name)
    }

    /// The default that `binary` starts with.
    #[must_use]
    pub fn default_for(&self, binary: Binary) -> Option<&'static str> {
        match self.default {
            DefaultValue::None => None,
            DefaultValue::Same(value) => Some(value),
            DefaultValue::PerBinary(values) => values
                .iter()
                .find(|(of, _)| *of == binary)
                .map(|(_, value)| *value),
        }
    }
}
