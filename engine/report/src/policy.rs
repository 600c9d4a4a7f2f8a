//! What may be done with a stream: computed once from given facts, then passed down as plain data.

use std::collections::BTreeMap;

/// What `--color` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// As the terminal and the environment suggest.
    #[default]
    Auto,
    /// With colour.
    Always,
    /// Without.
    Never,
}

/// The facts that a policy follows from, gathered by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The environment.
    pub env: &'a BTreeMap<String, String>,
    /// Whether the stream that the policy is for is a terminal.
    pub is_tty: bool,
    /// Whether standard input is a terminal.
    pub stdin_tty: bool,
    /// Whether standard error is a terminal.
    pub stderr_tty: bool,
    /// The width of the terminal in columns, if there is one.
    pub width: Option<usize>,
    /// What `--color` says.
    pub color: ColorChoice,
    /// Whether `--plain` was given.
    pub plain: bool,
    /// Whether `--no-input` was given.
    pub no_input: bool,
}

/// What may be done with a stream. Colour is not animation: each is decided by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermPolicy {
    /// Whether colour is written.
    pub color: bool,
    /// Whether lines are redrawn.
    pub animate: bool,
    /// Whether glyphs outside ASCII are written.
    pub unicode: bool,
    /// How many columns a line may have.
    pub width: usize,
    /// Whether questions may be asked.
    pub prompt: bool,
    /// Whether output is one line per event, without redrawing and with numbered choices.
    pub accessible: bool,
    /// Whether the stream is a terminal.
    pub terminal: bool,
}

/// The width that is assumed when nothing tells it.
const DEFAULT_WIDTH: usize = 80;
/// Below this, lines are not broken any narrower.
const MIN_WIDTH: usize = 30;

impl TermPolicy {
    /// Computes the policy. Pure: the same facts give the same policy.
    pub fn from_facts(facts: &Facts<'_>) -> Self {
        let set = |name: &str| facts.env.get(name).map(String::as_str).filter(|v| !v.is_empty());
        let on = |name: &str| set(name).is_some_and(|v| v != "0" && v != "false");
        // Without TERM nothing is known about what the terminal understands.
        let dumb = set("TERM").is_none_or(|t| t == "dumb");
        let accessible = facts.plain || on("ACCESSIBLE");
        let ci = on("CI");
        let color = match facts.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set("NO_COLOR").is_some() => false,
            ColorChoice::Auto if on("CLICOLOR_FORCE") || on("FORCE_COLOR") => true,
            ColorChoice::Auto => facts.is_tty && !dumb && set("CLICOLOR") != Some("0"),
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|n| set(n)).unwrap_or_default();
        let unicode = {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        };
        let columns = set("COLUMNS").and_then(|c| c.parse().ok());
        TermPolicy {
            color,
            animate: facts.is_tty && !dumb && !ci && !accessible,
            unicode,
            width: facts.width.filter(|w| *w > 0).or(columns).unwrap_or(DEFAULT_WIDTH).max(MIN_WIDTH),
            prompt: facts.stdin_tty && facts.stderr_tty && !facts.no_input && !ci,
            accessible,
            terminal: facts.is_tty,
        }
    }

    /// A policy for text that goes to no terminal: no colour, no redrawing.
    pub fn text(width: usize, unicode: bool) -> Self {
        TermPolicy {
            color: false,
            animate: false,
            unicode,
            width: width.max(MIN_WIDTH),
            prompt: false,
            accessible: false,
            terminal: false,
        }
    }

    /// Whether one line per event is written in place of the terminal's view.
    pub fn wants_plain(&self) -> bool {
        self.accessible || !self.terminal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(env: &[(&str, &str)], change: impl Fn(&mut Facts<'_>)) -> TermPolicy {
        let mut map: BTreeMap<String, String> =
            [("TERM", "xterm"), ("LANG", "en_US.UTF-8")].iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        map.extend(env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let mut facts = Facts {
            env: &map,
            is_tty: true,
            stdin_tty: true,
            stderr_tty: true,
            width: Some(100),
            color: ColorChoice::Auto,
            plain: false,
            no_input: false,
        };
        change(&mut facts);
        TermPolicy::from_facts(&facts)
    }

    #[test]
    fn a_terminal_gets_everything() {
        let p = policy(&[], |_| ());
        assert!(p.color && p.animate && p.unicode && p.prompt && !p.accessible && !p.wants_plain());
        assert_eq!(p.width, 100);
    }

    #[test]
    fn colour_is_not_animation() {
        let p = policy(&[("NO_COLOR", "1")], |_| ());
        assert!(!p.color && p.animate);
        let p = policy(&[("CI", "true"), ("FORCE_COLOR", "1")], |f| f.is_tty = false);
        assert!(p.color && !p.animate && !p.prompt);
        let p = policy(&[("NO_COLOR", "")], |_| ());
        assert!(p.color, "an empty NO_COLOR says nothing");
        assert!(policy(&[("NO_COLOR", "1")], |f| f.color = ColorChoice::Always).color);
        assert!(!policy(&[("CLICOLOR_FORCE", "1")], |f| f.color = ColorChoice::Never).color);
        assert!(!policy(&[("CLICOLOR_FORCE", "0")], |f| f.is_tty = false).color);
    }

    #[test]
    fn dumb_terminals_and_readers_are_left_alone() {
        let p = policy(&[("TERM", "dumb")], |_| ());
        assert!(!p.color && !p.animate && p.prompt);
        let p = policy(&[("ACCESSIBLE", "1")], |_| ());
        assert!(p.accessible && !p.animate && p.wants_plain());
        assert!(policy(&[], |f| f.plain = true).wants_plain());
        assert!(policy(&[], |f| f.is_tty = false).wants_plain());
    }

    #[test]
    fn prompts_need_both_ends() {
        assert!(!policy(&[], |f| f.stdin_tty = false).prompt);
        assert!(!policy(&[], |f| f.stderr_tty = false).prompt);
        assert!(!policy(&[], |f| f.no_input = true).prompt);
        assert!(policy(&[], |f| f.is_tty = false).prompt, "`play x | tee log` can still ask");
    }

    #[test]
    fn locale_and_width() {
        assert!(!policy(&[("LC_ALL", "C")], |_| ()).unicode);
        assert!(policy(&[("LC_ALL", "C.utf8")], |_| ()).unicode);
        assert_eq!(policy(&[("COLUMNS", "120")], |f| f.width = None).width, 120);
        assert_eq!(policy(&[], |f| f.width = None).width, 80);
        assert_eq!(policy(&[], |f| f.width = Some(3)).width, 30);
    }
}
