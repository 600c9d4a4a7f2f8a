//! Actions: modules that change something.
