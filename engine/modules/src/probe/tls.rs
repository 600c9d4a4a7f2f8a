//! `tls`: the certificate of a server or of a file.

use std::time::{Duration as Std, Instant};

use jiff::Timestamp;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches, hand_word};
use runbook_core::value::{Duration, Time};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::address::{check_host, split};
use crate::support::args::Text;
use crate::support::by_hand;
use crate::support::certificate::Certificate;
use crate::support::net::{self, Failure};
use crate::support::paths;
use crate::support::stream::{line, reach, say, secure};
use crate::support::tls::{self, Trust};

pub(crate) struct Tls;

/// Looks at the certificate that a server shows, or that is in a file.
///
/// It shakes hands and hangs up. A certificate that is not trusted, has expired or is for another name is shown like any other: `valid` is
/// false then, and `error` says why. Without `expect` the step is ok if it is valid; ask for more with `days_left >= 14`.
///
/// Of a file, the first certificate is judged by its time, and by name and signers too if `server_name` is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// Host and port such as `api.example.org:443`; without a port, 443 or that of `starttls`. Give this, or `file`.
    #[serde(default)]
    address: Option<Text>,
    /// A file in PEM with a certificate and its chain.
    #[serde(default)]
    file: Option<String>,
    /// The name to ask for and to find in the certificate. Default: the host.
    #[serde(default)]
    server_name: Option<String>,
    /// The protocol in which TLS is begun after a few words: `smtp` (port 25), `imap` (143), `pop3` (110) or `postgres` (5432). Default: TLS from
    /// the start.
    #[serde(default)]
    starttls: Option<StartTls>,
    /// A file in PEM with the authorities to trust, in place of those that this machine trusts. Default: none.
    #[serde(default)]
    ca_file: Option<String>,
    /// The longest time for the handshake. Default: `2s` for this machine, `10s` for others; a shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
}

/// How TLS begins.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum StartTls {
    Smtp,
    Imap,
    Pop3,
    Postgres,
}

/// A certificate and how it was shown.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether the certificate is in its time and, unless only a file was looked at, trusted and for this name.
    valid: bool,
    /// Why it is not valid; null if it is.
    error: Option<String>,
    /// Whether its signers are trusted, its time is right and its name matches; null for a file without `server_name`.
    trusted: Option<bool>,
    /// Whether it is for the name that was asked for; null for a file without `server_name`.
    name_matches: Option<bool>,
    /// The whole days until it ends; negative once it has ended.
    days_left: Option<i64>,
    /// Whom it is for, such as `CN=api.example.org`.
    subject: Option<String>,
    /// Who signed it.
    issuer: Option<String>,
    /// The host names and addresses that it is for.
    names: Vec<String>,
    /// When it began or begins to be valid.
    not_before: Option<Time>,
    /// When it ends or ended to be valid.
    not_after: Option<Time>,
    /// All certificates that were shown, its own first.
    chain: Vec<Certificate>,
    /// The version of TLS, `1.2` or `1.3`; null for a file.
    version: Option<String>,
    /// The cipher suite; null for a file.
    cipher: Option<String>,
    /// The address and port that answered; null for a file.
    address: Option<String>,
    /// How long it took to know.
    elapsed: Duration,
}

impl Args {
    fn target(&self) -> Result<(String, u16), Fault> {
        let port = match self.starttls {
            None => 443,
            Some(StartTls::Smtp) => 25,
            Some(StartTls::Imap) => 143,
            Some(StartTls::Pop3) => 110,
            Some(StartTls::Postgres) => 5432,
        };
        match (&self.address, &self.file) {
            (Some(_), Some(_)) => Err(Fault::invalid("file", "give either `address` or `file`, not both")),
            (Some(Text(address)), None) => split(address, Some(port)),
            (None, _) => Err(Fault::invalid("address", "say where: `tls: api.example.org:443`")),
        }
    }
}

/// What is known when it is known.
#[derive(Default)]
struct Found {
    chain: Vec<CertificateDer<'static>>,
    /// Why it is not trusted; `None` if nobody asked.
    judged: Option<Result<(), rustls::Error>>,
    name: Option<String>,
    version: Option<String>,
    cipher: Option<String>,
    address: Option<String>,
}

