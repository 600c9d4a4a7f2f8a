//! Playbooks.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::{Body, Contents, Lock, Permission, Playbook, Remedy, RemedyAction, Schedule, TreeNode};
use runbook_core::node::{Node, NodeKind, ScalarValue};
use runbook_core::span::{SourceId, Spanned};
use runbook_core::suggest::nearest;

use super::names::Naming;
use super::step::Ground;
use super::triage::node_ids;
use super::{Fields, Reader};
use crate::keys::{LOCK, PLAYBOOK, SCHEDULE, Where};
use crate::walk;

/// The newest version of the language that this program knows.
pub(crate) const LANGUAGE: i64 = 1;

/// The name and place of a playbook, which its text does not say.
pub(crate) struct Identity {
    /// The file stem.
    pub(crate) name: String,
    /// With its folder.
    pub(crate) full_name: String,
    /// Its text.
    pub(crate) file: SourceId,
}

/// Decodes a playbook. Mistakes go to the reader; `None` if there is nothing to make a playbook of.
pub(crate) fn playbook(reader: &mut Reader<'_>, node: &Node, identity: Identity) -> Option<Playbook> {
    if node.as_map().is_none() {
        let help = match node.as_list() {
            Some(_) => "begin with `playbook: WHAT IT DOES`, and put the list under `steps:`",
            None => "begin with `playbook: WHAT IT DOES` and `steps:`",
        };
        let message = format!("a playbook is a map, found {}", node.describe());
        reader.out.push(Diagnostic::error(Code::WrongType, node.span.at_start(), message).help(help));
        return None;
    }
    let fields = reader.fields(node, &PLAYBOOK, Some(Where::Playbook))?;
    if let Some((key, _)) = fields.entries.first()
        && key.value != "playbook"
        && fields.exact("playbook").is_some_and(|(_, v)| !v.is_null())
    {
        reader.out.push(
            Diagnostic::error(Code::NotAllowedHere, fields.key_span("playbook"), "`playbook` comes first")
                .also(key.span, "the file begins with this")
                .help("move the line to the top, so that a reader knows at once what this is"),
        );
    }
    reader.language(&fields);
    let title = fields.get("playbook").and_then(|n| reader.text(n, "playbook"));
    if let Some(title) = &title
        && title.value.contains('\n')
    {
        reader.out.push(
            Diagnostic::error(Code::WrongType, title.span, "`playbook` is one line").help("put the rest under `description:`"),
        );
    }
    let contents = reader.contents(&fields);
    let playbook = Playbook {
        name: identity.name,
        full_name: identity.full_name,
        file: identity.file,
        span: node.span,
        title: title.unwrap_or_else(|| Spanned::new(String::new(), node.span.at_start())),
        description: reader.plain_text(fields.get("description"), "description"),
        source: reader.plain_text(fields.get("source"), "source"),
        links: reader.links(fields.get("links")),
        tags: reader.texts(fields.get("tags"), "tags").into_iter().map(|t| t.value).collect(),
        severity: reader.plain_text(fields.get("severity"), "severity"),
        expected_duration: fields.get("expected_duration").and_then(|n| reader.duration(n, "expected_duration")),
        schedule: fields.get("schedule").and_then(|n| reader.schedule(n)),
        params: reader.params(fields.get("params")),
        env: reader.env(fields.get("env")),
        vars: reader.named_args(fields.get("vars"), "vars", Naming::Variable),
        requires: fields.get("requires").map(|n| reader.checks(n, "requires", Ground::default())).unwrap_or_default(),
        contents: contents.unwrap_or_else(|| Contents::Steps(Vec::new())),
        verify: fields.get("verify").map(|n| reader.checks(n, "verify", Ground::default())).unwrap_or_default(),
        rescue: fields.get("rescue").map(|n| reader.steps(n, "rescue", Ground::default())).unwrap_or_default(),
        always: fields.get("always").map(|n| reader.steps(n, "always", Ground::default())).unwrap_or_default(),
        outputs: reader.named_args(fields.get("outputs"), "outputs", Naming::Member),
        undo_on_failure: fields
            .get("on_failure")
            .and_then(|n| reader.word(n, "on_failure", &[("stop", false), ("undo", true)]))
            .unwrap_or_default(),
        lock: fields.get("lock").map_or(Lock::System, |n| reader.lock(n)),
        permissions: fields.get("permissions").and_then(|n| reader.permissions(n)),
        on: reader.host(fields.get("on")),
    };
    let nodes = match &playbook.contents {
        Contents::Triage(tree) => node_ids(tree),
        _ => Vec::new(),
    };
    reader.unique_ids(nodes, lists(&playbook));
    Some(playbook)
}

