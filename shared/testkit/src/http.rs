//! HTTP as tests speak it.

/// A client with nothing between a test and its own servers.
#[must_use]
pub fn http_client() -> reqwest::Client {
    tollkeeper_runtime::tls::choose_cryptography();
    let client = reqwest::Client::builder().no_proxy();
    client.build().expect("a client of default settings")
}
