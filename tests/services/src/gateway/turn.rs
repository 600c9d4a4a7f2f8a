//! `POST /v1/turn` and `POST /v1/chat`: remember, think, answer, and write it all down.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::call::{self, Call};
use crate::client;
use crate::clock;
use crate::gateway::core::Failure;
use crate::gateway::{Gateway, action, sessions};
use crate::redact::redact;
use crate::reply::Reply;
use crate::service::Service;
use crate::state::{State, lock};

/// The longest wait for one neighbour within a turn.
const LIMIT: Duration = Duration::from_secs(10);

/// One turn under way.
struct Turn<'a> {
    state: &'a State,
    gateway: &'a Gateway,
    correlation: &'a str,
    session: String,
    user: String,
    text: String,
}

/// Answers a turn. `operation` is `turn` or `chat`; both take the text as `text` or `text_input`.
pub(super) async fn answer(state: &State, gateway: &Gateway, call: &Call, operation: &str) -> Reply {
    let body = match call.object() {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let turn = match begin(state, gateway, call, &body) {
        Ok(turn) => turn,
        Err(reply) => return reply,
    };
    turn.run(operation).await
}

fn begin<'a>(state: &'a State, gateway: &'a Gateway, call: &'a Call, body: &Map<String, Value>) -> Result<Turn<'a>, Reply> {
    let field = if body.contains_key("text_input") { "text_input" } else { "text" };
    let text = call::text(body, field)?.to_owned();
    let named = body.get("session_id").and_then(Value::as_str);
    let known = named.and_then(|id| lock(&gateway.sessions).user(id).map(str::to_owned));
    let user = body.get("user_id").and_then(Value::as_str).map(str::to_owned).or(known);
    let user = user.unwrap_or_else(|| sessions::ANONYMOUS.to_owned());
    let session = match named {
        Some(id) => id.to_owned(),
        None => sessions::begin(gateway, &call.correlation, &user),
    };
    Ok(Turn { state, gateway, correlation: &call.correlation, session, user, text })
}

impl Turn<'_> {
    async fn run(self, operation: &str) -> Reply {
        let added = self.state.faults().latency_ms.unwrap_or_default();
        let began = Instant::now();
        if added.wait {
            tokio::time::sleep(Duration::from_millis(added.sum())).await;
        }
        // Without memory the stack still answers; the loss is only logged.
        let query = format!("/v1/memory/search?query={}&limit=3", call::encode(&self.text));
        let (memory_read, found) = timed(self.ask(Service::MemoryEngine, "memory.read", "GET", &query, None)).await;
        let memories = found.ok().map_or(Value::Null, |found| found["data"]["results"].clone());
        let prompt = json!({"text": self.text, "memories": memories});
        let (model, thought) =
            timed(self.ask(Service::ModelRouter, "model.generate", "POST", "/v1/generate", Some(&prompt))).await;
        let thought = match thought {
            Ok(thought) => thought,
            Err((class, message)) => {
                return Reply::failure(502, Service::ApiGateway, operation, class, &message);
            }
        };
        let response = thought["data"]["text"].as_str().unwrap_or_default();
        let (mut tool, mut attempted, mut executed) = (0, 0, 0);
        if added.tool > 0 {
            attempted = 1;
            let args = json!({"path": "notes.txt"});
            let (took, done) = timed(action::execute(self.state, self.gateway, self.correlation, "file.read", &args)).await;
            tool = took;
            executed = u32::from(done.is_ok());
        }
        let memory = json!({"user_id": self.user, "text": self.text});
        let (memory_write, _) =
            timed(self.ask(Service::MemoryEngine, "memory.write", "POST", "/v1/memory/store", Some(&memory))).await;
        let unwaited = if added.wait { 0 } else { added.sum() };
        let latency = json!({
            "total": millis(began) + unwaited,
            "memory_read": memory_read + added.memory_read,
            "model": model + added.model,
            "tool": tool + added.tool,
            "memory_write": memory_write + added.memory_write,
        });
        let turn_id = format!("turn_{:03}", self.gateway.next_turn());
        let clean = |text: &str| {
            if self.state.faults().raw_personal_data { text.to_owned() } else { redact(text) }
        };
        self.gateway.journal.turns(&json!({
            "timestamp": clock::now(),
            "correlation_id": self.correlation,
            "session_id": self.session,
            "turn_id": turn_id,
            // Not redacted: the seed's own example shows an address here (trap T46 of the seed catalogue).
            "user_id": self.user,
            "text_input": clean(&self.text),
            "response_text": clean(response),
            "latency_ms": latency,
            "tool_calls_attempted": attempted,
            "tool_calls_executed": executed,
        }));
        let data = json!({
            "session_id": self.session,
            "turn_id": turn_id,
            "response_text": response,
            "latency_ms": latency,
        });
        Reply::data(Service::ApiGateway, operation, data)
    }

    /// Calls a neighbour; a failure is logged with its capability and returned as its class and message.
    async fn ask(
        &self,
        service: Service,
        capability: &str,
        method: &str,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Value, (&'static str, String)> {
        let address = self.state.config.address(service);
        let (class, message) = match client::request(&address, method, target, self.correlation, body, LIMIT).await {
            Ok((200, answer)) => return Ok(answer),
            Ok((status, _)) => ("DOWNSTREAM_ERROR", format!("{} answered {status}", service.name())),
            Err(error) => (error.class(), format!("{}: {error}", service.name())),
        };
        let failure =
            Failure { correlation: self.correlation, session: Some(&self.session), class, capability, message: &message };
        self.gateway.record(&failure);
        Err((class, message))
    }
}

/// The answer of the stand-in's language model.
pub(crate) fn reply_text(text: &str) -> String {
    if text.to_lowercase().contains("capital of france") {
        "The capital of France is Paris.".to_owned()
    } else {
        format!("I have heard you say: {text}")
    }
}

async fn timed<T>(work: impl Future<Output = T>) -> (u64, T) {
    let began = Instant::now();
    let done = work.await;
    (millis(began), done)
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