/// The lists of steps of a playbook, in the order in which they run. Of a tree, every list that is written in it.
pub(crate) fn lists(playbook: &Playbook) -> Vec<&[runbook_core::model::Step]> {
    let mut lists: Vec<&[_]> = vec![&playbook.requires];
    match &playbook.contents {
        Contents::Steps(steps) | Contents::Checks(steps) => lists.push(steps),
        Contents::Triage(tree) => lists.extend(tree.step_lists()),
    }
    lists.extend([playbook.verify.as_slice(), &playbook.rescue, &playbook.always]);
    lists
}

/// The lists of steps that a run of the playbook may take: all but the remedies of a tree, which never run by themselves.
pub(crate) fn walked(playbook: &Playbook) -> Vec<&[runbook_core::model::Step]> {
    let Contents::Triage(tree) = &playbook.contents else { return lists(playbook) };
    let mut lists: Vec<&[_]> = vec![&playbook.requires];
    lists.extend(tree.nodes().into_iter().map(TreeNode::checks));
    lists.extend([playbook.verify.as_slice(), &playbook.rescue, &playbook.always]);
    lists
}

/// The names of playbooks that a playbook plays or that its remedies propose, in file order.
pub(crate) fn plays(playbook: &Playbook) -> Vec<&Spanned<String>> {
    let mut names = Vec::new();
    for list in lists(playbook) {
        walk::each_step(list, &mut |step| {
            if let Body::Play { name, .. } = &step.body {
                names.push(name);
            }
        });
    }
    if let Contents::Triage(tree) = &playbook.contents {
        for node in tree.nodes() {
            if let Some(Remedy { action: RemedyAction::Play { name, .. }, .. }) = node.remedy() {
                names.push(name);
            }
        }
    }
    names
}

