//! The table of listening TCP ports, and who listens.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::diag;
use super::process::{self, Look};

/// A listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The socket's number.
    pub(crate) inode: u64,
    /// The user who made it.
    pub(crate) uid: u32,
}

/// Which addresses are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    /// Any.
    Anywhere,
    /// The machine itself, by IPv4 or IPv6: what a service without a given address collides with.
    Loopback,
    /// This one.
    At(IpAddr),
}

impl Where {
    /// The place that a host argument means: an address, `localhost` or `*`.
    pub(crate) fn parse(host: &str) -> Option<Where> {
        match host {
            "*" => Some(Where::Anywhere),
            "localhost" => Some(Where::Loopback),
            _ => {
                let ip: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
                Some(if ip.is_unspecified() { Where::Anywhere } else { Where::At(ip.to_canonical()) })
            }
        }
    }

    /// Whether a connection to here reaches a socket that listens there.
    fn reaches(self, listens: IpAddr) -> bool {
        let listens = listens.to_canonical();
        let one = |ip: IpAddr| match listens {
            IpAddr::V4(l) => l.is_unspecified() && ip.is_ipv4(),
            // A socket on `::` takes IPv4 too, unless it says otherwise, which the table does not show.
            IpAddr::V6(l) => l.is_unspecified(),
        } || listens == ip;
        match self {
            Where::Anywhere => true,
            Where::Loopback => one(Ipv4Addr::LOCALHOST.into()) || one(Ipv6Addr::LOCALHOST.into()),
            Where::At(ip) => one(ip),
        }
    }
}

/// Reads `0100007F:1B58` or its IPv6 form: words in the machine's own byte order.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |hex: &str| Some(u32::from_str_radix(hex, 16).ok()?.to_ne_bytes());
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(ip)?).into(),
        32 => {
            let mut bytes = [0; 16];
            for (i, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(ip.get(8 * i..8 * i + 8)?)?);
            }
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

fn parse(table: &str, port: u16, out: &mut Vec<Listener>) {
    // Port and state are compared as text first: a busy machine has tens of thousands of rows.
    let wanted = format!(":{port:04X}");
    for row in table.lines().skip(1) {
        let mut fields = row.split_ascii_whitespace();
        let (Some(local), Some(_), Some("0A")) = (fields.nth(1), fields.next(), fields.next()) else { continue };
        if !local.ends_with(&wanted) {
            continue;
        }
        let (uid, inode) = (fields.nth(3), fields.nth(1));
        if let (Some(address), Some(Ok(uid)), Some(Ok(inode))) = (address(local), uid.map(str::parse), inode.map(str::parse)) {
            out.push(Listener { address, inode, uid });
        }
    }
}

/// The sockets that listen on a port and are reached from there.
///
/// # Errors
/// If the table cannot be read.
pub(crate) fn listeners(port: u16, at: Where) -> io::Result<Vec<Listener>> {
    // Asked of the kernel for this one port. Its tables as text take it five milliseconds each, however empty they are.
    let mut out = match diag::listening(port) {
        Ok(found) => found,
        Err(_) => tables(port)?,
    };
    out.retain(|l| at.reaches(l.address.ip()));
    Ok(out)
}

/// The sockets that listen on a port, from the tables as text, where the kernel cannot be asked.
pub(super) fn tables(port: u16) -> io::Result<Vec<Listener>> {
    let mut out = Vec::new();
    parse(&std::fs::read_to_string("/proc/net/tcp")?, port, &mut out);
    match std::fs::read_to_string("/proc/net/tcp6") {
        Ok(table) => parse(&table, port, &mut out),
        // A kernel without IPv6.
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    Ok(out)
}

/// Whether a process has one of these sockets open; `None` if its descriptors may not be read.
pub(crate) fn holds(pid: u32, inodes: &[u64]) -> Option<bool> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    Some(entries.flatten().any(|entry| {
        let Ok(target) = std::fs::read_link(entry.path()) else { return false };
        let inode = target.to_str().and_then(|t| t.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok());
        inode.is_some_and(|i| inodes.contains(&i))
    }))
}

