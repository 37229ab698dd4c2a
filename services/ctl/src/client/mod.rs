//! Commands that talk to the HTTP API: where it is, as whom they ask, and how answers are printed.
//!
//! No secret is ever an argument, because every user of the machine can list those: the credential
//! comes from the settings.

pub(crate) mod api;
pub(crate) mod failure;
pub(crate) mod output;

use std::process::ExitCode;

use tollkeeper_runtime::settings::{ApiUrl, Binary, ClientSettings, Source};

use self::api::Api;
pub(crate) use self::failure::Failure;
use self::output::{Format, Output};
use crate::out::complain;

/// What all of them take.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where the API answers; instead of TOLLKEEPER_URL
    #[arg(long, global = true, value_name = "URL")]
    url: Option<ApiUrl>,
    /// How answers are printed, to a terminal and to a pipe alike
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
}

impl Options {
    /// The API, and the way to print what it answers.
    ///
    /// # Errors
    /// If the settings are wrong.
    pub(crate) fn connect(&self) -> Result<(Api, Output), Failure> {
        let source = Source::from_process(Binary::Ctl)?;
        let settings = ClientSettings::read(&source)?;
        let url = self.url.as_ref().unwrap_or(&settings.url);
        let api = Api::new(url, &settings.key)?;
        Ok((api, Output::new(self.output)))
    }
}

/// The exit code of a command; a failure is told to whoever typed it.
pub(crate) fn exit_code(done: Result<ExitCode, Failure>) -> ExitCode {
    done.unwrap_or_else(|failure| {
        complain(&format!("tollkeeper: {failure}"));
        failure.exit_code()
    })
}
