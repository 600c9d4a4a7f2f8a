//! The services that need only a few lines: model-router, pipecat, openclaw, eva-os and Ollama.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use crate::call::{self, Call};
use crate::client;
use crate::clock;
use crate::gateway::reply_text;
use crate::reply::Reply;
use crate::service::Service;
use crate::state::{State, lock};

/// The 13 tools and their safety tiers. The seeds give the number and the names `shell.run` and `file.write` only.
pub(crate) const TOOLS: &[(&str, &str)] = &[
    ("app.launch", "confirm"),
    ("browser.open", "safe"),
    ("clipboard.read", "safe"),
    ("clipboard.write", "safe"),
    ("file.delete", "denied"),
    ("file.list", "safe"),
    ("file.read", "safe"),
    ("file.write", "confirm"),
    ("notify.send", "safe"),
    ("screen.capture", "confirm"),
    ("shell.run", "confirm"),
    ("web.fetch", "safe"),
    ("web.search", "safe"),
];

/// The models that Ollama has loaded unless a fault says otherwise; the first is the seeds' embedding model.
const MODELS: &[&str] = &["nomic-embed-text:latest", "llama3.2:latest"];

/// The longest wait for Ollama or eva-os.
const LIMIT: Duration = Duration::from_secs(2);

/// The voice sessions of pipecat.
pub(crate) type VoiceSessions = Mutex<HashSet<String>>;

/// The safety tier of a tool; a tool that is not in the catalogue is denied.
pub(crate) fn tier(tool: &str) -> &'static str {
    TOOLS.iter().find(|(name, _)| *name == tool).map_or("denied", |(_, tier)| tier)
}

/// model-router: `GET /v1/models` asks Ollama; `POST /v1/generate` is internal and answers by itself.
pub(crate) async fn model_router(state: &State, call: &Call, segments: &[&str]) -> Option<Reply> {
    let service = Service::ModelRouter;
    match (call.method.as_str(), segments) {
        ("GET", ["v1", "models"]) => {
            let (status, models) = match check_ollama(state).await {
                Ok(models) => ("ok", models),
                Err(_) => ("unreachable", Vec::new()),
            };
            let data = json!({"models": models, "providers": {"ollama": {"status": status}}});
            Some(Reply::data(service, "models.list", data))
        }
        ("POST", ["v1", "generate"]) => {
            Some(with_text(call, |text| Reply::data(service, "generate", json!({"text": reply_text(text), "model": MODELS[1]}))))
        }
        (_, ["v1", "models" | "generate"]) => Some(Reply::method_not_allowed()),
        _ => None,
    }
}

/// Asks Ollama for its models. The error is the last line of a Python traceback.
pub(crate) async fn check_ollama(state: &State) -> Result<Vec<String>, String> {
    let address = state.config.address(Service::Ollama);
    match client::request(&address, "GET", "/api/tags", &clock::id("req"), None, LIMIT).await {
        Ok((200, tags)) => {
            let models = tags["models"].as_array().map(Vec::as_slice).unwrap_or_default();
            Ok(models.iter().filter_map(|model| model["name"].as_str()).map(str::to_owned).collect())
        }
        Ok((status, _)) => Err(format!("httpx.HTTPStatusError: Ollama answered {status}")),
        Err(error) => Err(format!("httpx.ConnectError: Ollama at {}:{}: {error}", address.host, address.port)),
    }
}

/// pipecat: `POST /session/start`; its WebSocket is in the module `ws`.
pub(crate) fn pipecat(state: &State, call: &Call, segments: &[&str]) -> Option<Reply> {
    match (call.method.as_str(), segments) {
        ("POST", ["session", "start"]) => {
            let id = clock::id("voice");
            lock(&state.voice).insert(id.clone());
            let data = json!({"session_id": id, "ws_path": format!("/ws/{id}"), "created_at": clock::now()});
            Some(Reply::data(Service::Pipecat, "session.start", data))
        }
        (_, ["session", "start"]) => Some(Reply::method_not_allowed()),
        _ => None,
    }
}

