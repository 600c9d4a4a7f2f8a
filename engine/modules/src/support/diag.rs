//! Asking the kernel for the sockets that listen on a port (`sock_diag`, see sock_diag(7)).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with, sockopt};

use super::ports::Listener;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const TCP: u8 = 6;
const LISTEN: u32 = 1 << 10;

/// The sockets that listen on a port, on any address.
///
/// # Errors
/// A kernel or container that does not answer such questions.
pub(crate) fn listening(port: u16) -> io::Result<Vec<Listener>> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
    // A kernel answers at once; a sandbox that swallows the question must not hold up a run.
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(Duration::from_secs(1)))?;
    let mut out = Vec::new();
    dump(&socket, AddressFamily::INET, port, &mut out)?;
    dump(&socket, AddressFamily::INET6, port, &mut out)?;
    Ok(out)
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
fn request(family: AddressFamily, port: u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(72);
    out.extend(72_u32.to_ne_bytes());
    out.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    out.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    out.extend([0; 8]);
    out.extend([family.as_raw() as u8, TCP, 0, 0]);
    out.extend(LISTEN.to_ne_bytes());
    out.extend(port.to_be_bytes());
    out.extend([0; 38]);
    out.extend([0xff; 8]);
    out
}

fn dump(socket: &OwnedFd, family: AddressFamily, port: u16, out: &mut Vec<Listener>) -> io::Result<()> {
    send(socket, &request(family, port), SendFlags::empty())?;
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let (read, _) = recv(socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let mut rest = &buffer[..read];
        while rest.len() >= 16 {
            let length = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
            let kind = u16::from_ne_bytes([rest[4], rest[5]]);
            if length < 16 || length > rest.len() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => return Err(io::ErrorKind::Unsupported.into()),
                _ => out.extend(listener(&rest[16..length]).filter(|l| l.address.port() == port)),
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

/// `struct inet_diag_msg`.
fn listener(message: &[u8]) -> Option<Listener> {
    let word = |at: usize| Some(u32::from_ne_bytes(message.get(at..at + 4)?.try_into().ok()?));
    let port = u16::from_be_bytes(message.get(4..6)?.try_into().ok()?);
    let ip: IpAddr = match i32::from(*message.first()?) {
        f if f == i32::from(AddressFamily::INET.as_raw()) => {
            Ipv4Addr::from(<[u8; 4]>::try_from(message.get(8..12)?).ok()?).into()
        }
        _ => Ipv6Addr::from(<[u8; 16]>::try_from(message.get(8..24)?).ok()?).into(),
    };
    Some(Listener { address: SocketAddr::new(ip, port), uid: word(64)?, inode: word(68)?.into() })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn finds_what_listens_and_nothing_else() {
        let four = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = four.local_addr().unwrap();
        let found = listening(at.port()).unwrap();
        assert_eq!(found.iter().map(|l| l.address).collect::<Vec<_>>(), [at]);
        assert!(found[0].inode > 0);
        drop(four);
        assert!(listening(at.port()).unwrap().iter().all(|l| l.address != at));
    }

    #[test]
    fn agrees_with_the_tables() {
        let Ok(six) = TcpListener::bind("[::1]:0") else { return };
        let port = six.local_addr().unwrap().port();
        let text = super::super::ports::tables(port).unwrap();
        let asked = listening(port).unwrap();
        let plain = |all: Vec<Listener>| all.iter().map(|l| (l.address, l.uid, l.inode)).collect::<Vec<_>>();
        assert_eq!(plain(asked), plain(text));
    }

    #[test]
    fn a_short_message_is_no_listener() {
        assert!(listener(&[2; 60]).is_none());
        assert!(listener(&[]).is_none());
    }
}
