//! `dns`: what a name stands for.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration as Std, Instant};

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use reqwest::Url;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Need, Probe, Resource, Touches, hand_word};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::support::net::{self, Failure};

pub(crate) struct Dns;

/// Asks what a name stands for: its addresses, mail servers, and so on.
///
/// Without `type` and `server` it asks as every program on this machine does, `/etc/hosts` included, for addresses. With either it asks a name
/// server itself, by UDP, and by TCP if the answer is too long.
///
/// Of a URL, the host is taken, without port and path. That there is no such name is an ordinary result: `found` is false and `rcode` is
/// `NXDOMAIN`. Without `expect` the step is ok if something was found. A name server that does not answer fails the step with `timed out after ...`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The name such as `db.internal`, or a URL with it. For `PTR` an address will do.
    name: String,
    /// What to ask for. Default: addresses, both IPv4 and IPv6.
    #[serde(default, rename = "type")]
    kind: Option<Kind>,
    /// The name server to ask, such as `10.0.0.2` or `127.0.0.1:5353`. Default: the first one of `/etc/resolv.conf`, if `type` is given.
    #[serde(default)]
    server: Option<String>,
    /// How to ask: `udp` (default) or `tcp`.
    #[serde(default)]
    transport: Transport,
    /// Whether the name server should ask others if it does not know. Default: true.
    #[serde(default = "crate::support::args::yes")]
    recursion: bool,
    /// The longest time to wait. Default: `3s`; a shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
}

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
enum Kind {
    A,
    Aaaa,
    Caa,
    Cname,
    Mx,
    Ns,
    Ptr,
    Soa,
    Srv,
    Txt,
}

impl Kind {
    fn record_type(self) -> RecordType {
        match self {
            Kind::A => RecordType::A,
            Kind::Aaaa => RecordType::AAAA,
            Kind::Caa => RecordType::CAA,
            Kind::Cname => RecordType::CNAME,
            Kind::Mx => RecordType::MX,
            Kind::Ns => RecordType::NS,
            Kind::Ptr => RecordType::PTR,
            Kind::Soa => RecordType::SOA,
            Kind::Srv => RecordType::SRV,
            Kind::Txt => RecordType::TXT,
        }
    }
}

/// How a question travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Transport {
    #[default]
    Udp,
    Tcp,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether there is a record of the kind that was asked for.
    found: bool,
    /// Why nothing was found; null if something was.
    error: Option<String>,
    /// The name that was asked for.
    name: String,
    /// The records' data as text: `10.0.0.5`, `10 mail.example.org.` for MX, `5 0 389 ldap.example.org.` for SRV. Sorted.
    records: Vec<String>,
    /// The addresses among the records, sorted.
    addresses: Vec<String>,
    /// All that the name server answered, in its order; empty if it was asked as programs do.
    answers: Vec<Answer>,
    /// What the name server says of the question: `NOERROR`, `NXDOMAIN`, `SERVFAIL`, `REFUSED` and so on; null if it was asked as programs do.
    rcode: Option<String>,
    /// The shortest time that a record may be kept; null if none is known.
    ttl: Option<Duration>,
    /// Whether the name server is the one that is in charge of the name; null if it was asked as programs do.
    authoritative: Option<bool>,
    /// The name server that answered; null if it was asked as programs do.
    server: Option<String>,
    /// How long it took.
    elapsed: Duration,
}

/// A record.
#[derive(Debug, Serialize, JsonSchema)]
struct Answer {
    /// The name that it is of.
    name: String,
    /// Its kind, such as `CNAME`.
    kind: String,
    /// How long it may be kept.
    ttl: Duration,
    /// What it says.
    data: String,
}

/// The host of what may be a URL, or a host with a port.
fn host(text: &str) -> Result<String, Fault> {
    let bad = |why: &str| Fault::invalid("name", format!("{text:?} is not a name such as `db.internal`: {why}"));
    let host = match text.contains("://") {
        true => {
            let url = Url::parse(text).map_err(|e| bad(&e.to_string()))?;
            url.host_str().ok_or_else(|| bad("the URL has no host"))?.to_owned()
        }
        // `db.internal:6333` without a scheme is meant as a host too.
        false => match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') && port.parse::<u16>().is_ok() => host.to_owned(),
            _ => text.to_owned(),
        },
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.parse::<IpAddr>().is_ok() {
        return Ok(host);
    }
    if !host.is_ascii() {
        return Err(bad("write it as it is in DNS, such as `xn--bcher-kva.example`"));
    }
    if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control() || "/:@".contains(c)) {
        return Err(bad("it has characters that no name has"));
    }
    Name::from_ascii(&host).map(|_| host.clone()).map_err(|e| bad(&e.to_string()))
}

/// The name as DNS knows it; an address asked backwards has a name of its own.
fn question(host: &str, kind: Kind) -> Result<Name, Fault> {
    let name = match (host.parse::<IpAddr>(), kind) {
        (Ok(address), Kind::Ptr) => Name::from(address),
        (Ok(_), _) => return Err(Fault::invalid("type", format!("{host} is an address; `type: PTR` asks for its name"))),
        (Err(_), _) => Name::from_ascii(host).map_err(|e| Fault::invalid("name", e.to_string()))?,
    };
    let mut name = name;
    name.set_fqdn(true);
    Ok(name)
}

