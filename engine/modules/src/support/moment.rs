//! Moments as arguments: a time, or how long ago it was; and the zone of times that name none.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use runbook_core::module::Fault;
use runbook_core::value::{parse_duration, parse_time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A moment, or how long ago it was.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    At(Timestamp),
    Ago(SignedDuration),
}

impl Moment {
    /// The moment, seen from now.
    pub(crate) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Moment::At(t) => t,
            Moment::Ago(d) => now.checked_sub(d).unwrap_or(Timestamp::MIN),
        }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let found = parse_duration(&text).map(Moment::Ago).or_else(|| parse_time(&text).map(Moment::At));
        found.ok_or_else(|| {
            de::Error::custom(format!(
                "expected a duration such as `15m` or a time such as `2026-02-15T14:23:45Z`, found {text:?}"
            ))
        })
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string", "format": "duration" }, { "type": "string", "format": "date-time" }] })
    }
}

/// The default zone.
pub(crate) fn utc() -> String {
    "UTC".to_owned()
}

/// The zone of this name.
pub(crate) fn zone(name: &str) -> Result<TimeZone, Fault> {
    match name {
        "UTC" => Ok(TimeZone::UTC),
        "local" => Ok(TimeZone::system()),
        other => TimeZone::get(other).map_err(|_| {
            Fault::invalid(
                "timezone",
                format!("there is no time zone {other:?}; write `UTC`, `local` or a name such as `Europe/Paris`"),
            )
        }),
    }
}