/// openclaw: `POST /v1/execute` is internal. No command is ever run: the port is open to every user of the machine.
pub(crate) async fn openclaw(state: &State, call: &Call, segments: &[&str]) -> Option<Reply> {
    match (call.method.as_str(), segments) {
        ("GET", ["v1", "tools"]) => {
            let tools: Vec<Value> = TOOLS.iter().map(|(name, tier)| json!({"name": name, "safety_tier": tier})).collect();
            Some(Reply::data(Service::Openclaw, "tools.list", json!({"tools": tools})))
        }
        ("POST", ["v1", "execute"]) => Some(execute(state, call).await),
        (_, ["v1", "tools" | "execute"]) => Some(Reply::method_not_allowed()),
        _ => None,
    }
}

async fn execute(state: &State, call: &Call) -> Reply {
    let body = match call.object() {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let tool = match call::text(&body, "tool_name") {
        Ok(tool) => tool,
        Err(reply) => return reply,
    };
    // eva-os decides; where it is down, the catalogue's tier does.
    let address = state.config.address(Service::EvaOs);
    let question = json!({"tool_name": tool});
    let answer = client::request(&address, "POST", "/v1/approve", &call.correlation, Some(&question), LIMIT).await;
    let approved = match answer {
        Ok((200, answer)) => answer["data"]["approved"].as_bool().unwrap_or(false),
        _ => tier(tool) != "denied",
    };
    if !approved {
        let message = format!("{tool} is denied by policy");
        return Reply::failure(403, Service::Openclaw, "execute", "POLICY_DENIED", &message);
    }
    let args = body.get("args").cloned().unwrap_or(Value::Null);
    let data = json!({"tool_name": tool, "safety_tier": tier(tool), "result": result(state, tool, &args)});
    Reply::data(Service::Openclaw, "execute", data)
}

/// What a tool is said to have done.
fn result(state: &State, tool: &str, args: &Value) -> Value {
    let command = args["command"].as_str().unwrap_or_default();
    match tool {
        "shell.run" if matches!(command, "ls" | "Get-ChildItem" | "dir") => {
            let entries = std::fs::read_dir(&state.options.root).map(|entries| {
                let mut names: Vec<String> =
                    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
                names.sort();
                names.join("\n")
            });
            json!({"exit_code": 0, "stdout": entries.unwrap_or_default(), "stderr": ""})
        }
        "shell.run" => {
            json!({"exit_code": 0, "stdout": "", "stderr": "stand-in: the command was not run"})
        }
        _ => json!({"status": "done"}),
    }
}

/// eva-os: `POST /v1/approve` is internal.
pub(crate) fn eva_os(call: &Call, segments: &[&str]) -> Option<Reply> {
    match (call.method.as_str(), segments) {
        ("POST", ["v1", "approve"]) => {
            let body = match call.object() {
                Ok(body) => body,
                Err(reply) => return Some(reply),
            };
            let tier = match call::text(&body, "tool_name") {
                Ok(tool) => tier(tool),
                Err(reply) => return Some(reply),
            };
            let data = json!({"approved": tier != "denied", "risk": tier});
            Some(Reply::data(Service::EvaOs, "approve", data))
        }
        (_, ["v1", "approve"]) => Some(Reply::method_not_allowed()),
        _ => None,
    }
}

/// Ollama: `GET /`, `/api/version` and `/api/tags`.
pub(crate) fn ollama(state: &State, call: &Call, segments: &[&str]) -> Reply {
    match (call.method.as_str(), segments) {
        ("GET" | "HEAD", []) => Reply::text(200, "Ollama is running"),
        ("GET", ["api", "version"]) => Reply::json(200, &json!({"version": "0.5.7"})),
        ("GET", ["api", "tags"]) => {
            let faults = state.faults();
            let names = faults.models.unwrap_or_else(|| MODELS.iter().map(|name| (*name).to_owned()).collect());
            let models: Vec<Value> = names
                .iter()
                .map(|name| json!({"name": name, "model": name, "modified_at": "2026-02-08T09:30:00Z", "size": 274_302_450}))
                .collect();
            Reply::json(200, &json!({"models": models}))
        }
        _ => Reply::text(404, "404 page not found"),
    }
}

fn with_text(call: &Call, answer: impl FnOnce(&str) -> Reply) -> Reply {
    match call.object() {
        Ok(body) => match call::text(&body, "text") {
            Ok(text) => answer(text),
            Err(reply) => reply,
        },
        Err(reply) => reply,
    }
}
