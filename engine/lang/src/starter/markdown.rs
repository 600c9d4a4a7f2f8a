//! A Markdown runbook as a playbook: headings become the names of steps, code blocks their commands, and what is written between them
//! notes and steps for a person.

use std::collections::HashSet;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::console::{self, Block};
use super::convert::Converter;
use super::draft::{Body, Step};
use super::holes::Holes;
use super::{NewName, script, shell, yaml};

/// A piece of a document.
#[derive(Clone, Debug)]
enum Item {
    Heading {
        first: bool,
        text: String,
    },
    Code {
        language: String,
        text: String,
    },
    Prose(String),
    /// A table of contents.
    Contents,
    /// Items that a person goes through one by one.
    Todo(Vec<String>),
}

/// Languages of blocks that a person carries out somewhere else.
const ELSEWHERE: &[&str] = &[
    "bat",
    "batch",
    "cmd",
    "cypher",
    "dos",
    "groovy",
    "hcl",
    "javascript",
    "js",
    "kusto",
    "logql",
    "mongodb",
    "mysql",
    "pgsql",
    "plpgsql",
    "postgres",
    "postgresql",
    "powershell",
    "promql",
    "ps",
    "ps1",
    "psql",
    "pwsh",
    "py",
    "python",
    "redis",
    "ruby",
    "splunk",
    "sql",
];

/// The longest line that is taken for the name of what follows it.
const MAX_LABEL: usize = 100;

/// Whether a text looks like Markdown rather than like shell text.
pub(super) fn looks_like(text: &str) -> bool {
    !text.starts_with("#!") && text.lines().any(|l| l.trim_start().starts_with("```") || l.trim_start().starts_with("~~~"))
}

/// The playbook.
pub(super) fn playbook(text: &str, name: &NewName, source: &str, modeline: &str) -> String {
    let mut holes = Holes::new(text);
    let items: Vec<Item> = items(text)
        .into_iter()
        .map(|item| match item {
            Item::Heading { first, text } => Item::Heading { first, text: holes.punch(&text, false) },
            Item::Code { language, text } => {
                Item::Code { text: holes.punch(&text, console::kind(&language, &text) != Block::Other), language }
            }
            Item::Prose(text) => Item::Prose(holes.punch(&text, false)),
            Item::Contents => Item::Contents,
            Item::Todo(list) => Item::Todo(list.iter().map(|t| holes.punch(t, false)).collect()),
        })
        .collect();
    let convert = |in_one_step| {
        let mut converter = Converter::new(holes.clone());
        converter.in_document = true;
        converter.in_one_step = in_one_step;
        converter.used_elsewhere = used(&items);
        let mut writer = Writer { converter, ..Writer::default() };
        items.iter().for_each(|item| writer.item(item.clone()));
        writer.section();
        writer
    };
    let mut writer = convert(false);
    if writer.converter.carries_too_much() {
        writer = convert(true);
    }
    let Writer { mut converter, title, mut steps, description, .. } = writer;
    converter.draft.title =
        title.map(|t| converter.human(&yaml::one_line(&t))).filter(|t| !t.is_empty()).unwrap_or_else(|| name.title());
    converter.draft.description = description;
    converter.draft.comments = converter.take_pending();
    if steps.is_empty() {
        steps.push(Step::new(Body::Note("The document has no commands".to_owned())));
    }
    script::finish(converter, steps, source, modeline)
}

/// Every variable that any block uses.
fn used(items: &[Item]) -> HashSet<String> {
    let mut out = HashSet::new();
    for item in items {
        if let Item::Code { language, text } = item
            && console::kind(language, text) != Block::Other
        {
            let text = console::commands(language, text);
            let (units, _) = shell::script(&text);
            out.extend(units.into_iter().flat_map(|u| u.uses).map(|u| u.name));
        }
    }
    out
}

