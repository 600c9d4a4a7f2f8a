//! A small web server for tests, on this machine only.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

type Handler = dyn Fn(&str) -> String + Send + Sync;

/// A web server that answers each request (its whole text) with a text; an empty one hangs up. It ends when it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    inner: Arc<Inner>,
    accepting: Option<JoinHandle<()>>,
}

struct Inner {
    handler: Box<Handler>,
    ended: AtomicBool,
    connections: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl Server {
    /// A server on a free port.
    pub(crate) fn start(handler: impl Fn(&str) -> String + Send + Sync + 'static) -> Server {
        Server::start_on(0, handler)
    }

    /// A server on this port.
    pub(crate) fn start_on(port: u16, handler: impl Fn(&str) -> String + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port to listen on");
        let port = listener.local_addr().expect("an address").port();
        let inner = Arc::new(Inner {
            handler: Box::new(handler),
            ended: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
        });
        let of_thread = inner.clone();
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if of_thread.ended.load(Ordering::SeqCst) {
                    break;
                }
                of_thread.connections.fetch_add(1, Ordering::SeqCst);
                let _ = stream.set_nodelay(true);
                of_thread.open.lock().expect("a lock").push(stream.try_clone().expect("a second handle"));
                let of_connection = of_thread.clone();
                std::thread::spawn(move || serve(&of_connection, stream));
            }
        });
        Server { port, inner, accepting: Some(accepting) }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }

    /// An answer of 200 that holds the request.
    pub(crate) fn ok(request: &str) -> String {
        if request.starts_with("HEAD ") {
            return "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned();
        }
        Server::body(request)
    }

    /// An answer of 200 with this body.
    pub(crate) fn body(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.inner.ended.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for stream in self.inner.open.lock().expect("a lock").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn serve(inner: &Inner, stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut writer = stream;
    while let Some(request) = read(&mut reader) {
        let answer = (inner.handler)(&request);
        // An answer that promises more than it gives, or nothing at all, ends the connection.
        let whole = answer.contains("\r\n\r\n") && complete(&answer);
        if writer.write_all(answer.as_bytes()).is_err() || !whole {
            let _ = writer.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn complete(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    length(head) <= body.len()
}

fn length(head: &str) -> usize {
    head.lines()
        .filter_map(|l| l.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, n)| n.trim().parse().ok())
        .unwrap_or(0)
}

fn read(reader: &mut impl BufRead) -> Option<String> {
    let mut request = String::new();
    loop {
        let before = request.len();
        if reader.read_line(&mut request).ok()? == 0 {
            return None;
        }
        if &request[before..] == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length(&request)];
    reader.read_exact(&mut body).ok()?;
    request.push_str(&String::from_utf8_lossy(&body));
    Some(request)
}
