//! Values on their way to and from PostgreSQL. They are sent as text, which the server reads as the type that it wants; they come in binary.

use std::error::Error;

use runbook_core::value::{Duration, Time};
use serde_json::{Value as Json, json};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type};

/// Seconds from 1970 to 2000, where PostgreSQL's time begins.
const EPOCH: i64 = 946_684_800;

/// A value to be bound.
#[derive(Debug)]
pub(crate) struct Param(pub(crate) Json);

impl ToSql for Param {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if self.0.is_null() {
            return Ok(IsNull::Yes);
        }
        out.extend_from_slice(written(&self.0, ty).as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}

fn written(value: &Json, ty: &Type) -> String {
    match value {
        _ if *ty == Type::JSON || *ty == Type::JSONB => value.to_string(),
        Json::String(s) => s.clone(),
        Json::Array(items) => {
            let quoted = |v: &Json| match v {
                Json::Null => "NULL".to_owned(),
                Json::String(s) => format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\"")),
                other => other.to_string(),
            };
            format!("{{{}}}", items.iter().map(quoted).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

/// A value that came.
pub(crate) struct Cell(pub(crate) Json);

impl<'a> FromSql<'a> for Cell {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Cell, Box<dyn Error + Sync + Send>> {
        match read(ty, raw) {
            Some(value) => Ok(Cell(value)),
            None => Err(format!("a value of the type {ty} cannot be read: add `::text` to it in the query").into()),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Cell, Box<dyn Error + Sync + Send>> {
        Ok(Cell(Json::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn i16_of(raw: &[u8]) -> Option<i16> {
    Some(i16::from_be_bytes(raw.try_into().ok()?))
}

fn i32_of(raw: &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(raw.try_into().ok()?))
}

fn i64_of(raw: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(raw.try_into().ok()?))
}

fn u32_of(raw: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(raw.try_into().ok()?))
}

fn text(raw: &[u8]) -> Json {
    json!(String::from_utf8_lossy(raw))
}

fn read(ty: &Type, raw: &[u8]) -> Option<Json> {
    match ty.kind() {
        Kind::Enum(_) => return Some(text(raw)),
        Kind::Domain(inner) => return read(inner, raw),
        Kind::Array(inner) => return list(inner, raw),
        _ => {}
    }
    Some(match *ty {
        Type::BOOL => json!(*raw.first()? != 0),
        Type::INT2 => json!(i16_of(raw)?),
        Type::INT4 => json!(i32_of(raw)?),
        Type::INT8 => json!(i64_of(raw)?),
        Type::OID | Type::XID | Type::CID | Type::REGCLASS | Type::REGTYPE | Type::REGPROC => json!(u32_of(raw)?),
        Type::FLOAT4 => json!(f32::from_bits(u32_of(raw)?)),
        Type::FLOAT8 => json!(f64::from_bits(i64_of(raw)?.cast_unsigned())),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::XML | Type::CHAR => text(raw),
        Type::JSON => serde_json::from_slice(raw).ok()?,
        Type::JSONB => serde_json::from_slice(raw.get(1..)?).ok()?,
        Type::BYTEA => json!(raw.iter().map(|b| format!("{b:02x}")).collect::<String>()),
        Type::UUID => {
            let hex: String = raw.iter().map(|b| format!("{b:02x}")).collect();
            json!(format!("{}-{}-{}-{}-{}", hex.get(..8)?, hex.get(8..12)?, hex.get(12..16)?, hex.get(16..20)?, hex.get(20..)?))
        }
        Type::VOID => Json::Null,
        Type::DATE => {
            let days = i64::from(i32_of(raw)?);
            json!(moment(days.checked_mul(86_400_000_000)?)?.strftime("%Y-%m-%d").to_string())
        }
        Type::TIMESTAMP => match moment(i64_of(raw)?) {
            Some(time) => json!(time.strftime("%Y-%m-%d %H:%M:%S%.f").to_string()),
            None => json!("infinity"),
        },
        Type::TIMESTAMPTZ => match moment(i64_of(raw)?) {
            Some(time) => serde_json::to_value(Time(time)).ok()?,
            None => json!("infinity"),
        },
        Type::TIME => json!(moment(i64_of(raw)?)?.strftime("%H:%M:%S%.f").to_string()),
        Type::INTERVAL => interval(i64_of(raw.get(..8)?)?, i32_of(raw.get(8..12)?)?, i32_of(raw.get(12..16)?)?)?,
        Type::NUMERIC => numeric(raw)?,
        Type::PG_LSN => {
            let lsn = i64_of(raw)?.cast_unsigned();
            json!(format!("{:X}/{:X}", lsn >> 32, lsn & 0xffff_ffff))
        }
        Type::INET | Type::CIDR => inet(raw)?,
        _ => return None,
    })
}

/// Microseconds since 2000.
fn moment(micros: i64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(micros.checked_add(EPOCH * 1_000_000)?).ok()
}

fn interval(micros: i64, days: i32, months: i32) -> Option<Json> {
    let total = i64::from(days).checked_mul(86_400_000_000)?.checked_add(micros)?;
    if months == 0 {
        return serde_json::to_value(Duration(jiff::SignedDuration::from_micros(total))).ok();
    }
    // A month has no length of its own.
    Some(json!(format!("{months} months {days} days {} seconds", micros / 1_000_000)))
}

/// A number of digits to the base 10000; one that a float cannot hold exactly stays text.
fn numeric(raw: &[u8]) -> Option<Json> {
    let word = |i: usize| i16_of(raw.get(2 * i..2 * i + 2)?);
    let (digits, weight, sign, scale) = (word(0)?, i32::from(word(1)?), word(2)?.cast_unsigned(), word(3)?);
    if sign != 0 && sign != 0x4000 {
        return Some(json!("NaN"));
    }
    let digit = |at: i32| {
        let index = weight - at;
        if (0..i32::from(digits)).contains(&index) { word(4 + usize::try_from(index).ok()?) } else { Some(0) }
    };
    let mut out = String::new();
    for at in (0..=weight.max(0)).rev() {
        out.push_str(&format!("{:04}", digit(at)?));
    }
    let whole = out.trim_start_matches('0');
    let mut out = if whole.is_empty() { "0".to_owned() } else { whole.to_owned() };
    let scale = usize::try_from(scale).ok()?;
    if scale > 0 {
        let mut fraction = String::new();
        let mut at = -1;
        while fraction.len() < scale {
            fraction.push_str(&format!("{:04}", digit(at)?));
            at -= 1;
        }
        out = format!("{out}.{}", &fraction[..scale]);
    }
    if sign == 0x4000 {
        out.insert(0, '-');
    }
    if let Ok(n) = out.parse::<i64>() {
        return Some(json!(n));
    }
    let significant = out.bytes().filter(u8::is_ascii_digit).count();
    match out.parse::<f64>() {
        Ok(x) if significant <= 17 && out.contains('.') => Some(json!(x)),
        _ => Some(json!(out)),
    }
}

fn inet(raw: &[u8]) -> Option<Json> {
    let (bits, address) = (*raw.get(1)?, raw.get(4..)?);
    let (ip, full): (std::net::IpAddr, u8) = match address.len() {
        4 => (<[u8; 4]>::try_from(address).ok()?.into(), 32),
        16 => (<[u8; 16]>::try_from(address).ok()?.into(), 128),
        _ => return None,
    };
    Some(if bits == full { json!(ip.to_string()) } else { json!(format!("{ip}/{bits}")) })
}

/// An array of one dimension.
fn list(inner: &Type, raw: &[u8]) -> Option<Json> {
    let dimensions = i32_of(raw.get(..4)?)?;
    if dimensions == 0 {
        return Some(json!([]));
    }
    if dimensions != 1 {
        return None;
    }
    let count = usize::try_from(i32_of(raw.get(12..16)?)?).ok()?;
    let mut rest = raw.get(20..)?;
    let mut items = Vec::new();
    for _ in 0..count {
        let length = i32_of(rest.get(..4)?)?;
        rest = &rest[4..];
        match usize::try_from(length) {
            Ok(length) => {
                items.push(read(inner, rest.get(..length)?)?);
                rest = &rest[length..];
            }
            Err(_) => items.push(Json::Null),
        }
    }
    Some(Json::Array(items))
}