/// Who listens on a port.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    /// The process, if it is one that we can see.
    pub(crate) process: Option<Look>,
    /// The user, who is known even if the process is not.
    pub(crate) user: String,
    /// Whether the process runs as another user than we do.
    pub(crate) other_user: bool,
}

impl Owner {
    /// The owner as a message names it.
    pub(crate) fn described(&self) -> String {
        match &self.process {
            Some(look) => format!("{} of user {}", look.described(), self.user),
            None if self.other_user => format!("a process of another user ({})", self.user),
            None => "a process that cannot be seen from here, such as one in another container".to_owned(),
        }
    }
}

fn find_owner(sockets: &[Listener]) -> Option<Owner> {
    let first = sockets.first()?;
    let inodes: Vec<u64> = sockets.iter().map(|l| l.inode).collect();
    let holders: HashMap<u32, Look> = process::ids()
        .filter(|pid| holds(*pid, &inodes) == Some(true))
        .filter_map(|pid| Some((pid, process::look(pid).ok()??)))
        .collect();
    // Children inherit the socket; the one who opened it is the eldest.
    let eldest = holders.values().filter(|l| !holders.contains_key(&l.ppid)).min_by_key(|l| (l.ticks, l.pid)).cloned();
    let user = eldest.as_ref().and_then(|l| process::user(l.pid)).unwrap_or_else(|| process::user_name(first.uid));
    Some(Owner { process: eldest, user, other_user: first.uid != rustix::process::geteuid().as_raw() })
}

/// Who holds these sockets. Looks through the descriptors of every process, which takes tens of milliseconds, off the main thread.
pub(crate) async fn owner(sockets: Vec<Listener>) -> Option<Owner> {
    tokio::task::spawn_blocking(move || find_owner(&sockets)).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn tables_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1B58 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 13105085 1 0 100 0 0 10 0\n   \
            1: 0100007F:1B58 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 13105086 1 0 100 0 0 10 0\n";
        let mut out = Vec::new();
        parse(table, 7000, &mut out);
        assert_eq!(out, [Listener { address: "127.0.0.1:7000".parse().unwrap(), inode: 13_105_085, uid: 1000 }]);
        assert_eq!(address("00000000000000000000000001000000:1B58"), Some("[::1]:7000".parse().unwrap()));
        assert_eq!(address("nonsense"), None);
    }

    #[test]
    fn wildcards_are_reached_from_everywhere() {
        let at = |s: &str| Where::parse(s).unwrap();
        let ip = |s: &str| s.parse::<IpAddr>().unwrap();
        assert!(at("127.0.0.1").reaches(ip("0.0.0.0")));
        assert!(at("127.0.0.1").reaches(ip("::")));
        assert!(at("127.0.0.1").reaches(ip("::ffff:127.0.0.1")));
        assert!(!at("127.0.0.1").reaches(ip("::1")));
        assert!(!at("127.0.0.1").reaches(ip("127.0.0.2")));
        assert!(!at("::1").reaches(ip("0.0.0.0")));
        assert!(at("localhost").reaches(ip("::1")));
        assert!(!at("localhost").reaches(ip("10.1.2.3")));
        assert!(at("0.0.0.0").reaches(ip("10.1.2.3")));
        assert_eq!(Where::parse("example.org"), None);
    }

    #[test]
    fn an_owner_that_cannot_be_seen_is_not_nobody() {
        let owner = |other_user| Owner { process: None, user: "www-data".to_owned(), other_user };
        assert_eq!(owner(true).described(), "a process of another user (www-data)");
        assert!(owner(false).described().starts_with("a process that cannot be seen from here"));
    }

    #[tokio::test]
    async fn our_own_socket_is_found() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let found = listeners(port, Where::At(Ipv4Addr::LOCALHOST.into())).unwrap();
        assert_eq!(found.len(), 1);
        let owner = owner(found).await.unwrap();
        assert_eq!(owner.process.as_ref().map(|p| p.pid), Some(std::process::id()));
        assert!(owner.described().starts_with(&format!("pid {} (", std::process::id())));
        crate::support::testing::close(socket).await;
    }
}
