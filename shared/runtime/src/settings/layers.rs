//! Where values come from, before anyone knows what they mean.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::error::SettingsError;
use super::names::PREFIX;

/// Names the optional TOML file.
pub(super) const CONFIG: &str = "TOLLKEEPER_CONFIG";

/// Variables of the test runs, which a started binary inherits and must not trip over.
const FOR_TESTS: &str = "TOLLKEEPER_TEST_";

/// A value as it was found.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    pub(super) text: String,
    /// For messages: `the environment`, or a file's path.
    pub(super) origin: String,
}

/// Full variable name to value, the strongest source winning.
pub(super) type Values = BTreeMap<String, Raw>;

/// Reads all sources, the weakest first so that the stronger ones overwrite.
pub(super) fn read(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    dotenv: Option<&Path>,
) -> Result<Values, SettingsError> {
    let mut strong = dotenv.map(from_dotenv).transpose()?.unwrap_or_default();
    strong.extend(from_environment(environment)?);
    let mut values = match strong.remove(CONFIG) {
        Some(path) => from_toml(Path::new(&path.text))?,
        None => Values::new(),
    };
    values.extend(strong);
    // `docker compose` and friends pass an unset variable on as an empty one.
    values.retain(|_, raw| !raw.text.is_empty());
    Ok(values)
}

fn ours(name: &str) -> bool {
    name.starts_with(PREFIX) && !name.starts_with(FOR_TESTS)
}

fn from_environment(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Values, SettingsError> {
    let mut values = Values::new();
    for (name, text) in environment {
        let Some(name) = name.to_str().filter(|name| ours(name)) else {
            continue;
        };
        let origin = "the environment".to_owned();
        let Ok(text) = text.into_string() else {
            return Err(SettingsError::Invalid {
                variable: name.to_owned(),
                origin,
                reason: "it is not UTF-8".to_owned(),
            });
        };
        values.insert(name.to_owned(), Raw { text, origin });
    }
    Ok(values)
}

fn from_dotenv(path: &Path) -> Result<Values, SettingsError> {
    let invalid = |reason: dotenvy::Error| SettingsError::Format {
        path: path.to_owned(),
        reason: without_content(path, &reason),
    };
    let entries = match dotenvy::from_path_iter(path) {
        Ok(entries) => entries,
        Err(reason) if reason.not_found() => return Ok(Values::new()),
        Err(reason) => return Err(invalid(reason)),
    };
    let mut values = Values::new();
    for entry in entries {
        let (name, text) = entry.map_err(invalid)?;
        if ours(&name) {
            let origin = path.display().to_string();
            values.insert(name, Raw { text, origin });
        }
    }
    Ok(values)
}

/// What is wrong with the file, without the line itself: it may hold a secret.
fn without_content(path: &Path, reason: &dotenvy::Error) -> String {
    match reason {
        dotenvy::Error::LineParse(line, _) => {
            // The line or the value at its end. One in quotes may span lines; then it is where that
            // one begins.
            let begin = line.lines().next().unwrap_or_default().trim_end();
            let text = fs::read_to_string(path).unwrap_or_default();
            let mut lines = text.lines();
            let number =
                lines.position(|each| !begin.is_empty() && each.trim_end().ends_with(begin));
            let place = number.map_or_else(String::new, |at| format!("line {}: ", at + 1));
            format!("{place}each line is NAME=value, with quotes around a value that holds spaces")
        }
        other => other.to_string(),
    }
}

/// The file uses the same names; the prefix may be left out and lower case is welcome.
fn from_toml(path: &Path) -> Result<Values, SettingsError> {
    let text = fs::read_to_string(path).map_err(|reason| SettingsError::File {
        variable: CONFIG.to_owned(),
        path: path.to_owned(),
        reason,
    })?;
    let invalid = |reason: String| SettingsError::Format {
        path: path.to_owned(),
        reason,
    };
    let table: toml::Table = text
        .parse()
        .map_err(|reason: toml::de::Error| invalid(reason.message().to_owned()))?;
    let mut values = Values::new();
    for (key, value) in table {
        let mut name = key.to_uppercase();
        if !name.starts_with(PREFIX) {
            name.insert_str(0, PREFIX);
        }
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(truth) => truth.to_string(),
            _ => {
                return Err(invalid(format!(
                    "{key} must be a text, a number or a truth"
                )));
            }
        };
        let origin = path.display().to_string();
        values.insert(name, Raw { text, origin });
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_line_of_a_dotenv_file_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        for line in [
            "TOLLKEEPER_OPERATOR_KEY=ops:hunter2 hunter2",
            "hunter2 hunter2",
        ] {
            fs::write(&path, format!("TOLLKEEPER_LOG=info\n\n{line}\n")).unwrap();
            let message = from_dotenv(&path).unwrap_err().to_string();
            assert!(
                message.contains("line 3: each line is NAME=value"),
                "{message}"
            );
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
