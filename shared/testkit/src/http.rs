//! HTTP as tests speak it.

use reqwest::{Client, ClientBuilder};

/// A client with nothing between a test and its own servers.
#[must_use]
pub fn http_client() -> Client {
    let client = http_client_builder().build();
    client.expect("a client of default settings")
}

/// The same, for further settings. It trusts nobody's certificate before it is told to: reading those of the
/// system for each client would be the longest part of many tests.
pub fn http_client_builder() -> ClientBuilder {
    tollkeeper_runtime::tls::choose_cryptography();
    Client::builder().no_proxy().tls_certs_only([])
}