impl Found {
    fn out(self, started: Instant, now: Timestamp, failure: Option<&Failure>) -> Out {
        let chain: Vec<Certificate> = self.chain.iter().filter_map(|der| Certificate::read(der, now)).collect();
        let first = chain.first().cloned();
        let matches = self.chain.first().zip(self.name.as_deref()).and_then(|(der, name)| {
            let parsed = ParsedCertificate::try_from(der).ok()?;
            Some(verify_server_name(&parsed, &tls::server_name(name).ok()?).is_ok())
        });
        let why = match (&self.judged, &first) {
            (Some(Err(error)), _) => Some(format!("the certificate is not accepted: {}", tls::why(error))),
            (_, Some(first)) if first.not_after.0 < now => Some(format!("the certificate expired at {}", first.not_after.0)),
            (_, Some(first)) if first.not_before.0 > now => {
                Some(format!("the certificate is not valid before {}", first.not_before.0))
            }
            _ => None,
        };
        let error = failure.map(|f| f.message().to_owned()).or(why);
        Out {
            valid: error.is_none() && first.is_some(),
            error,
            trusted: self.judged.map(|j| j.is_ok()),
            name_matches: matches,
            days_left: first.as_ref().map(|c| c.days_left),
            subject: first.as_ref().map(|c| c.subject.clone()),
            issuer: first.as_ref().map(|c| c.issuer.clone()),
            names: first.as_ref().map(|c| c.names.clone()).unwrap_or_default(),
            not_before: first.as_ref().map(|c| c.not_before),
            not_after: first.as_ref().map(|c| c.not_after),
            chain,
            version: self.version,
            cipher: self.cipher,
            address: self.address,
            elapsed: net::rounded(started.elapsed()),
        }
    }
}

impl Probe for Tls {
    const NAME: &'static str = "tls";
    const MAIN: Option<&'static str> = Some("address");
    const VERDICT: &'static str = "valid";
    const SAYS: &'static str = "{{ days_left }} days left, until {{ not_after }}";
    const COLUMNS: &'static [&'static str] = &["days_left"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "A certificate that is good for two more weeks",
            yaml: "tls: api.example.org:443\nexpect:\n  - valid\n  - days_left >= 14\n",
            runs: false,
        },
        Example {
            title: "Graded: a warning from 14 days on, critical from 7",
            yaml: "tls: { address: '127.0.0.1:443', server_name: api.example.org }\ngrade: { value: days_left, target: 30, warning: 14, critical: 7 }\n",
            runs: false,
        },
        Example {
            title: "Before a new certificate is put in place",
            yaml: "tls: { file: new/fullchain.pem, server_name: api.example.org }",
            runs: false,
        },
        Example { title: "Nobody listens: the step fails with `connection refused`", yaml: "tls: 127.0.0.1:{port}", runs: true },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let show = "openssl x509 -noout -subject -issuer -dates -ext subjectAltName";
        let expect = "`notAfter` is far enough away and the names are right";
        if args.get("file").is_some() {
            return ByHand::run(format!("{show} -in {}", by_hand::path(args, "file"))).expect(expect);
        }
        let address = args.or("address", "<address>");
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host.to_owned(), port.to_owned()),
            _ => (address.clone(), "443".to_owned()),
        };
        let name = args.or("server_name", host.trim_matches(['[', ']']));
        let mut line =
            format!("openssl s_client -connect {} -servername {}", hand_word(&format!("{host}:{port}")), hand_word(&name));
        if let Some(protocol) = args.text("starttls") {
            line += &format!(" -starttls {}", hand_word(&protocol));
        }
        if args.get("ca_file").is_some() {
            line += &format!(" -CAfile {}", by_hand::path(args, "ca_file"));
        }
        ByHand::run(format!("{line} </dev/null | {show}"))
            .expect(expect)
            .note("`Verify return code: 0 (ok)` in the output of the first program means that the signers are trusted.")
    }

    fn touches(args: &Args) -> Touches {
        match (&args.file, args.target()) {
            (Some(file), _) => Touches::reads([paths::resource(file)]),
            (None, Ok((host, port))) => net::reads(&host, port),
            (None, Err(_)) => Touches::default(),
        }
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if let Some(name) = &args.server_name {
            check_host("server_name", name)?;
        }
        if args.file.is_some() && args.address.is_none() {
            return match args.starttls {
                Some(_) => Err(Fault::invalid("starttls", "a file has no protocol")),
                None => Ok(()),
            };
        }
        check_host("address", &args.target()?.0)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let started = Instant::now();
        if let (Some(file), None) = (&args.file, &args.address) {
            let found = of_file(args, file, cx)?;
            return Ok(found.out(started, cx.now(), None));
        }
        let (host, port) = args.target()?;
        let own = args.timeout.map_or(Std::from_secs(if net::is_loopback(&host) { 2 } else { 10 }), Duration::to_std);
        let limit = net::shorter(own, cx.timeout);
        let mut found = Found { name: Some(args.server_name.clone().unwrap_or_else(|| host.clone())), ..Found::default() };
        let looked = tokio::time::timeout(limit, of_server(args, &host, port, cx, &mut found)).await;
        match looked.unwrap_or_else(|_| Err(net::timed_out(limit))) {
            Ok(()) => Ok(found.out(started, cx.now(), None)),
            Err(failure) => {
                let out = found.out(started, cx.now(), Some(&failure));
                Err(failure.into_fault(out))
            }
        }
    }
}

