//! Answers, in the stack's envelope or in FastAPI's own forms.

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

use crate::service::Service;

/// An answer before it is put on the wire.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    content_type: &'static str,
    body: String,
}

impl Reply {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &Value) -> Reply {
        Reply { status, content_type: "application/json", body: body.to_string() }
    }

    /// A plain text answer.
    pub(crate) fn text(status: u16, body: &str) -> Reply {
        Reply { status, content_type: "text/plain; charset=utf-8", body: body.to_owned() }
    }

    /// The envelope of success: `{"ok":true,"service":…,"operation":…,"data":…}`.
    pub(crate) fn data(service: Service, operation: &str, data: Value) -> Reply {
        Reply::json(200, &json!({"ok": true, "service": service.name(), "operation": operation, "data": data}))
    }

    /// The envelope of failure: `{"ok":false,…,"error":{"failure_class":…,"message":…}}`.
    pub(crate) fn failure(status: u16, service: Service, operation: &str, class: &str, message: &str) -> Reply {
        let error = json!({"failure_class": class, "message": message});
        Reply::json(status, &json!({"ok": false, "service": service.name(), "operation": operation, "error": error}))
    }

    /// FastAPI's answer to an exception in the handler.
    pub(crate) fn internal_error() -> Reply {
        Reply::text(500, "Internal Server Error")
    }

    /// FastAPI's answer to an unknown path or thing.
    pub(crate) fn not_found(detail: &str) -> Reply {
        Reply::json(404, &json!({"detail": detail}))
    }

    /// FastAPI's answer to a known path with another method.
    pub(crate) fn method_not_allowed() -> Reply {
        Reply::json(405, &json!({"detail": "Method Not Allowed"}))
    }

    /// FastAPI's answer to a missing or wrong field; `place` is `query` or `body`.
    pub(crate) fn invalid(place: &str, field: &str, message: &str) -> Reply {
        let kind = if message == MISSING { "missing" } else { "value_error" };
        Reply::json(422, &json!({"detail": [{"type": kind, "loc": [place, field], "msg": message}]}))
    }

    /// The answer as hyper sends it.
    pub(crate) fn into_response(self, server: &'static str, correlation: &str) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = hyper::StatusCode::from_u16(self.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static(self.content_type));
        headers.insert("server", HeaderValue::from_static(server));
        if let Ok(value) = HeaderValue::from_str(correlation) {
            headers.insert("x-correlation-id", value);
        }
        response
    }
}

/// Pydantic's message for a field that is not there.
pub(crate) const MISSING: &str = "Field required";
