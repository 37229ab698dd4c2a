//! A file that a shell reads to use the other commands of `tollkeeper` with what runs here.

use super::error::Error;
use super::services::Surroundings;

pub(super) const FILE: &str = "env";

/// Writes the file. The broker's port is another one at each start.
pub(super) fn write(around: &Surroundings<'_>) -> Result<(), Error> {
    let url = format!("http://{}", around.addresses.public);
    let settings = [
        ("TOLLKEEPER_URL", url.as_str()),
        ("TOLLKEEPER_API_KEY", around.secrets.operator_key.expose()),
        ("TOLLKEEPER_DATABASE_URL", around.database.url.expose()),
        ("TOLLKEEPER_NATS_URL", around.broker.servers.expose()),
    ];
    let mut text = String::new();
    for (name, value) in settings {
        text += &format!("export {name}={}\n", quoted(value));
    }
    // Nobody has to have installed the command.
    if let Ok(program) = std::env::current_exe()
        && let Some(folder) = program.parent()
    {
        let folder = quoted(&folder.to_string_lossy());
        text += &format!("export PATH={folder}:\"$PATH\"\n");
    }
    around.folder.write_private(FILE, &text)
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::quoted;

    #[test]
    fn a_shell_takes_each_word_as_it_is() {
        for word in ["", "plain", "it's $HOME; `ls` \"x\" \\", "two\nlines"] {
            let script = format!("printf %s {}", quoted(word));
            let said = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), word);
        }
    }
}
