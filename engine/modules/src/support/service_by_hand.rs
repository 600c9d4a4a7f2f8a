//! How a person starts, stops and looks at a service of the system, by its entry.

use runbook_core::module::{ByHand, HandArgs, hand_line, hand_word};

use super::by_hand::{folder, path_word};
use super::words::split;

/// A service as its entry is shown to people.
pub(crate) struct HandService<'a> {
    name: String,
    entry: HandArgs<'a>,
}

impl<'a> HandService<'a> {
    /// The service of a call.
    pub(crate) fn of(args: &HandArgs<'a>) -> Self {
        HandService { name: args.or("name", "<service>"), entry: args.inside("entry") }
    }

    /// What is said where nobody here starts or stops it, or another program does.
    pub(crate) fn elsewhere(&self, verb: &str) -> Option<ByHand> {
        let name = &self.name;
        match self.entry.text("manager").as_deref() {
            Some("external") => Some(ByHand::default().note(format!(
                "Nobody here starts or stops `{name}`: ask those who run it to {verb} it, or find out how from its own documentation."
            ))),
            Some("systemd") => {
                Some(ByHand::run(format!("sudo systemctl {verb} {}", hand_word(&self.entry.or("unit", name)))))
            }
            Some("compose") => {
                let service = self.entry.inside("compose").or("service", name);
                let project = self.entry.inside("compose").text("project").or_else(|| self.entry.text("project"));
                let verb = if verb == "start" { "up -d" } else { verb };
                let line = format!("docker compose {verb} {}", hand_word(&service));
                Some(ByHand::run(match project {
                    Some(folder) => format!("( cd {} && {line} )", path_word(&folder)),
                    None => line,
                }))
            }
            _ => None,
        }
    }

    /// The ports it listens on, the main one first.
    fn ports(&self) -> Vec<String> {
        let mut ports = self.entry.list("port");
        ports.extend(self.entry.list("ports"));
        ports.dedup();
        ports
    }

    fn pid_file(&self) -> Option<String> {
        self.entry.text("pid_file").map(|path| path_word(&path))
    }

    /// Its process id, as it is written into a line.
    fn pid(&self) -> String {
        match self.pid_file() {
            Some(file) => format!("\"$(cat {file})\""),
            None => hand_word(&format!("<pid of {}>", self.name.trim_matches(['<', '>']))),
        }
    }

    /// What shows its process.
    pub(crate) fn look(&self) -> String {
        format!("ps -o pid,lstart,args -p {}", self.pid())
    }

    /// What shows who listens on its ports.
    pub(crate) fn listeners(&self) -> Vec<String> {
        self.ports().iter().map(|port| listener(port)).collect()
    }

    /// The lines that start it, and before them those that look whether it may be started.
    pub(crate) fn start(&self, more: &[String]) -> ByHand {
        let mut hand = ByHand::run("# Does it run already? Then leave it as it is.").and(self.look());
        if !self.ports().is_empty() {
            hand = hand.and("# Its port must be free: no line is shown but the heading.");
            hand.lines.extend(self.listeners());
        }
        self.launch(hand, more)
    }

    /// The lines that start it, behind others.
    pub(crate) fn launch(&self, hand: ByHand, more: &[String]) -> ByHand {
        let mut words = match self.entry.get("command") {
            Some(runbook_core::value::Value::Str(line)) => split(line).unwrap_or_else(|| vec![line.to_string()]),
            _ => self.entry.list("command"),
        };
        if words.is_empty() {
            words.push(format!("<command of {}>", self.name.trim_matches(['<', '>'])));
        }
        words.extend_from_slice(more);
        let mut hand = hand.and("# Start it:");
        let mut folders: Vec<String> = Vec::new();
        for file in ["pid_file", "stdout", "stderr"] {
            folders.extend(self.entry.text(file).and_then(|f| folder(&f)));
        }
        folders.sort();
        folders.dedup();
        if !folders.is_empty() {
            hand = hand.and(format!("mkdir -p {}", folders.join(" ")));
        }
        let output = |name: &str| self.entry.text(name).map_or_else(|| "/dev/null".to_owned(), |f| path_word(&f));
        let env: Vec<String> = self.entry.pairs("env").iter().map(|(k, v)| format!("{k}={v}")).collect();
        let env = if env.is_empty() { String::new() } else { format!("env {} ", hand_line(&env)) };
        // It leads a session of its own, so that it can be stopped with all its processes, and writes its id itself: `$!` may be another.
        // The folder is entered last, since the other paths may start at the project's.
        let cwd = path_word(&self.entry.or("cwd", "."));
        let (script, places) = match self.pid_file() {
            Some(file) => ("echo $$ >\"$1\" && cd \"$2\" && shift 2 && exec \"$@\"", format!("{file} {cwd}")),
            None => ("cd \"$1\" && shift && exec \"$@\"", cwd),
        };
        hand.and(format!(
            "setsid sh -c '{script}' start {places} \\\n  {env}{} \\\n  >>{} 2>>{} </dev/null &",
            hand_line(&words),
            output("stdout"),
            output("stderr")
        ))
    }

    /// Where it writes what it has to say.
    pub(crate) fn logs(&self, hand: ByHand) -> ByHand {
        let mut files: Vec<String> = ["stderr", "stdout"].iter().filter_map(|n| self.entry.text(n)).collect();
        files.dedup();
        match files.as_slice() {
            [] => hand,
            files => {
                let all: Vec<String> = files.iter().map(|f| path_word(f)).collect();
                hand.and("# If it does not come up, this is what it says:").and(format!("tail -n 20 {}", all.join(" ")))
            }
        }
    }

    /// The lines that stop it.
    pub(crate) fn stop(&self, force: bool, grace: Option<String>) -> ByHand {
        let stop = self.entry.inside("stop");
        let signal = stop.or("signal", "TERM");
        let grace = grace.or_else(|| stop.text("grace")).unwrap_or_else(|| "10s".to_owned());
        let pid = self.pid();
        let group = match pid.strip_prefix('"') {
            Some(rest) => format!("\"-{rest}"),
            None => pid.replacen('\'', "'-", 1),
        };
        let mut hand = ByHand::run("# Is it the right process? If none is shown, it does not run, and there is nothing to stop.")
            .and(self.look())
            .and("# Ask it and all its processes to stop:")
            .and(format!("kill -s {} -- {group}", hand_word(&signal)))
            .and(format!("# Look again for up to {grace}, until nothing is shown:"))
            .and(format!("pgrep -a -g {pid}"));
        hand = if force {
            hand.and("# Only if something is still shown: this ends it at once, and loses what it was about to write.")
                .and(format!("kill -s KILL -- {group}"))
        } else {
            hand.and(format!("# If something is still shown after {grace}, this step has failed: do not go on."))
        };
        if !self.ports().is_empty() {
            hand = hand.and("# Its port is free: no line is shown but the heading.");
            hand.lines.extend(self.listeners());
        }
        match self.pid_file() {
            Some(file) => hand.and("# Only when it has stopped:").and(format!("rm -f {file}")),
            None => hand,
        }
    }
}

/// What shows who listens on a port of this machine.
pub(crate) fn listener(port: &str) -> String {
    format!("ss -ltnp {}", hand_word(&format!("sport = :{port}")))
}
