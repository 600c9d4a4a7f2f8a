//! `notify.email`: sends a mail.

use std::io::ErrorKind;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Mailboxes, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Exec, Fault, Forecast, HandArgs, Need, Resource, Touches, hand_line,
};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::address::{check_host, split};
use crate::support::args::OneOrMany;
use crate::support::by_hand;
use crate::support::net;
use crate::support::notify::quoted;

pub(crate) struct NotifyEmail;

/// Sends a mail, by a mail server or by this machine's `sendmail`.
///
/// The step is ok if the mail server took the mail for everybody; then it is on its way, which is not the same as read. A server that refuses
/// one of the receivers gets no mail at all for the others, and the step fails with what it said.
///
/// A dry run says to whom and about what, and sends nothing. Twice is two mails.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// Who sends it, such as `runbook@example.org` or `Runbook <runbook@example.org>`.
    from: String,
    /// Who gets it.
    to: OneOrMany,
    /// Who gets a copy. Default: nobody.
    #[serde(default)]
    cc: Option<OneOrMany>,
    /// Who gets answers. Default: who sends it.
    #[serde(default)]
    reply_to: Option<String>,
    /// What it is about, in one line.
    subject: String,
    /// The text.
    body: String,
    /// The mail server, such as `mail.example.org:587`; without a port, 587. Give this, or `sendmail`.
    #[serde(default)]
    server: Option<String>,
    /// How the connection is kept secret: `tls` from the start, `starttls`, or `none`. Default: `tls` for port 465, `none` for this machine,
    /// `starttls` otherwise, without which nothing is sent.
    #[serde(default)]
    security: Option<Security>,
    /// The user's name at the mail server. Default: none.
    #[serde(default)]
    user: Option<String>,
    /// The password; give a secret param. Default: none.
    #[serde(default)]
    password: Option<String>,
    /// A file in PEM with the authorities to trust, in place of those that this machine trusts. Default: none.
    #[serde(default)]
    ca_file: Option<String>,
    /// A program that takes mails as `sendmail` does, such as `/usr/sbin/sendmail`, in place of `server`.
    #[serde(default)]
    sendmail: Option<String>,
    /// The longest time for the whole. Default: `30s`; a shorter limit of the step wins.
    #[serde(default = "half_a_minute")]
    timeout: Duration,
}

fn half_a_minute() -> Duration {
    std::time::Duration::from_secs(30).into()
}

/// How a connection is kept secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Security {
    Tls,
    Starttls,
    None,
}

/// What became of the mail.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether the mail was taken for everybody.
    delivered: bool,
    /// Everybody who gets it.
    to: Vec<String>,
    /// The mail's own number, by which it is found in the logs of mail servers.
    message_id: Option<String>,
    /// What the mail server said when it took the mail; null for `sendmail`.
    reply: Option<String>,
}

fn mailbox(argument: &str, text: &str) -> Result<Mailbox, Fault> {
    let bad =
        || Fault::invalid(argument, format!("{text:?} is not an address such as `ops@example.org` or `Ops <ops@example.org>`"));
    if text.chars().any(char::is_control) {
        return Err(bad());
    }
    text.parse().map_err(|_| bad())
}

impl Args {
    fn target(&self) -> Result<Option<(String, u16)>, Fault> {
        let wrong = |f: Fault| Fault::invalid("server", f.message());
        match (&self.server, &self.sendmail) {
            (Some(_), Some(_)) => Err(Fault::invalid("sendmail", "give either `server` or `sendmail`, not both")),
            (None, None) => Err(Fault::invalid("server", "say by which mail server, or by which `sendmail`")),
            (Some(server), None) => split(server, Some(587)).map(Some).map_err(wrong),
            (None, Some(_)) => Ok(None),
        }
    }

    fn security(&self, host: &str, port: u16) -> Security {
        self.security.unwrap_or(match port {
            465 => Security::Tls,
            _ if net::is_loopback(host) => Security::None,
            _ => Security::Starttls,
        })
    }

    fn receivers(&self) -> Vec<String> {
        self.to.0.iter().chain(self.cc.iter().flat_map(|c| &c.0)).cloned().collect()
    }

