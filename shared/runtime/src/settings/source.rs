//! Turning found text into typed values, and finding what nobody asked for.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::SettingsError;
use super::layers::{self, Raw, Values};
use super::names::{Binary, Setting};
use super::registry;

/// All values a process was given. The concern structs read themselves from it.
#[derive(Debug)]
pub struct Source {
    binary: Binary,
    values: Values,
}

impl Source {
    /// Reads the process's environment, `.env` in the working folder and the TOML file.
    ///
    /// # Errors
    /// When a source cannot be read or names something that is not a setting.
    pub fn from_process(binary: Binary) -> Result<Self, SettingsError> {
        Self::new(
            binary,
            layers::read(std::env::vars_os(), Some(Path::new(".env")))?,
        )
    }

    /// A source of exactly these variables, for tests and for embedding.
    ///
    /// # Errors
    /// As [`Source::from_process`].
    pub fn from_pairs<'a>(
        binary: Binary,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, SettingsError> {
        let pairs = pairs
            .into_iter()
            .map(|(name, text)| (name.into(), text.into()));
        Self::new(binary, layers::read(pairs, None)?)
    }

    fn new(binary: Binary, values: Values) -> Result<Self, SettingsError> {
        for (variable, raw) in &values {
            if !registry::knows(variable) {
                return Err(SettingsError::Unknown {
                    variable: variable.clone(),
                    origin: raw.origin.clone(),
                    nearest: registry::nearest(variable),
                });
            }
        }
        Ok(Self { binary, values })
    }

    /// The value, or the default of the binary.
    ///
    /// # Errors
    /// When there is neither, or the text does not parse.
    pub fn required<T>(&self, setting: &Setting) -> Result<T, SettingsError>
    where
        T: FromStr<Err: Display>,
    {
        self.optional(setting)?
            .ok_or_else(|| SettingsError::Missing {
                variable: setting.variable(),
                meaning: setting.meaning,
            })
    }

    /// The value, or the default of the binary, or nothing.
    ///
    /// # Errors
    /// When the text does not parse.
    pub fn optional<T>(&self, setting: &Setting) -> Result<Option<T>, SettingsError>
    where
        T: FromStr<Err: Display>,
    {
        let found = match self.raw(setting)? {
            Some(raw) => raw,
            None => match setting.default_for(self.binary) {
                Some(text) => Raw {
                    text: text.to_owned(),
                    origin: "the default".to_owned(),
                },
                None => return Ok(None),
            },
        };
        match found.text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(reason) => Err(self.invalid(setting, reason)),
        }
    }

    /// An error about the value of `setting`, for rules a single type cannot express.
    pub fn invalid(&self, setting: &Setting, reason: impl Display) -> SettingsError {
        let origin = [setting.variable(), setting.file_variable()]
            .iter()
            .find_map(|name| self.values.get(name))
            .map_or_else(|| "the default".to_owned(), |raw| raw.origin.clone());
        SettingsError::Invalid {
            variable: setting.variable(),
            origin,
            reason: reason.to_string(),
        }
    }

    fn raw(&self, setting: &Setting) -> Result<Option<Raw>, SettingsError> {
        let direct = self.values.get(&setting.variable());
        let variable = setting.file_variable();
        let Some(file) = self.values.get(&variable).filter(|_| setting.secret) else {
            return Ok(direct.cloned());
        };
        if direct.is_some() {
            return Err(SettingsError::Twice {
                variable: setting.variable(),
            });
        }
        let path = PathBuf::from(&file.text);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Raw {
                // Editors and `echo` end a file with a line break that is no part of a secret.
                text: text.trim_end_matches(['\r', '\n']).to_owned(),
                origin: path.display().to_string(),
            })),
            Err(reason) => Err(SettingsError::File {
                variable,
                path,
                reason,
            }),
        }
    }
}
