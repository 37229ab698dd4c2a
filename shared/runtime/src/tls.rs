//! TLS: which cryptography its connections use.

/// Chooses *ring* for every TLS connection of this process. To be called before the first HTTP
/// client is made; calling it again changes nothing.
pub fn choose_cryptography() {
    // An error says that a choice was made before, and it can only have been the same.
    let _made_before = rustls::crypto::ring::default_provider().install_default();
}