    fn message(&self) -> Result<Message, Fault> {
        if self.subject.chars().any(char::is_control) {
            return Err(Fault::invalid("subject", "a subject is one line, without control characters"));
        }
        let mut message = Message::builder().from(mailbox("from", &self.from)?).message_id(None).subject(self.subject.clone());
        message = message.mailbox(lettre::message::header::To::from(mailboxes("to", &self.to)?));
        if let Some(cc) = &self.cc {
            message = message.mailbox(lettre::message::header::Cc::from(mailboxes("cc", cc)?));
        }
        if let Some(reply_to) = &self.reply_to {
            message = message.reply_to(mailbox("reply_to", reply_to)?);
        }
        let message = message.header(ContentType::TEXT_PLAIN).body(self.body.clone());
        message.map_err(|e| Fault::invalid("body", format!("this makes no mail: {e}")))
    }

    fn transport(&self, host: &str, port: u16, cx: &Cx<'_>) -> Result<AsyncSmtpTransport<Tokio1Executor>, Fault> {
        let tls = || -> Result<TlsParameters, Fault> {
            let mut tls = TlsParameters::builder(host.to_owned());
            if let Some(file) = &self.ca_file {
                let path = cx.resolve(file);
                let ours = |e: &dyn std::fmt::Display| Fault::cannot_tell(format!("{}: {e}", path.display()));
                let pem = std::fs::read(&path).map_err(|e| ours(&e))?;
                tls = tls.certificate_store(CertificateStore::None);
                tls = tls.add_root_certificate(Certificate::from_pem(&pem).map_err(|e| ours(&e))?);
            }
            tls.build_rustls().map_err(|e| Fault::cannot_tell(format!("cannot set up TLS: {e}")))
        };
        let security = match self.security(host, port) {
            Security::None => Tls::None,
            Security::Starttls => Tls::Required(tls()?),
            Security::Tls => Tls::Wrapper(tls()?),
        };
        let timeout = net::shorter(self.timeout.to_std(), cx.timeout);
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port).tls(security).timeout(Some(timeout));
        if let Some(user) = &self.user {
            builder = builder.credentials(Credentials::new(user.clone(), self.password.clone().unwrap_or_default()));
        }
        Ok(builder.build())
    }
}

fn mailboxes(argument: &str, all: &OneOrMany) -> Result<Mailboxes, Fault> {
    all.0.iter().map(|one| mailbox(argument, one)).collect::<Result<Vec<_>, _>>().map(|all| all.into_iter().collect())
}