/// The pieces of a document in order. Blocks of code are pieces of their own wherever they stand, in lists too.
fn items(text: &str) -> Vec<Item> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let events: Vec<(Event<'_>, Range<usize>)> = Parser::new_ext(text, options).into_offset_iter().collect();
    let mut out = Vec::new();
    let mut first = true;
    // Of the lists that are open: whether a person goes through their items.
    let mut todos: Vec<bool> = Vec::new();
    let mut i = 0;
    while i < events.len() {
        let (event, range) = &events[i];
        let end = closing(&events, i);
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let text = plain(&events[i..end]);
                out.push(Item::Heading { first: std::mem::take(&mut first) && *level == HeadingLevel::H1, text });
                i = end;
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match kind {
                    CodeBlockKind::Fenced(info) => {
                        info.split([' ', ',', '{', '\t']).next().unwrap_or("").trim_start_matches('.').to_lowercase()
                    }
                    CodeBlockKind::Indented => String::new(),
                };
                out.push(Item::Code { language, text: literal(&events[i..end]) });
                i = end;
            }
            Event::Start(Tag::List(start)) => {
                let inside = &events[i + 1..end.saturating_sub(1).max(i + 1)];
                let todo = start.is_some() || inside.iter().any(|(e, _)| matches!(e, Event::TaskListMarker(_)));
                let holds = |wanted: fn(&Event<'_>) -> bool| inside.iter().any(|(e, _)| wanted(e));
                if holds(|e| matches!(e, Event::Start(Tag::CodeBlock(_)))) {
                    // Its parts come one by one.
                    todos.push(todo);
                    i += 1;
                    continue;
                }
                let texts = list(&events, i, end);
                let anchors = !texts.is_empty()
                    && inside
                        .iter()
                        .any(|(e, _)| matches!(e, Event::Start(Tag::Link { dest_url, .. }) if dest_url.starts_with('#')));
                match (todo, anchors) {
                    (_, true) => out.push(Item::Contents),
                    (true, false) => out.push(Item::Todo(texts)),
                    (false, false) => out.push(Item::Prose(dedented(&text[range.clone()]))),
                }
                i = end;
            }
            Event::End(TagEnd::List(_)) => {
                todos.pop();
                i += 1;
            }
            Event::Start(Tag::Item)
                if todos.last() == Some(&true)
                    && !events[i..end].iter().any(|(e, _)| matches!(e, Event::Start(Tag::CodeBlock(_)))) =>
            {
                out.push(Item::Todo(item_text(&events[i..end]).into_iter().collect()));
                i = end;
            }
            Event::Start(Tag::MetadataBlock(_) | Tag::HtmlBlock) => i = end,
            Event::Start(Tag::Paragraph | Tag::Table(_) | Tag::BlockQuote(_)) => {
                out.push(Item::Prose(dedented(&text[range.clone()])));
                i = end;
            }
            // The text of a list's item that has a block of code in it.
            Event::Text(_) | Event::Code(_) => {
                let mut stop = i;
                while stop < events.len()
                    && matches!(
                        events[stop].0,
                        Event::Text(_)
                            | Event::Code(_)
                            | Event::SoftBreak
                            | Event::Start(Tag::Strong | Tag::Emphasis | Tag::Link { .. })
                            | Event::End(TagEnd::Strong | TagEnd::Emphasis | TagEnd::Link)
                    )
                {
                    stop += 1;
                }
                out.push(Item::Prose(dedented(&text[range.start..events[stop - 1].1.end])));
                i = stop;
            }
            _ => i += 1,
        }
    }
    out
}

