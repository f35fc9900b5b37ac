//! The one provider of cryptography of this process.

/// Makes *ring* the process's provider, unless another part of the program chose one before. Both the HTTP client and the
/// WebSocket look for it.
pub fn install_provider() {
    // An error means that there is one already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
}