fn of_file(args: &Args, file: &str, cx: &Cx<'_>) -> Result<Found, Fault> {
    let path = paths::resolve(cx, "file", file)?;
    std::fs::metadata(&path).map_err(|e| paths::fault(&path, &e))?;
    let chain = tls::certificates(&path).map_err(|f| match f {
        Failure::Ours(why) if why.contains("PEM") => Fault::unmet(why),
        other => other.into_fault(()),
    })?;
    let mut found = Found { name: args.server_name.clone(), ..Found::default() };
    if let Some(name) = &args.server_name {
        let ca = args.ca_file.as_ref().map(|f| cx.resolve(f));
        let judge = tls::judge(cx.shared(), ca.as_deref()).map_err(|f| f.into_fault(()))?;
        let name = tls::server_name(name).map_err(|f| Fault::invalid("server_name", f.message()))?;
        let now = UnixTime::since_unix_epoch(Std::from_secs(u64::try_from(cx.now().as_second()).unwrap_or_default()));
        found.judged = Some(judge.verify_server_cert(&chain[0], &chain[1..], &name, &[], now).map(drop));
    }
    found.chain = chain;
    Ok(found)
}

async fn of_server(args: &Args, host: &str, port: u16, cx: &Cx<'_>, found: &mut Found) -> Result<(), Failure> {
    let trust = Trust::of(cx, false, args.ca_file.as_deref(), None, None);
    let config = tls::config(cx.shared(), &trust, false, &[])?;
    let mut reached = reach(host, port).await?;
    found.address = Some(reached.address.to_string());
    if let Some(protocol) = args.starttls {
        start(&mut reached.stream, protocol).await?;
    }
    let name = found.name.clone().unwrap_or_default();
    let (shaken, seen) = secure(reached.stream, &name, config).await;
    if !seen.chain.is_empty() {
        found.judged = Some(seen.rejected.map_or(Ok(()), Err));
    }
    found.chain = seen.chain;
    found.version = seen.version.map(str::to_owned);
    let stream = shaken?;
    let suite = stream.get_ref().1.negotiated_cipher_suite();
    found.cipher = suite.map(|s| format!("{:?}", s.suite()).replace("TLS13_", "TLS_"));
    Ok(())
}

/// Says what a protocol wants to hear before TLS begins.
async fn start(stream: &mut TcpStream, protocol: StartTls) -> Result<(), Failure> {
    let no = |answer: &str| Failure::Answer(format!("the server does not begin TLS here; it says {answer:?}"));
    /// Reads an answer to its last line, the one with a space behind its number.
    async fn smtp(stream: &mut TcpStream) -> Result<String, Failure> {
        loop {
            let answer = line(stream).await?;
            if answer.as_bytes().get(3) != Some(&b'-') {
                return Ok(answer);
            }
        }
    }
    let (asked, wanted): (&[(&[u8], &str)], _) = match protocol {
        StartTls::Smtp => (&[(b"", "220"), (b"EHLO runbook\r\n", "250"), (b"STARTTLS\r\n", "220")], "smtp"),
        StartTls::Imap => (&[(b"", "* OK"), (b"a STARTTLS\r\n", "a OK")], "imap"),
        StartTls::Pop3 => (&[(b"", "+OK"), (b"STLS\r\n", "+OK")], "pop3"),
        StartTls::Postgres => {
            // SSLRequest: its length and its code.
            say(stream, &[0, 0, 0, 8, 4, 210, 22, 47]).await?;
            return match stream.read_u8().await.map_err(|e| net::of_io(&e, "the server"))? {
                b'S' => Ok(()),
                b'N' => Err(Failure::Answer("the PostgreSQL server does not speak TLS; its setting `ssl` is off".to_owned())),
                other => Err(no(&char::from(other).to_string())),
            };
        }
    };
    for (question, good) in asked {
        say(stream, question).await?;
        let answer = if wanted == "smtp" { smtp(stream).await? } else { line(stream).await? };
        if !answer.starts_with(good) {
            return Err(no(&answer));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