fn server(text: &str) -> Result<SocketAddr, Fault> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    text.parse().or_else(|_| bare.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53))).map_err(|_| {
        Fault::invalid("server", format!("{text:?} is not the address of a name server, such as `10.0.0.2` or `127.0.0.1:5353`"))
    })
}

/// The first name server of a `resolv.conf`.
fn first_server(text: &str) -> Option<SocketAddr> {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next())?
    });
    servers.filter_map(|s| s.split('%').next()?.parse().ok()).map(|ip| SocketAddr::new(ip, 53)).next()
}

impl Probe for Dns {
    const NAME: &'static str = "dns";
    const MAIN: Option<&'static str> = Some("name");
    const VERDICT: &'static str = "found";
    const SAYS: &'static str = "{{ records | join(', ') }}";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A name has an address", yaml: "dns: localhost", runs: true },
        Example { title: "The host of a URL is known", yaml: "dns: https://qdrant.internal:6333/collections", runs: false },
        Example {
            title: "The name server in charge says what it should",
            yaml: "dns: { name: example.org, type: MX, server: 10.0.0.2 }\nexpect:\n  - \"'10 mail.example.org.' in records\"\n  - elapsed < 100ms\n",
            runs: false,
        },
        Example {
            title: "A name is gone",
            yaml: "dns: { name: old.example.org, type: A }\nexpect: rcode == 'NXDOMAIN'\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let name = args.or("name", "<name>");
        let name = host(&name).unwrap_or(name);
        let expect = "the records that are wanted are shown";
        if args.get("type").is_none() && args.get("server").is_none() {
            return ByHand::run(format!("getent ahosts {}", hand_word(&name))).expect(expect);
        }
        let mut line = "dig".to_owned();
        if let Some(server) = args.text("server") {
            let (host, port) = server.rsplit_once(':').unwrap_or((&server, ""));
            line += &format!(" {}", hand_word(&format!("@{host}")));
            if !port.is_empty() {
                line += &format!(" -p {}", hand_word(port));
            }
        }
        if args.text("transport").as_deref() == Some("tcp") {
            line += " +tcp";
        }
        if !args.flag("recursion", true) {
            line += " +norecurse";
        }
        let kind = args.or("type", "A");
        let backwards = if kind == "PTR" && name.parse::<IpAddr>().is_ok() { "-x " } else { "" };
        let kind = if backwards.is_empty() { format!(" {}", hand_word(&kind)) } else { String::new() };
        ByHand::run(format!("{line} {backwards}{}{kind}", hand_word(&name))).expect(expect)
    }

    fn touches(args: &Args) -> Touches {
        let touches = Touches::reads([Resource::new("name", host(&args.name).unwrap_or_default())]);
        match args.server.as_deref().map(server) {
            Some(Ok(at)) => touches.needing(Need::Net { host: at.ip().to_string(), port: at.port() }),
            _ => touches,
        }
    }

    fn check(args: &Args) -> Result<(), Fault> {
        let host = host(&args.name)?;
        args.server.as_deref().map(server).transpose()?;
        match (args.kind, args.server.is_some()) {
            (Some(kind), _) => question(&host, kind).map(drop),
            (None, true) => question(&host, Kind::A).map(drop),
            (None, false) => Ok(()),
        }
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let host = host(&args.name)?;
        let limit = net::shorter(args.timeout.map_or(Std::from_secs(3), Duration::to_std), cx.timeout);
        let started = Instant::now();
        let mut out = Out {
            found: false,
            error: None,
            name: host.clone(),
            records: Vec::new(),
            addresses: Vec::new(),
            answers: Vec::new(),
            rcode: None,
            ttl: None,
            authoritative: None,
            server: None,
            elapsed: Std::ZERO.into(),
        };
        let result = if args.kind.is_none() && args.server.is_none() {
            tokio::time::timeout(limit, as_programs_do(&host, &mut out)).await
        } else {
            let at = match &args.server {
                Some(text) => server(text)?,
                None => own_server()?,
            };
            out.server = Some(at.to_string());
            tokio::time::timeout(limit, ask_server(args, &host, at, limit, &mut out)).await
        };
        out.records.sort();
        out.records.dedup();
        out.addresses = out.records.iter().filter(|r| r.parse::<IpAddr>().is_ok()).cloned().collect();
        out.found = !out.records.is_empty();
        out.elapsed = net::rounded(started.elapsed());
        match result.unwrap_or_else(|_| Err(net::timed_out(limit))) {
            Ok(()) => Ok(out),
            Err(failure) => {
                out.error = Some(failure.message().to_owned());
                Err(failure.into_fault(out))
            }
        }
    }
}

fn own_server() -> Result<SocketAddr, Fault> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    first_server(&text).ok_or_else(|| Fault::cannot_tell("/etc/resolv.conf names no name server; give `server`"))
}

