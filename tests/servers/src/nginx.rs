//! An nginx with plain HTTP and with TLS: a certificate of 90 days, one of 5, one that has expired, one of another name.

use std::net::TcpStream;
use std::path::PathBuf;

use crate::certs::Authority;
use crate::guard::{Guarded, free_port, fresh_folder, have, until};

/// An nginx. `/` says `hello`, `/busy` answers 503 with a reason, `/gone` 404, `/moved` leads to `/`.
#[derive(Debug)]
pub struct Nginx {
    /// Plain HTTP.
    pub http: u16,
    /// TLS with a certificate for `localhost` and 127.0.0.1 that is good for 90 days.
    pub good: u16,
    /// The same for 5 days.
    pub soon: u16,
    /// One that ended 3 days ago.
    pub expired: u16,
    /// One for `other.example` only.
    pub other: u16,
    /// As `good`, for those who show a certificate of the authority only.
    pub client: u16,
    /// The authority's certificate.
    pub ca: PathBuf,
    /// A certificate and key for a client.
    pub client_cert: (PathBuf, PathBuf),
    _server: Guarded,
}

impl Nginx {
    /// Starts one; `None` if nginx or openssl is missing.
    pub fn start() -> Option<Nginx> {
        if !have("nginx") {
            return None;
        }
        let folder = fresh_folder("nginx");
        let Some(authority) = Authority::make(&folder) else {
            std::fs::remove_dir_all(&folder).unwrap();
            return None;
        };
        let here = "DNS:localhost,IP:127.0.0.1";
        let good = authority.sign("good", here, -1, 90);
        let soon = authority.sign("soon", here, -80, 5);
        let expired = authority.sign("expired", here, -90, -3);
        let other = authority.sign("other", "DNS:other.example", -1, 90);
        let client = authority.sign("client", "DNS:client", -1, 90);
        let ports: Vec<u16> = (0..6).map(|_| free_port()).collect();
        let mut config = format!(
            "daemon off;\nmaster_process off;\nworker_processes 1;\npid {0}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\nssl_protocols TLSv1.2 TLSv1.3;\n\
             client_body_temp_path {0}/a;\nproxy_temp_path {0}/b;\nfastcgi_temp_path {0}/c;\nuwsgi_temp_path {0}/d;\nscgi_temp_path {0}/e;\n",
            folder.display()
        );
        let places = "location = / { return 200 hello; }\nlocation = /busy { default_type application/json; return 503 '{\"status\":\"degraded\"}'; }\n\
             location = /gone { return 404; }\nlocation = /moved { return 302 /; }\n";
        config += &format!("server {{ listen 127.0.0.1:{};\n{places}}}\n", ports[0]);
        for (port, cert, more) in [
            (ports[1], &good, String::new()),
            (ports[2], &soon, String::new()),
            (ports[3], &expired, String::new()),
            (ports[4], &other, String::new()),
            (ports[5], &good, format!("ssl_client_certificate {}; ssl_verify_client on;", authority.pem().display())),
        ] {
            let (chain, key) = (cert.chain.display(), cert.key.display());
            config += &format!(
                "server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {chain}; ssl_certificate_key {key}; {more}\n{places}}}\n"
            );
        }
        config += "}\n";
        std::fs::write(folder.join("nginx.conf"), config).unwrap();
        let prefix = folder.display().to_string();
        let server = Guarded::start(&folder, "TERM", ["nginx", "-e", "stderr", "-p", &prefix, "-c", "nginx.conf"]);
        until("nginx listens", || server.output(), || ports.iter().all(|p| TcpStream::connect(("127.0.0.1", *p)).is_ok()));
        let [http, good, soon, expired, other, with_client] = ports[..] else { return None };
        let client_cert = (client.chain, client.key);
        Some(Nginx { http, good, soon, expired, other, client: with_client, ca: authority.pem(), client_cert, _server: server })
    }
}
