//! Probes: modules that only look.
