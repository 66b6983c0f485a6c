//! Unix-socket and TCP transport with mutual TLS, peer identity and deadlines.
