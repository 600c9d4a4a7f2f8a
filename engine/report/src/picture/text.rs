//! A picture as text: the outline, drawn as a tree.

use super::{EdgeKind, Entry, Kind, Limb, Picture};
use crate::human;
use crate::ink::{Ink, Line, wrap};
use crate::policy::TermPolicy;
use crate::runs::text as lines_text;
use crate::terminal::Glyphs;

/// The lines that a tree is drawn with.
struct Twigs {
    fork: &'static str,
    last: &'static str,
    on: &'static str,
    none: &'static str,
}

const UNICODE: Twigs = Twigs { fork: "├─ ", last: "└─ ", on: "│  ", none: "   " };
const ASCII: Twigs = Twigs { fork: "|- ", last: "`- ", on: "|  ", none: "   " };

/// What is left for text at least, however deep it stands.
const LEAST: usize = 20;

impl Picture {
    /// The picture as text that fits the terminal.
    pub fn text(&self, policy: &TermPolicy) -> String {
        self.text_with_way(policy, &[], None)
    }

    /// As [`Picture::text`], with a `*` before each question of a way that was gone, and a `>` before the one where it has come to.
    pub fn text_with_way(&self, policy: &TermPolicy, way: &[&str], here: Option<&str>) -> String {
        let marks = self.nodes.iter().map(|node| match node.id.as_str() {
            id if here == Some(id) => "> ",
            id if way.contains(&id) => "* ",
            _ => "",
        });
        let mut writer = Writer {
            picture: self,
            policy,
            twigs: if policy.unicode { UNICODE } else { ASCII },
            glyphs: Glyphs::of(policy.unicode),
            lines: Vec::new(),
            after: vec![Vec::new(); self.nodes.len()],
            marks: marks.collect(),
        };
        for edge in &self.edges {
            if edge.kind == EdgeKind::Needs {
                writer.after[edge.to].push(self.nodes[edge.from].label.clone());
            }
        }
        let mut title = Line::of(Ink::Bold, &self.name);
        title.push(Ink::Dim, &format!("  {}", self.kind));
        writer.push(title);
        for line in wrap(&self.title, policy.width) {
            writer.push(Line::of(Ink::Plain, &line));
        }
        if !self.source.is_empty() {
            for line in wrap(&format!("from {}", self.source), policy.width) {
                writer.push(Line::of(Ink::Dim, &line));
            }
        }
        if !self.outline.is_empty() {
            writer.push(Line::new());
            writer.entries(&self.outline, "");
        }
        lines_text(writer.lines, policy)
    }
}

struct Writer<'a> {
    picture: &'a Picture,
    policy: &'a TermPolicy,
    twigs: Twigs,
    glyphs: Glyphs,
    lines: Vec<Line>,
    /// What each node waits for.
    after: Vec<Vec<String>>,
    /// What stands before each node that a walk came by.
    marks: Vec<&'static str>,
}

