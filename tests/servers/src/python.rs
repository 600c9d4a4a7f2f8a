//! Servers that are written in Python: a WebSocket server, an S3 API, a receiver of mail.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::certs::Authority;
use crate::guard::{Guarded, free_port, fresh_folder, have, until};

/// A Python that has a package: `RUNBOOK_TEST_PYTHON`, or `target/python` below the repository's root, or plain `python3`.
fn python_with(package: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/python3");
    let named = std::env::var_os("RUNBOOK_TEST_PYTHON").map(PathBuf::from);
    let imports = |python: &PathBuf| {
        let mut command = Command::new(python);
        command.args(["-c", &format!("import {package}")]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|s| s.success())
    };
    let found = [named, Some(own), Some(PathBuf::from("python3"))].into_iter().flatten().find(imports);
    assert!(
        found.is_some() || std::env::var("RUNBOOK_REQUIRE").as_deref() != Ok("all"),
        "no Python here has the package {package}, and all suites are required: run tests/run, which installs it"
    );
    found
}

fn serve(name: &str, package: &str, argv: impl FnOnce(u16, &Path) -> Vec<String>) -> Option<(u16, Guarded)> {
    let python = python_with(package)?;
    let folder = fresh_folder(name);
    let port = free_port();
    let mut words = vec![python.display().to_string()];
    words.extend(argv(port, &folder));
    let server = Guarded::start(&folder, "KILL", words);
    until(&format!("{name} listens"), || server.output(), || TcpStream::connect(("127.0.0.1", port)).is_ok());
    Some((port, server))
}

fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("server.py");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A WebSocket server. `/echo` sends back what it gets; `/greet` sends `{"hello": "world"}` at once; `/count` sends 0, 1, 2 ... without end;
/// `/bye` says `bye` and closes with code 4001; `/silent` says nothing; `/drop` breaks the connection without a word; `/token` wants
/// `Authorization: Bearer t0ken` and answers 401 without; everything else is answered with 404.
#[derive(Debug)]
pub struct WebSocket {
    /// Its port on 127.0.0.1.
    pub port: u16,
    _server: Guarded,
}

const WEBSOCKET: &str = r#"
import asyncio, http, itertools, sys
from websockets.asyncio.server import serve

def guard(connection, request):
    if request.path == "/token" and request.headers.get("Authorization") != "Bearer t0ken":
        return connection.respond(http.HTTPStatus.UNAUTHORIZED, "no token\n")
    if request.path not in ("/echo", "/greet", "/count", "/bye", "/silent", "/drop", "/token"):
        return connection.respond(http.HTTPStatus.NOT_FOUND, "nothing here\n")

def choose(connection, offered):
    return "chat" if "chat" in offered else None

async def handler(ws):
    path = ws.request.path
    if path == "/greet":
        await ws.send('{"hello": "world"}')
    if path == "/bye":
        await ws.send("bye")
        await ws.close(4001, "maintenance")
    if path == "/drop":
        ws.transport.abort()
    if path == "/count":
        for n in itertools.count():
            await ws.send(str(n))
            await asyncio.sleep(0.005)
    async for message in ws:
        if path in ("/echo", "/token"):
            await ws.send(message)

async def main():
    async with serve(handler, "127.0.0.1", int(sys.argv[1]), process_request=guard, select_subprotocol=choose):
        await asyncio.get_running_loop().create_future()

asyncio.run(main())
"#;

impl WebSocket {
    /// Starts one; `None` if no Python has the package `websockets`.
    pub fn start() -> Option<WebSocket> {
        let (port, server) = serve("websocket", "websockets", |port, folder| vec![script(folder, WEBSOCKET), port.to_string()])?;
        Some(WebSocket { port, _server: server })
    }
}

/// An S3 API (`moto`) with nothing in it. Any key is taken.
#[derive(Debug)]
pub struct S3 {
    /// Its port on 127.0.0.1.
    pub port: u16,
    _server: Guarded,
}

impl S3 {
    /// Starts one; `None` if no Python has the package `moto` with its server.
    pub fn start() -> Option<S3> {
        let code = "from moto.server import main; main()".to_owned();
        let (port, server) = serve("s3", "moto.server", |port, _| {
            vec!["-c".into(), code, "-H".into(), "127.0.0.1".into(), "-p".into(), port.to_string()]
        })?;
        Some(S3 { port, _server: server })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A receiver of mail, which keeps what it gets and knows STARTTLS. Who is written to at `nobody@` is refused.
#[derive(Debug)]
pub struct Mail {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The authority that signed its certificate, which is for `localhost` and 127.0.0.1.
    pub ca: PathBuf,
    server: Guarded,
}

const MAIL: &str = r#"
import asyncio, os, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

class Keep:
    count = 0
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        Keep.count += 1
        name = os.path.join(sys.argv[2], "mail-%d" % Keep.count)
        with open(name + ".new", "wb") as out:
            out.write(("from %s to %s\n" % (envelope.mail_from, ",".join(envelope.rcpt_tos))).encode() + envelope.content)
        os.rename(name + ".new", name)
        return "250 kept"

def authenticate(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"user", b"s3cret-of-mail")
    return AuthResult(success=good, handled=False)

async def main():
    loop = asyncio.get_running_loop()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(sys.argv[3], sys.argv[4])
    make = lambda: SMTP(Keep(), authenticator=authenticate, auth_require_tls=False, tls_context=tls)
    server = await loop.create_server(make, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

asyncio.run(main())
"#;

impl Mail {
    /// The password of the user `user`.
    pub const PASSWORD: &'static str = "s3cret-of-mail";

    /// Starts one; `None` if openssl is missing, or no Python has the package `aiosmtpd`.
    pub fn start() -> Option<Mail> {
        if !have("openssl") {
            return None;
        }
        let (port, server) = serve("mail", "aiosmtpd", |port, folder| {
            let certificate = Authority::make(folder).unwrap().sign("mail", "DNS:localhost,IP:127.0.0.1", -1, 30);
            let [chain, key] = [certificate.chain, certificate.key].map(|p| p.display().to_string());
            vec![script(folder, MAIL), port.to_string(), folder.display().to_string(), chain, key]
        })?;
        let ca = server.folder().join("ca.pem");
        Some(Mail { port, ca, server })
    }

    /// The mails that were taken so far, in order: a first line with the envelope, then the mail.
    pub fn taken(&self) -> Vec<String> {
        let read = |n: u32| std::fs::read(self.server.folder().join(format!("mail-{n}"))).ok();
        (1..).map_while(read).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }
}
