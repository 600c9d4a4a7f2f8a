//! The stack's configuration file: where the neighbours listen.

use serde_json::Value;

use crate::options::Options;
use crate::service::Service;

/// An address to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// What a service takes from `config/sonia-config.json`; without the file everything is standard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    document: Value,
    host: String,
}

impl Config {
    /// Reads the file. The error is the last line of the Python traceback that the real service would die with.
    pub(crate) fn read(options: &Options) -> Result<Config, String> {
        let document = match std::fs::read_to_string(options.config_file()) {
            Ok(text) => parse(&text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Value::Null,
            Err(error) => {
                return Err(format!("OSError: {error}: '{}'", options.config_file().display()));
            }
        };
        Ok(Config { document, host: options.host.clone() })
    }

    /// Where a neighbour listens: the file's port and host, else the standard port on the own host.
    pub(crate) fn address(&self, service: Service) -> Address {
        if service == Service::Ollama
            && let Some(address) = self.document.pointer("/services/model_router/providers/ollama/base_url").and_then(base_url)
        {
            return address;
        }
        let entry = self.document.pointer(&format!("/services/{}", service.key()));
        let port = entry.and_then(|entry| entry["port"].as_u64()).and_then(|port| u16::try_from(port).ok());
        let host = entry.and_then(|entry| entry["host"].as_str());
        Address { host: host.unwrap_or(&self.host).to_owned(), port: port.unwrap_or(service.port()) }
    }

    /// The version the file gives the gateway, else the seed's.
    pub(crate) fn version(&self) -> &str {
        self.document.pointer("/services/api_gateway/version").and_then(Value::as_str).unwrap_or("1.0.0")
    }
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| {
        let before = text.lines().take(error.line().saturating_sub(1)).map(|line| line.len() + 1).sum::<usize>();
        let (line, column) = (error.line(), error.column());
        let offset = before + column.saturating_sub(1);
        format!("json.decoder.JSONDecodeError: Expecting value: line {line} column {column} (char {offset})")
    })
}

/// Reads `http://HOST:PORT` with an optional path.
fn base_url(value: &Value) -> Option<Address> {
    let authority = value.as_str()?.strip_prefix("http://")?.split('/').next()?;
    let (host, port) = authority.rsplit_once(':')?;
    Some(Address { host: host.to_owned(), port: port.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config { document: parse(text).expect("valid"), host: "127.0.0.1".to_owned() }
    }

    #[test]
    fn ports_come_from_the_file_else_from_the_table() {
        let config = config(
            r#"{"services":{"memory_engine":{"port":17020},"model_router":{"providers":{"ollama":{"base_url":"http://127.0.0.1:9999/"}}}}}"#,
        );
        assert_eq!(config.address(Service::MemoryEngine).port, 17020);
        assert_eq!(config.address(Service::Pipecat).port, 7030);
        assert_eq!(config.address(Service::Ollama).port, 9999);
    }

    #[test]
    fn a_syntax_error_is_python_s() {
        let error = parse("{\n  \"services\": {,}\n}").expect_err("invalid");
        assert!(error.starts_with("json.decoder.JSONDecodeError: Expecting value: line 2 column "), "{error}");
    }
}