/// The index behind the event that closes what is opened at `from`.
fn closing(events: &[(Event<'_>, Range<usize>)], from: usize) -> usize {
    let mut depth = 0_usize;
    for (i, (event, _)) in events.iter().enumerate().skip(from) {
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    events.len()
}

/// The words of a heading.
fn plain(events: &[(Event<'_>, Range<usize>)]) -> String {
    events
        .iter()
        .map(|(event, _)| match event {
            Event::Text(text) | Event::Code(text) => text.to_string(),
            Event::SoftBreak | Event::HardBreak => " ".to_owned(),
            _ => String::new(),
        })
        .collect()
}

/// The text of a block of code.
fn literal(events: &[(Event<'_>, Range<usize>)]) -> String {
    events.iter().filter_map(|(event, _)| if let Event::Text(text) = event { Some(&**text) } else { None }).collect()
}

/// The items of a list, what is nested in them included.
fn list(events: &[(Event<'_>, Range<usize>)], from: usize, end: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut i = from + 1;
    while i < end {
        if matches!(events[i].0, Event::Start(Tag::Item)) {
            let stop = closing(events, i);
            out.extend(item_text(&events[i..stop]));
            i = stop;
        } else {
            i += 1;
        }
    }
    out
}

/// The text of a list's item; nested items become lines of it.
fn item_text(events: &[(Event<'_>, Range<usize>)]) -> Option<String> {
    let mut text = String::new();
    for (event, _) in events {
        match event {
            Event::Text(t) => text.push_str(t),
            Event::Code(t) => text.push_str(&format!("`{t}`")),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::Start(Tag::Item) if !text.trim().is_empty() => text.push_str("\n- "),
            Event::End(TagEnd::Paragraph) => text.push('\n'),
            _ => {}
        }
    }
    let text = text.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The source of a piece without the indent that it has in a list.
fn dedented(text: &str) -> String {
    let indent = text
        .lines()
        .skip(1)
        .filter(|l| !l.trim().is_empty())
        .map(|l| l.len() - l.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    let mut out = String::new();
    for (i, line) in text.lines().enumerate() {
        let line = if i == 0 {
            line.trim_start()
        } else {
            line.get(indent.min(line.len() - line.trim_start_matches(' ').len())..).unwrap_or(line)
        };
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.trim_end().to_owned()
}

/// Steps in the order of the document.
#[derive(Default)]
struct Writer {
    converter: Converter,
    title: Option<String>,
    description: Option<String>,
    /// The heading of the section that is being read.
    heading: Option<String>,
    /// Prose that no step came after yet.
    prose: Vec<String>,
    section: Vec<Step>,
    steps: Vec<Step>,
    /// Headings that had nothing below them but others.
    parents: Vec<String>,
}

impl Writer {
    fn item(&mut self, item: Item) {
        match item {
            Item::Heading { first: true, text } if self.title.is_none() && self.prose.is_empty() => self.title = Some(text),
            Item::Heading { text, .. } => {
                self.section();
                self.heading = Some(text);
            }
            Item::Prose(text) => self.prose.push(text),
            Item::Contents => self.heading = None,
            Item::Todo(list) => {
                self.note();
                for text in list {
                    let body = Body::Manual(self.converter.human(&text));
                    self.section.push(Step::new(body));
                }
            }
            Item::Code { language, text } => self.code(&language, &text),
        }
    }

    /// Prose becomes a note.
    fn note(&mut self) {
        if self.prose.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.prose).join("\n\n");
        let text = self.converter.human(&text);
        if self.heading.is_none() && self.section.is_empty() && self.steps.is_empty() && self.description.is_none() {
            self.description = Some(text);
        } else {
            self.section.push(Step::new(Body::Note(text)));
        }
    }

    /// The last paragraph, if it announces what follows it.
    fn label(&mut self) -> Option<String> {
        let last = self.prose.last()?;
        let text = last.trim().trim_matches('*').trim().trim_end_matches([':', '：']).trim_matches('*').trim();
        let announces = last.trim().trim_matches('*').trim().ends_with(':')
            && !last.contains('\n')
            && !text.is_empty()
            && text.chars().count() <= MAX_LABEL
            && !text.starts_with(['-', '|', '>']);
        let label = announces.then(|| self.converter.human(&yaml::one_line(&text.replace("**", ""))));
        if label.is_some() {
            self.prose.pop();
        }
        label
    }

    fn code(&mut self, language: &str, text: &str) {
        let kind = console::kind(language, text);
        if kind == Block::Other && !ELSEWHERE.contains(&language) {
            let shown = text.trim_end();
            if !shown.is_empty() {
                self.prose.push(format!("```{language}\n{shown}\n```"));
            }
            return;
        }
        let label = self.label();
        self.note();
        if kind == Block::Other {
            let text = format!("Do this ({language}):\n{}", text.trim_end());
            self.section.push(Step { name: label, ..Step::new(Body::Manual(self.converter.human(&text))) });
            return;
        }
        let mut steps = self.converter.script(&console::commands(language, text));
        if let Some(first) = steps.first_mut()
            && let Some(label) = label
        {
            match &first.name {
                None => first.name = Some(label),
                Some(_) => first.comments.insert(0, label),
            }
        }
        self.section.append(&mut steps);
    }

    /// The end of a section: its steps under its heading.
    fn section(&mut self) {
        self.note();
        self.converter.fresh();
        let heading = self.heading.take();
        let mut steps = std::mem::take(&mut self.section);
        let Some(heading) = heading else {
            self.steps.append(&mut steps);
            return;
        };
        let shown = self.converter.holes.shown(&heading);
        if steps.is_empty() {
            self.parents.push(shown);
            return;
        }
        let name = self.converter.human(&yaml::one_line(&heading));
        let name = (!name.is_empty()).then_some(name);
        let comments = std::mem::take(&mut self.parents);
        let mut step = match steps.len() {
            1 => {
                let mut step = steps.remove(0);
                if let Some(own) = step.name.take() {
                    step.comments.push(own);
                }
                step
            }
            _ => Step::new(Body::Block(steps)),
        };
        step.name = name;
        step.comments.splice(0..0, comments);
        self.steps.push(step);
    }
}
