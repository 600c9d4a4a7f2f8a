//! Timestamps and identifiers.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The present in UTC as RFC 3339 with milliseconds, such as `2026-02-08T09:30:00.000Z`.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A fresh identifier such as `req_6f1c09e27b44`; unguessable is not wanted, unique is.
pub(crate) fn id(prefix: &str) -> String {
    // Each `RandomState` has its own random key: that is all the randomness an identifier needs.
    let random = RandomState::new().build_hasher().finish();
    format!("{prefix}_{:012x}", random >> 16)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_form_is_the_seeds() {
        let now = super::now();
        assert_eq!(now.len(), "2026-02-08T09:30:00.000Z".len());
        assert!(now.ends_with('Z') && now.as_bytes()[19] == b'.');
    }

    #[test]
    fn identifiers_differ() {
        assert_ne!(super::id("req"), super::id("req"));
        assert_eq!(super::id("req").len(), 16);
    }
}