impl Writer<'_> {
    fn push(&mut self, line: Line) {
        self.lines.push(line.fit(self.policy.width, self.glyphs.ellipsis));
    }

    fn entries(&mut self, entries: &[Entry], prefix: &str) {
        for (i, entry) in entries.iter().enumerate() {
            let is_last = i + 1 == entries.len();
            let (twig, below) = if is_last { (self.twigs.last, self.twigs.none) } else { (self.twigs.fork, self.twigs.on) };
            let (head, below) = (format!("{prefix}{twig}"), format!("{prefix}{below}"));
            self.entry(entry, Line::new(), &head, &below);
        }
    }

    /// One entry: `head` begins its first line, `below` those that follow, and `lead` is put before its name.
    fn entry(&mut self, entry: &Entry, lead: Line, head: &str, below: &str) {
        match entry {
            Entry::Node { node, limbs } => self.node(*node, limbs, lead, head, below),
            Entry::See(node) => {
                let text = format!("{} see {}", self.glyphs.arrow, self.picture.nodes[*node].name());
                self.wrapped(lead.with(Ink::Accent, &text), head, below);
            }
            Entry::GoOn(Some(node)) => {
                self.wrapped(lead.with(Ink::Dim, &format!("go on with {}", self.picture.nodes[*node].name())), head, below)
            }
            Entry::GoOn(None) => self.wrapped(lead.with(Ink::Dim, "nothing more to ask"), head, below),
            // The node above says how many there are.
            Entry::Cut(_) => {}
        }
    }

    fn node(&mut self, at: usize, limbs: &[Limb], lead: Line, head: &str, below: &str) {
        let node = &self.picture.nodes[at];
        let limbs =
            if matches!(limbs, [Limb { entries, .. }] if matches!(entries.as_slice(), [Entry::Cut(_)])) { &[] } else { limbs };
        let mut line = lead;
        if !self.marks[at].is_empty() {
            line.push(Ink::Accent, self.marks[at]);
        }
        if !node.number.is_empty() {
            line.push(Ink::Dim, &format!("{} ", node.number));
        }
        let ink = if matches!(node.kind, Kind::Group(_) | Kind::Question) { Ink::Bold } else { Ink::Plain };
        line.push(ink, &node.label);
        let word = match node.kind {
            // A question is one by its mark.
            Kind::Question => "",
            _ => node.word.as_str(),
        };
        if !word.is_empty() {
            line.push(ink_of(node.kind), &format!("  {word}"));
        }
        let mut notes: Vec<String> = Some(node.what.clone()).filter(|w| !w.is_empty()).into_iter().collect();
        notes.extend(node.notes.iter().cloned());
        if !self.after[at].is_empty() {
            notes.push(format!("after {}", human::and_list(&self.after[at])));
        }
        // What has no number is one of many alike: a line each, if they fit.
        let alone = notes.join(&format!(" {} ", self.glyphs.dot));
        let one = line.clone().with(Ink::Dim, &format!("  {alone}"));
        let is_item = node.number.is_empty() && limbs.is_empty() && !notes.is_empty();
        if is_item && console::measure_text_width(head) + one.width() <= self.policy.width {
            self.wrapped(one, head, below);
            return;
        }
        self.wrapped(line, head, below);
        let has_limbs = !limbs.is_empty();
        let under = format!("{below}{}", if has_limbs { self.twigs.on } else { "  " });
        for note in notes.iter().flat_map(|n| n.lines()) {
            self.wrapped(Line::of(Ink::Dim, note), &under, &under);
        }
        for (i, limb) in limbs.iter().enumerate() {
            if limb.label.is_empty() {
                self.entries(&limb.entries, below);
                continue;
            }
            let is_last = i + 1 == limbs.len();
            let (twig, on) = if is_last { (self.twigs.last, self.twigs.none) } else { (self.twigs.fork, self.twigs.on) };
            let (head, below) = (format!("{below}{twig}"), format!("{below}{on}"));
            let label = Line::of(Ink::Accent, &format!("{}: ", limb.label));
            match limb.entries.as_slice() {
                [only] => self.entry(only, label, &head, &below),
                several => {
                    self.wrapped(Line::of(Ink::Accent, &format!("{}:", limb.label)), &head, &below);
                    self.entries(several, &below);
                }
            }
        }
    }

    /// A line that is broken at the width, its parts below each other.
    fn wrapped(&mut self, line: Line, head: &str, below: &str) {
        let (head, below) = (self.shallow(head), self.shallow(below));
        let width = self.policy.width.saturating_sub(console::measure_text_width(&head));
        for (i, part) in line.wrapped(width, 2).into_iter().enumerate() {
            let mut whole = Line::of(Ink::Dim, if i == 0 { &head } else { &below });
            if i > 0 {
                whole.push(Ink::Plain, "  ");
            }
            whole.append(part);
            self.push(whole);
        }
    }

    /// Cuts the twigs of what stands so deep that no room is left for text.
    fn shallow(&self, twigs: &str) -> String {
        let most = self.policy.width.saturating_sub(LEAST);
        let wide = twigs.chars().count();
        if wide <= most { twigs.to_owned() } else { twigs.chars().skip(wide - most).collect() }
    }
}

fn ink_of(kind: Kind) -> Ink {
    match kind.class() {
        "change" | "warning" => Ink::Warn,
        "destroy" | "critical" | "fail" => Ink::Bad,
        "person" => Ink::Accent,
        "info" | "stop" => Ink::Good,
        _ => Ink::Dim,
    }
}
