//! What several modules share.

pub(crate) mod address;
pub(crate) mod args;
pub(crate) mod atomic;
pub(crate) mod blocking;
pub(crate) mod by_hand;
pub(crate) mod certificate;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) mod db_params;
pub(crate) mod db_tls;
pub(crate) mod diag;
pub(crate) mod exec;
pub(crate) mod fileset;
pub(crate) mod globs;
pub(crate) mod http_args;
pub(crate) mod http_client;
pub(crate) mod http_transport;
pub(crate) mod identity;
pub(crate) mod jsonl;
pub(crate) mod lines;
pub(crate) mod log_scan;
pub(crate) mod moment;
pub(crate) mod multipart;
pub(crate) mod net;
pub(crate) mod notify;
pub(crate) mod paths;
pub(crate) mod ports;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod processes;
pub(crate) mod prometheus;
pub(crate) mod redact;
pub(crate) mod redis;
#[cfg(feature = "object-store")]
pub(crate) mod s3;
#[cfg(feature = "object-store")]
pub(crate) mod s3_files;
pub(crate) mod scan;
pub(crate) mod service_by_hand;
pub(crate) mod service_entry;
pub(crate) mod service_files;
pub(crate) mod signals;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod stamps;
pub(crate) mod stop;
pub(crate) mod stream;
pub(crate) mod sys;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod tls;
pub(crate) mod tree;
pub(crate) mod words;
