//! Bodies of `multipart/form-data`.

use std::collections::BTreeMap;
use std::path::Path;

use ring::rand::{SecureRandom, SystemRandom};
use runbook_core::module::{Cx, Fault};
use schemars::JsonSchema;
use serde::Deserialize;

use super::args::Text;
use super::paths;

/// The most that a file in a form may have, since the whole body is held in memory.
const MOST: u64 = 256 << 20;

/// A part of a form.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a text, or a file such as `{ file: test.wav }`")]
pub(crate) enum Part {
    /// A text.
    Text(Text),
    /// A file.
    File(FilePart),
}

/// A file as a part of a form.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilePart {
    /// The path of the file.
    file: String,
    /// The name that the server is told. Default: the file's own.
    #[serde(default)]
    filename: Option<String>,
    /// The kind of the content, such as `audio/wav`. Default: `application/octet-stream`.
    #[serde(default)]
    content_type: Option<String>,
}

impl Part {
    /// The path, if it is a file.
    pub(crate) fn file(&self) -> Option<&str> {
        match self {
            Part::File(part) => Some(&part.file),
            Part::Text(_) => None,
        }
    }
}

/// The body and its content type.
pub(crate) async fn multipart(parts: &BTreeMap<String, Option<Part>>, cx: &Cx<'_>) -> Result<(Vec<u8>, String), Fault> {
    let boundary = boundary()?;
    let mut body = Vec::new();
    for (name, part) in parts {
        let Some(part) = part else { continue };
        body.extend_from_slice(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", escaped(name)).as_bytes());
        match part {
            Part::Text(text) => body.extend_from_slice(format!("\r\n\r\n{}", text.0).as_bytes()),
            Part::File(part) => {
                let path = cx.resolve(&part.file);
                let own = Path::new(&part.file).file_name().map(|n| n.to_string_lossy().into_owned());
                let filename = part.filename.clone().or(own).unwrap_or_default();
                let kind = part.content_type.as_deref().unwrap_or("application/octet-stream");
                if kind.chars().any(char::is_control) {
                    return Err(Fault::invalid("multipart", format!("{kind:?} is not a kind of content such as `audio/wav`")));
                }
                body.extend_from_slice(
                    format!("; filename=\"{}\"\r\nContent-Type: {kind}\r\n\r\n", escaped(&filename)).as_bytes(),
                );
                body.extend(read(&path).await?);
            }
        }
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((body, format!("multipart/form-data; boundary={boundary}")))
}

async fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let meta = tokio::fs::metadata(path).await.map_err(|e| paths::fault(path, &e))?;
    if !meta.is_file() {
        return Err(Fault::unmet(format!("{} is not a file", path.display())));
    }
    if meta.len() > MOST {
        return Err(Fault::refused(format!("{} is larger than 256 MiB, the most that a form takes", path.display())));
    }
    tokio::fs::read(path).await.map_err(|e| paths::fault(path, &e))
}

/// A line that no part has: nobody can guess it.
fn boundary() -> Result<String, Fault> {
    let mut random = [0_u8; 16];
    SystemRandom::new().fill(&mut random).map_err(|_| Fault::cannot_tell("the system gives no random numbers"))?;
    Ok(random.iter().fold("runbook-".to_owned(), |text, byte| text + &format!("{byte:02x}")))
}

/// A name in quotes, as browsers write it.
fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