impl Reader<'_> {
    /// `language`.
    pub(crate) fn language(&mut self, fields: &Fields<'_>) {
        let Some(node) = fields.get("language") else { return };
        match node.as_scalar().map(|s| &s.value) {
            Some(ScalarValue::Int(n)) if (1..=LANGUAGE).contains(n) => {}
            Some(ScalarValue::Int(n)) if *n > LANGUAGE => {
                let message = format!("the file is written for language {n}; this program knows language {LANGUAGE}");
                self.out.push(Diagnostic::error(Code::WrongLanguage, node.span, message).help("upgrade the program"));
            }
            _ => {
                let message = "`language` is the version of the language, a whole number";
                self.out.push(
                    Diagnostic::error(Code::WrongLanguage, node.span, message)
                        .help(format!("write `language: {LANGUAGE}`, or leave it out")),
                );
            }
        }
    }

    /// The one of `steps`, `triage` and `checks`.
    fn contents(&mut self, fields: &Fields<'_>) -> Option<Contents> {
        let given: Vec<_> = ["steps", "triage", "checks"]
            .into_iter()
            .filter_map(|word| fields.entry(word).map(|(key, node)| (word, key, node)))
            .collect();
        if let [(_, first, _), (_, second, _), ..] = given.as_slice() {
            self.out.push(
                Diagnostic::error(Code::OneOf, second.span, format!("a playbook with `{}` and `{}`", first.value, second.value))
                    .also(first.span, "the first one")
                    .help("a playbook is a procedure, a triage tree or a checklist: make two playbooks, and `play` one from the other"),
            );
        }
        let mut contents = None;
        for (word, _, node) in &given {
            let one = match *word {
                "steps" => Contents::Steps(self.steps(node, "steps", Ground::default())),
                "checks" => Contents::Checks(self.checks(node, "checks", Ground::CHECKLIST)),
                _ => Contents::Triage(self.triage(node)),
            };
            contents.get_or_insert(one);
        }
        if given.is_empty() {
            // A misspelt `steps` has been reported with its suggestion.
            let misspelt = fields.entries.iter().any(|(k, _)| {
                PLAYBOOK.get(&k.value).is_none()
                    && (nearest(&k.value, ["steps", "triage", "checks"]).is_some()
                        || crate::keys::find_alias(Where::Playbook, &k.value)
                            .is_some_and(|a| ["`steps:`", "`triage:`", "`checks:`"].iter().any(|w| a.help.contains(w))))
            });
            if !misspelt {
                self.out.push(
                    Diagnostic::error(Code::OneOf, fields.head(), "a playbook needs `steps`, `triage` or `checks`")
                        .help("write `steps:` and the steps below it, each beginning with `- `"),
                );
            }
        }
        contents
    }

    fn schedule(&mut self, node: &Node) -> Option<Schedule> {
        if node.as_str().is_some() {
            self.wrong(node, "schedule", "a map such as `{every: 5m}` or `{cron: \"0 2 * * SUN\"}`");
            return None;
        }
        let fields = self.fields(node, &SCHEDULE, None)?;
        let timezone = fields.get("timezone").and_then(|n| self.timezone(n));
        match (fields.get("every"), fields.get("cron")) {
            (Some(_), Some(_)) => {
                self.out.push(
                    Diagnostic::error(Code::Conflict, fields.key_span("cron"), "`cron` beside `every`")
                        .also(fields.key_span("every"), "the other one")
                        .help("keep one of them"),
                );
                None
            }
            (None, None) => {
                self.out.push(
                    Diagnostic::error(Code::MissingKey, fields.head(), "`schedule` needs `every` or `cron`")
                        .help("write `every: 5m` or `cron: \"0 2 * * SUN\"`"),
                );
                None
            }
            (Some(every), None) => {
                let duration = self.duration(every, "every")?;
                if duration.as_secs() < 1 {
                    self.out.push(
                        Diagnostic::error(Code::BadSchedule, every.span, "a schedule of less than a second")
                            .help("write at least `1s`"),
                    );
                    return None;
                }
                if let Some((key, _)) = fields.entry("timezone") {
                    self.out.push(
                        Diagnostic::error(Code::NotAllowedHere, key.span, "`timezone` means nothing beside `every`")
                            .help("leave it out"),
                    );
                }
                Some(Schedule::Every(duration))
            }
            (None, Some(node)) => {
                let cron = self.text(node, "cron")?.value;
                let words = cron.split_whitespace().count();
                let parsed: Result<croner::Cron, _> = cron.parse();
                match parsed {
                    Ok(_) if words == 5 || cron.starts_with('@') => Some(Schedule::Cron { cron, timezone }),
                    Ok(_) => {
                        self.out.push(
                            Diagnostic::error(
                                Code::BadSchedule,
                                node.span,
                                format!("a cron expression has five fields, found {words}"),
                            )
                            .help("minute, hour, day of month, month, day of week: \"0 2 * * SUN\""),
                        );
                        None
                    }
                    Err(error) => {
                        self.out.push(
                            Diagnostic::error(
                                Code::BadSchedule,
                                node.span,
                                format!("not a cron expression: {}", cron_cause(&error.to_string())),
                            )
                            .help("minute, hour, day of month, month, day of week: \"0 2 * * SUN\""),
                        );
                        None
                    }
                }
            }
        }
    }

    fn timezone(&mut self, node: &Node) -> Option<String> {
        let name = self.text(node, "timezone")?.value;
        // Without a zone database nothing can be said against a name.
        if jiff::tz::db().is_definitively_empty() || jiff::tz::TimeZone::get(&name).is_ok() {
            return Some(name);
        }
        self.out.push(
            Diagnostic::error(Code::BadSchedule, node.span, format!("there is no time zone {name:?}"))
                .help("an IANA name such as `Europe/Berlin` or `UTC`"),
        );
        None
    }

    fn lock(&mut self, node: &Node) -> Lock {
        if node.as_map().is_none() {
            return match self.template(node, "lock") {
                Some(name) if name.as_literal() == Some("none") => Lock::None,
                Some(name) => Lock::Named { name, wait: None },
                None => Lock::System,
            };
        }
        let Some(fields) = self.fields(node, &LOCK, None) else { return Lock::System };
        let wait = fields.get("wait").and_then(|n| self.duration(n, "wait"));
        match fields.get("name").and_then(|n| self.template(n, "name")) {
            Some(name) => Lock::Named { name, wait },
            None => {
                if fields.entry("name").is_none() {
                    self.out.push(
                        Diagnostic::error(Code::MissingKey, fields.head(), "`lock` needs `name`")
                            .help("write `lock: { name: NAME, wait: 10m }`"),
                    );
                }
                Lock::System
            }
        }
    }

    fn permissions(&mut self, node: &Node) -> Option<Vec<Permission>> {
        let Some(items) = node.as_list() else {
            self.wrong(node, "permissions", "a list such as `[exec, write: PATH, net: HOST:PORT, signal]`");
            return None;
        };
        let mut out = Vec::new();
        for item in items {
            match &item.kind {
                NodeKind::Map(entries) => {
                    for (key, value) in entries {
                        let Some(template) = self.template(value, &key.value) else { continue };
                        match key.value.as_str() {
                            "write" => out.push(Permission::Write(template)),
                            "net" => {
                                let fits = template.as_literal().is_none_or(|t| {
                                    t.rsplit_once(':').is_some_and(|(host, port)| {
                                        !host.is_empty() && (port == "*" || port.parse::<u16>().is_ok_and(|p| p > 0))
                                    })
                                });
                                if !fits {
                                    self.out.push(
                                        Diagnostic::error(Code::BadChoice, value.span, "`net` needs `HOST:PORT`")
                                            .help("write `net: 127.0.0.1:8000`; `*` stands for any host or port"),
                                    );
                                }
                                out.push(Permission::Net(template));
                            }
                            other => self.out.push(
                                Diagnostic::error(Code::BadChoice, key.span, format!("there is no permission `{other}`"))
                                    .help("the permissions are `exec`, `write: PATH`, `net: HOST:PORT` and `signal`"),
                            ),
                        }
                    }
                }
                _ => match item.as_str() {
                    Some("exec") => out.push(Permission::Exec),
                    Some("signal") => out.push(Permission::Signal),
                    Some(word @ ("write" | "net")) => {
                        let example = if word == "write" { "write: /var/log" } else { "net: 127.0.0.1:8000" };
                        self.out.push(
                            Diagnostic::error(Code::BadChoice, item.span, format!("`{word}` says not where"))
                                .help(format!("write `{example}`")),
                        );
                    }
                    _ => {
                        let text = item.as_scalar().map(|s| s.text.clone()).unwrap_or_default();
                        self.out.push(
                            Diagnostic::error(Code::BadChoice, item.span, format!("there is no permission `{text}`"))
                                .help("the permissions are `exec`, `write: PATH`, `net: HOST:PORT` and `signal`"),
                        );
                    }
                },
            }
        }
        Some(out)
    }
}

/// The cron crate's words as a fragment.
fn cron_cause(text: &str) -> String {
    let line = text.lines().next().unwrap_or("").trim_end_matches('.');
    let line = line.rsplit(": ").next().unwrap_or(line);
    super::fields::lower_first(line)
}
