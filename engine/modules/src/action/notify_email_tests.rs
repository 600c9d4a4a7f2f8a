//! Tests of `notify.email`, against a real receiver of mail.

use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;

use runbook_servers::Mail;
use serde_json::{Value as Json, json};

use super::*;
use crate::support::testing::{TestHost, args, eventually, free_port, holds};

static SERVER: OnceLock<Option<Mail>> = OnceLock::new();

fn server() -> Option<&'static Mail> {
    SERVER.get_or_init(Mail::start).as_ref()
}

/// A mail about something, with more arguments.
fn mail(subject: &str, more: Json) -> Json {
    let mut mail = json!({ "from": "Runbook <runbook@example.org>", "to": "ops@example.org", "subject": subject, "body": "It is down.\nRead the log.\n" });
    for (name, value) in more.as_object().unwrap() {
        mail[name] = value.clone();
    }
    mail
}

async fn tell(json: Json) -> Result<Done<Out>, Fault> {
    NotifyEmail::apply(&args(json), &TestHost::new().change()).await
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let Some(server) = server() else { return };
    let at = format!("127.0.0.1:{}", server.port);
    let more = json!({ "server": at, "to": ["ops@example.org", "Lead <lead@example.org>"], "cc": "log@example.org", "reply_to": "a@example.org" });
    let done = tell(mail("gateway — down", more)).await.unwrap();
    assert!(done.changed && holds(NotifyEmail::VERDICT, &done.out));
    assert!(done.out.reply.unwrap().contains("kept"));
    let got = eventually("the mail", || server.taken().into_iter().find(|m| m.contains("Lead <lead@example.org>"))).await;
    assert!(got.starts_with("from runbook@example.org to ops@example.org,lead@example.org,log@example.org\n"), "{got}");
    assert!(
        got.contains("Reply-To: a@example.org") && got.contains("It is down.\r\nRead the log.") && got.contains("Message-ID: <"),
        "{got}"
    );
    // Not ASCII, so that it is coded.
    assert!(got.contains("Subject: gateway =?utf-8?b?"), "{got}");
}

#[tokio::test]
async fn a_user_with_a_password() {
    let Some(server) = server() else { return };
    let at = format!("127.0.0.1:{}", server.port);
    tell(mail("with a password", json!({ "server": at, "user": "user", "password": Mail::PASSWORD }))).await.unwrap();
    let fault = tell(mail("wrong password", json!({ "server": at, "user": "user", "password": "hunter2" }))).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Unmet { message, .. } if message.contains("535") && !message.contains("hunter2")),
        "{fault:?}"
    );
}

#[tokio::test]
async fn a_connection_is_made_secret_first() {
    let Some(server) = server() else { return };
    let more = json!({ "server": format!("localhost:{}", server.port), "security": "starttls", "ca_file": server.ca, "user": "user", "password": Mail::PASSWORD });
    assert!(tell(mail("well kept", more)).await.unwrap().out.delivered);
    eventually("the mail", || server.taken().into_iter().find(|m| m.contains("Subject: well kept"))).await;
}

#[tokio::test]
async fn what_a_server_refuses_is_said() {
    let Some(server) = server() else { return };
    let at = format!("127.0.0.1:{}", server.port);
    let fault =
        tell(mail("to nobody", json!({ "server": at, "to": ["ops@example.org", "nobody@example.org"] }))).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Unmet { message, .. } if message.contains("550") && message.contains("no such mailbox")),
        "{fault:?}"
    );
    assert!(!server.taken().iter().any(|m| m.contains("to nobody")));
    // It must be secret, and the server's certificate is nobody's, or it does not speak TLS from the start.
    for security in ["starttls", "tls"] {
        let fault = tell(mail("secret", json!({ "server": at, "security": security }))).await.unwrap_err();
        assert!(matches!(fault, Fault::Unmet { .. }), "{security}: {fault:?}");
    }
    assert!(!server.taken().iter().any(|m| m.contains("Subject: secret")));
    let fault = tell(mail("nobody listens", json!({ "server": format!("127.0.0.1:{}", free_port()) }))).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message == "connection refused"), "{fault:?}");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap().to_string();
    let fault = tell(mail("silence", json!({ "server": at, "timeout": "100ms" }))).await.unwrap_err();
    assert!(matches!(fault, Fault::Unmet { .. }), "{fault:?}");
}

#[tokio::test]
async fn sendmail_takes_it_on_its_input() {
    let host = TestHost::new();
    let program = host.write("sendmail", "#!/bin/sh\necho \"$@\" >\"${0%/*}/argv\"\ncat >\"${0%/*}/mail\"\n");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    NotifyEmail::apply(&args(mail("by sendmail", json!({ "sendmail": program }))), &host.change()).await.unwrap();
    assert_eq!(std::fs::read_to_string(host.file("argv")).unwrap(), "-i -f runbook@example.org -- ops@example.org\n");
    assert!(std::fs::read_to_string(host.file("mail")).unwrap().contains("Subject: by sendmail"));
    host.write("sendmail", "#!/bin/sh\ncat >/dev/null\necho no queue >&2\nexit 75\n");
    let fault = NotifyEmail::apply(&args(mail("s", json!({ "sendmail": program }))), &host.change()).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("no queue")), "{fault:?}");
    let fault = tell(mail("s", json!({ "sendmail": "/no/such/sendmail" }))).await.unwrap_err();
    assert!(matches!(fault, Fault::CannotTell { .. }), "{fault:?}");
}

#[tokio::test]
async fn a_plan_sends_nothing() {
    let Some(server) = server() else { return };
    let message = args::<Args>(mail(
        "only planned",
        json!({ "server": format!("127.0.0.1:{}", server.port), "user": "u", "password": "hunter2" }),
    ));
    let plan = NotifyEmail::plan(&message, &TestHost::new().cx()).await.unwrap();
    assert_eq!(plan.summary, format!("send a mail to ops@example.org by 127.0.0.1:{}", server.port));
    assert!(plan.because.contains("only planned") && !format!("{plan:?}").contains("hunter2"));
    assert!(!server.taken().iter().any(|m| m.contains("only planned")));
    assert!(!NotifyEmail::idempotent(&message));
}

#[test]
fn nothing_smuggles_a_header() {
    let server = json!({ "server": "h" });
    for (subject, more) in [
        ("a\r\nBcc: x@example.org", server.clone()),
        ("a\nb", server.clone()),
        ("s", json!({ "server": "h", "to": "ops@example.org\r\nBcc: x@example.org" })),
        ("s", json!({ "server": "h", "from": "a\n<b@example.org>" })),
        ("s", json!({ "server": "h", "to": "no address" })),
        ("s", json!({ "server": "h", "to": "-oQ/tmp" })),
        ("s", json!({ "server": "h", "sendmail": "s" })),
        ("s", json!({})),
        ("s", json!({ "server": "h:0" })),
        ("s", json!({ "server": "h", "password": "p" })),
        ("s", json!({ "sendmail": "s", "user": "p" })),
    ] {
        let fault = NotifyEmail::check(&args(mail(subject, more.clone())));
        assert!(matches!(fault, Err(Fault::Invalid { .. })), "{subject:?} {more}: {fault:?}");
    }
    let of = |server: &str| {
        let args = args::<Args>(mail("s", json!({ "server": server })));
        let (host, port) = args.target().unwrap().unwrap();
        args.security(&host, port)
    };
    assert_eq!(
        (of("h:465"), of("h"), of("h:25"), of("localhost:25")),
        (Security::Tls, Security::Starttls, Security::Starttls, Security::None)
    );
}
