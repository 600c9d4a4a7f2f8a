//! The life of the server: wait, bind, accept, stop.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::options::Options;
use crate::service::Service;
use crate::state::State;
use crate::stop::Signals;
use crate::{console, effect, route};

/// The longest that a stopping server waits for requests in flight.
const DRAIN: Duration = Duration::from_secs(3);

/// Runs the service until a signal stops it, and returns the exit code.
pub(crate) async fn serve(state: Arc<State>) -> i32 {
    let options = &state.options;
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return fail(&error.to_string()),
    };
    console::starting(options.service);
    let stopped = tokio::select! {
        () = tokio::time::sleep(state.startup_delay()) => false,
        () = signals.stop(&state) => true,
    };
    if options.service != Service::Ollama {
        console::info("Application startup complete.");
    }
    if !stopped {
        // Bound only now: an open port means that the service answers.
        let listener = match listen(options) {
            Ok(listener) => listener,
            Err(error) => {
                let code = fail(&bind_error(&error, options));
                farewell(options.service);
                return code;
            }
        };
        console::running(options);
        let at_start = state.faults();
        effect::at_start(&state, &at_start).await;
        tokio::select! {
            () = accept(&state, &listener) => {}
            () = signals.stop(&state) => {}
        }
        if options.service != Service::Ollama {
            console::info("Shutting down");
        }
        drop(listener);
        drain(&state).await;
    }
    if options.service != Service::Ollama {
        console::info("Waiting for application shutdown.");
    }
    tokio::select! {
        () = tokio::time::sleep(state.stop_delay()) => {}
        () = signals.force() => {}
    }
    if options.service != Service::Ollama {
        console::info("Application shutdown complete.");
        console::info(&format!("Finished server process [{}]", std::process::id()));
    }
    0
}

fn farewell(service: Service) {
    if service != Service::Ollama {
        console::info("Waiting for application shutdown.");
        console::info("Application shutdown complete.");
    }
}

fn fail(message: &str) -> i32 {
    console::error(message);
    1
}

/// uvicorn's words for a port that cannot be bound.
pub(crate) fn bind_error(error: &std::io::Error, options: &Options) -> String {
    // Rust appends "(os error N)" to the system's text; Python puts the number first and the text in lower case.
    let text = error.to_string().to_lowercase();
    let text = text.split(" (os error").next().unwrap_or_default();
    let number = error.raw_os_error().unwrap_or_default();
    format!("[Errno {number}] error while attempting to bind on address ('{}', {}): {text}", options.host, options.port)
}

fn listen(options: &Options) -> std::io::Result<TcpListener> {
    let host = options.host.parse().map_err(|_| std::io::Error::from(std::io::ErrorKind::InvalidInput))?;
    let address = SocketAddr::new(host, options.port);
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the old connections in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(2048)
}

async fn accept(state: &Arc<State>, listener: &TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(connection(Arc::clone(state), stream, peer));
            }
            Err(error) => {
                console::error(&format!("accept: {error}"));
                // Out of file descriptors: accepting again at once would only spin.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(state: Arc<State>, stream: TcpStream, peer: SocketAddr) {
    let mut stop = state.stop.subscribe();
    let service = service_fn(|request| route::handle(Arc::clone(&state), peer, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    // What goes wrong on one connection is the client's affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stopping| *stopping) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Tells every connection to end and waits for them, but not for ever.
async fn drain(state: &State) {
    state.stop.send_replace(true);
    if state.stop.is_closed() {
        return;
    }
    let patience = Duration::from_millis(100);
    if tokio::time::timeout(patience, state.stop.closed()).await.is_err() {
        console::info("Waiting for connections to close. (CTRL+C to force quit)");
        let _ = tokio::time::timeout(DRAIN, state.stop.closed()).await;
    }
}