impl Action for NotifyEmail {
    const NAME: &'static str = "notify.email";
    const VERDICT: &'static str = "delivered";
    const SAYS: &'static str = "taken for {{ to | join(', ') }}";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Tell the engineers",
            yaml: "notify.email:\n  from: runbook@example.org\n  to: [engineering@example.org, oncall@example.org]\n  subject: gateway was restarted\n  body: It did not answer for 5 minutes.\n  server: mail.example.org:587\n  user: runbook\n  password: '{{ params.mail_password }}'\n",
            runs: false,
        },
        Example {
            title: "By this machine's own sendmail",
            yaml: "notify.email: { from: root@localhost, to: ops@example.org, subject: disk is full, body: See /var, sendmail: /usr/sbin/sendmail }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        // A header is one line, whatever is in it.
        let line = |name: &str| args.or(name, &format!("<{name}>")).replace(['\r', '\n'], " ");
        let (to, from) = (args.list("to"), line("from"));
        let text = format!(
            "From: {from}\nTo: {}\nSubject: {}\n\n{}\n",
            to.join(", ").replace(['\r', '\n'], " "),
            line("subject"),
            args.or("body", "")
        );
        let send = match args.text("sendmail") {
            Some(program) => format!("{} -t -i", by_hand::path_word(&program)),
            None => {
                let url = format!("smtp://{}", args.or("server", "<server>"));
                let mut words =
                    vec!["curl".to_owned(), "-sS".to_owned(), "--ssl-reqd".to_owned(), "--mail-from".to_owned(), from];
                words.extend(to.iter().flat_map(|one| ["--mail-rcpt".to_owned(), one.clone()]));
                if let Some(user) = args.text("user") {
                    words.extend(["-u".to_owned(), format!("{user}:{}", args.or("password", ""))]);
                }
                words.extend(["-T".to_owned(), "-".to_owned(), url]);
                hand_line(words)
            }
        };
        ByHand::run(by_hand::with_input(&send, &text)).note("Any mail program does as well.")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let touches = Touches::changes(args.receivers().iter().map(|to| Resource::new("notify", to)));
        match (args.target(), &args.sendmail) {
            (Ok(Some((host, port))), _) => touches.needing(Need::Net { host, port }),
            (_, Some(program)) => touches.needing(Need::Exec(program.clone())),
            _ => touches,
        }
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if let Some((host, _)) = args.target()? {
            check_host("server", &host)?;
        }
        if args.to.0.is_empty() {
            return Err(Fault::invalid("to", "say to whom"));
        }
        if args.password.is_some() && args.user.is_none() {
            return Err(Fault::invalid("user", "a password needs its user"));
        }
        if args.sendmail.is_some() && (args.user.is_some() || args.security.is_some() || args.ca_file.is_some()) {
            return Err(Fault::invalid("sendmail", "`user`, `password`, `security` and `ca_file` are for a mail server"));
        }
        args.message().map(drop)
    }

    async fn plan(args: &Args, _: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        let by = match args.target()? {
            Some((host, port)) => format!("{host}:{port}"),
            None => args.sendmail.clone().unwrap_or_default(),
        };
        let to = args.receivers().join(", ");
        Ok(Forecast::would(format!("send a mail to {to} by {by}"), format!("about {}", quoted(&args.subject))))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let message = args.message()?;
        let message_id = message.headers().get::<lettre::message::header::MessageId>().map(|id| id.as_ref().to_owned());
        let mut out = Out { delivered: true, to: args.receivers(), message_id, reply: None };
        let Some((host, port)) = args.target()? else {
            by_sendmail(args, &message, cx).await?;
            return Ok(Done::changed(out));
        };
        let transport = args.transport(&host, port, cx)?;
        let limit = net::shorter(args.timeout.to_std(), cx.timeout);
        let sent = tokio::time::timeout(limit, transport.send(message)).await;
        let doubt = "; the mail may have been taken all the same";
        match sent {
            Err(_) => Err(Fault::unmet(format!("{}{doubt}", net::timed_out(limit).message()))),
            Ok(Ok(answer)) => {
                out.reply = Some(answer.message().collect::<Vec<_>>().join(" "));
                Ok(Done::changed(out))
            }
            Ok(Err(error)) => Err(failed(&error, &host)),
        }
    }
}

fn failed(error: &lettre::transport::smtp::Error, host: &str) -> Fault {
    let (io, text) = net::innermost(error);
    if let Some(code) = error.status() {
        return Fault::unmet(format!("the mail server refused the mail: {code} {text}"));
    }
    match io {
        Some(io) => match crate::support::tls::inside(io) {
            Some(error) => crate::support::tls::failure(error).into_fault(()),
            None => net::of_io(io, host).into_fault(()),
        },
        None if error.is_timeout() => Fault::unmet("the mail server did not answer in time".to_owned()),
        None => Fault::unmet(format!("the mail was not sent: {text}")),
    }
}

async fn by_sendmail(args: &Args, message: &Message, cx: &Change<'_>) -> Result<(), Fault> {
    let program = args.sendmail.clone().unwrap_or_default();
    let sender = message.envelope().from().map(ToString::to_string).unwrap_or_default();
    let mut argv = vec![program.clone(), "-i".to_owned(), "-f".to_owned(), sender, "--".to_owned()];
    argv.extend(message.envelope().to().iter().map(ToString::to_string));
    let timeout = Some(net::shorter(args.timeout.to_std(), cx.timeout));
    let run = cx.run(Exec { argv, stdin: Some(message.formatted()), timeout, ..Exec::default() }).await;
    let output = run.map_err(|e| match e.kind() {
        ErrorKind::NotFound => Fault::cannot_tell(format!("there is no program `{program}`")),
        _ => Fault::cannot_tell(format!("`{program}` did not start: {e}")),
    })?;
    if output.timed_out {
        return Err(Fault::unmet(format!("`{program}` did not end in time; the mail may have been taken all the same")));
    }
    if output.exit_code != Some(0) {
        let said: String = String::from_utf8_lossy(&output.stderr).trim().chars().take(300).collect();
        return Err(Fault::unmet(format!("`{program}` did not take the mail: {said}")));
    }
    Ok(())
}

#[cfg(test)]
#[path = "notify_email_tests.rs"]
mod tests;