/// Asks as every program does: hosts file, name servers and all.
async fn as_programs_do(host: &str, out: &mut Out) -> Result<(), Failure> {
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => {
            out.records = found.map(|a| a.ip().to_string()).collect();
            Ok(())
        }
        Err(error) => match net::of_io(&error, host) {
            Failure::Answer(why) => {
                out.error = Some(why);
                Ok(())
            }
            ours @ Failure::Ours(_) => Err(ours),
        },
    }
}

async fn ask_server(args: &Args, host: &str, at: SocketAddr, limit: Std, out: &mut Out) -> Result<(), Failure> {
    let kinds = match args.kind {
        Some(kind) => vec![kind],
        None => vec![Kind::A, Kind::Aaaa],
    };
    for kind in kinds {
        let name = question(host, kind).map_err(|f| Failure::Ours(f.message().to_owned()))?;
        let query = Query::query(name, kind.record_type());
        let answer = exchange(args, query, at, limit).await?;
        take(&answer, kind, out);
    }
    if out.records.is_empty() {
        let rcode = out.rcode.as_deref().unwrap_or_default();
        out.error = Some(match rcode {
            "NOERROR" => format!("`{host}` has no such record"),
            "NXDOMAIN" => format!("there is no name `{host}`"),
            other => format!("the name server answered {other}"),
        });
    }
    Ok(())
}

fn take(answer: &Message, kind: Kind, out: &mut Out) {
    let rcode = rcode(answer.metadata.response_code);
    // Of two questions, the one that was not answered well counts.
    if out.rcode.as_deref().is_none_or(|r| r == "NOERROR") {
        out.rcode = Some(rcode);
    }
    out.authoritative = Some(out.authoritative.unwrap_or(true) && answer.metadata.authoritative);
    for record in &answer.answers {
        let (data, of) = (record.data.to_string(), record.record_type());
        if of == kind.record_type() {
            out.records.push(data.clone());
            let ttl: Duration = Std::from_secs(u64::from(record.ttl)).into();
            out.ttl = Some(out.ttl.map_or(ttl, |known| if known.0 < ttl.0 { known } else { ttl }));
        }
        let ttl = Std::from_secs(u64::from(record.ttl)).into();
        out.answers.push(Answer { name: record.name.to_string(), kind: of.to_string(), ttl, data });
    }
}

/// What DNS people call it.
fn rcode(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => format!("{other:?}").to_uppercase(),
    }
}

async fn exchange(args: &Args, query: Query, at: SocketAddr, limit: Std) -> Result<Message, Failure> {
    let mut message = Message::query();
    message.metadata.recursion_desired = args.recursion;
    message.add_query(query);
    let bytes = message.to_vec().map_err(|e| Failure::Ours(format!("the question cannot be made: {e}")))?;
    if args.transport == Transport::Udp {
        let answer = by_udp(&bytes, &message, at, limit).await?;
        if !answer.metadata.truncation {
            return Ok(answer);
        }
    }
    by_tcp(&bytes, &message, at).await
}

/// Whether an answer is one to this question.
fn fits(answer: &Message, asked: &Message) -> bool {
    answer.metadata.id == asked.metadata.id && (answer.queries.is_empty() || answer.queries == asked.queries)
}

async fn by_udp(bytes: &[u8], asked: &Message, at: SocketAddr, limit: Std) -> Result<Message, Failure> {
    let told = |e: &std::io::Error| net::of_io(e, &at.to_string());
    let own = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(own).await.map_err(|e| told(&e))?;
    socket.connect(at).await.map_err(|e| told(&e))?;
    let mut buffer = vec![0; 65_535];
    loop {
        // A datagram may get lost, so that it is sent again.
        socket.send(bytes).await.map_err(|e| told(&e))?;
        let listening = async {
            loop {
                let n = socket.recv(&mut buffer).await.map_err(|e| told(&e))?;
                match Message::from_vec(&buffer[..n]) {
                    Ok(answer) if fits(&answer, asked) => return Ok(answer),
                    // An answer to somebody else's question, or none at all.
                    _ => {}
                }
            }
        };
        if let Ok(heard) = tokio::time::timeout(limit / 3, listening).await {
            return heard;
        }
    }
}

async fn by_tcp(bytes: &[u8], asked: &Message, at: SocketAddr) -> Result<Message, Failure> {
    let told = |e: &std::io::Error| net::of_io(e, &at.to_string());
    let mut stream = TcpStream::connect(at).await.map_err(|e| told(&e))?;
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
    stream.write_all(&[&length, bytes].concat()).await.map_err(|e| told(&e))?;
    let length = stream.read_u16().await.map_err(|e| told(&e))?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await.map_err(|e| told(&e))?;
    match Message::from_vec(&answer) {
        Ok(answer) if fits(&answer, asked) => Ok(answer),
        Ok(_) => Err(Failure::Answer("the name server answered another question".to_owned())),
        Err(e) => Err(Failure::Answer(format!("the answer is not proper DNS: {e}"))),
    }
}

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;
