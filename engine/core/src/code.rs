//! The stable codes of diagnostics, each with the explanation that `runbook explain` prints.

use std::fmt;

mod examples;

pub use examples::CodeExample;

macro_rules! codes {
    ($( $name:ident = $code:literal, $title:literal, $text:literal; )*) => {
        /// A stable code. The number never changes its meaning; codes are listed in the order of their numbers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $( #[doc = $title] $name, )* }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[ $( Code::$name, )* ];

            /// The code as written, such as `E0201`.
            pub fn as_str(self) -> &'static str {
                match self { $( Code::$name => $code, )* }
            }

            /// What it stands for, in a few words.
            pub fn title(self) -> &'static str {
                match self { $( Code::$name => $title, )* }
            }

            /// A longer explanation with the way out.
            pub fn explanation(self) -> &'static str {
                match self { $( Code::$name => $text, )* }
            }

            /// The code written like this, if there is one.
            pub fn find(text: &str) -> Option<Code> {
                Code::ALL.iter().copied().find(|c| c.as_str().eq_ignore_ascii_case(text))
            }
        }
    };
}

codes! {
    // E00xx: files
    NotReadable = "E0001", "a file cannot be read", "The file is missing, is not a regular file, or may not be read by this user. Check the path and the permissions.";
    NotUtf8 = "E0002", "the file is not UTF-8", "Playbooks are UTF-8 text. Save the file as UTF-8; the message names the first byte that is not.";
    ControlCharacter = "E0003", "a control or direction character", "Control characters and text-direction characters hide what a file says. Remove it, or write it as an escape such as \"\\e\" in a double-quoted string.";
    TooLarge = "E0004", "the file is too large", "A playbook may be at most 10 MiB, nested at most 64 deep, with at most 300000 values, 100000 comments, 10000 anchors and 200000 parts of expressions. Split it, or keep the data in a file of its own.";
    TooManyMistakes = "E0005", "more mistakes than are listed", "Of each file the first thousand mistakes are listed, and the rest is counted. Mend those that are listed and check again.";
    // E01xx: YAML
    YamlSyntax = "E0101", "the YAML cannot be read", "The text is not YAML. The message says what was expected where; a missing quote, a tab, or a wrong indent is the usual cause.";
    DuplicateKey = "E0102", "a key is given twice", "A map says each key once. In other tools the later one silently wins; here it is a mistake.";
    YamlFeature = "E0103", "a part of YAML that playbooks do not use", "Tags, merge keys (`<<`), several documents in a file, keys that are not strings, and anchors that expand without bound are refused, so that a file means what it seems to say.";
    EmptyFile = "E0104", "the file says nothing", "A playbook needs at least `playbook:` and one of `steps`, `triage` or `checks`.";
    // E02xx: structure
    UnknownKey = "E0201", "an unknown key", "The key is not known at this place. The message lists what is allowed here and suggests the nearest one.";
    MissingKey = "E0202", "a required key is missing", "The map lacks a key that it must have.";
    WrongType = "E0203", "a value of the wrong kind", "The value is of another kind than this place needs, such as a list where a string is expected.";
    NotAllowedHere = "E0204", "a key that has no meaning here", "The key is known, but means nothing at this place, such as `needs` outside `parallel`.";
    NoBody = "E0205", "a step that does nothing", "A step has exactly one body: a module, `command`, `shell`, `block`, `parallel`, `play`, `set`, `ask`, `manual`, `note`, `fail`, `stop` or `wait`.";
    TwoBodies = "E0206", "a step with two bodies", "A step has exactly one body. Split it into two steps.";
    UnknownModule = "E0207", "an unknown module", "No module of this name is built in or installed. `runbook modules` lists them.";
    BadArgument = "E0208", "a module's argument is wrong", "The module does not take this argument, or not a value of this kind. `runbook modules NAME` shows what it takes.";
    BadName = "E0209", "a name that cannot be used", "Names used in expressions start with a letter and hold lowercase letters, digits, `_` and `-`; reserved words are refused.";
    DuplicateId = "E0210", "an id is used twice", "An id names one step of a playbook, so that `steps.<id>` means one thing.";
    NotACheck = "E0211", "a check that changes something", "`requires`, `verify`, `checks`, `check`, `see` and `ready` only look. A step that changes something belongs under `steps`.";
    WrongLanguage = "E0212", "a newer language", "The file is written for a version of the language that this program does not know. Upgrade the program.";
    OneOf = "E0213", "exactly one of several keys is needed", "A playbook has exactly one of `steps`, `triage` and `checks`.";
    NotYet = "E0214", "not supported yet", "The language has this word, and this version of the program does not carry it out yet.";
    Conflict = "E0215", "two keys that exclude each other", "The two keys contradict each other or say the same thing twice.";
    RetryRepeats = "E0216", "a retry that could do a change twice", "A step that changes something may have done its work before it failed. Write `idempotent: true` if doing it twice is harmless, or retry a check instead.";
    UnreachableNode = "E0217", "a node that is never reached", "No answer leads to this node of the tree, so nobody would ever be asked it or find it.";
    DeadEnd = "E0218", "a question that decides nothing", "None of the question's answers leads anywhere, and nothing uses what was answered. Give an answer a branch, or take the question out.";
    NoExit = "E0219", "a cycle without an exit", "Once in the cycle, no answer leads out of it. Give one of its questions an answer that does not go back.";
    CasesMissing = "E0220", "choices without a branch", "Every choice of a question has a case, or the question has `default`. Write `continue` for a choice that needs nothing more.";
    SecretDefault = "E0221", "a secret that is written in the file", "The value of a secret must not stand in a file that others read. Take it out, change it where it is used, and give it with `--param` or through `env:`.";
    BrokenModule = "E0222", "a module that cannot be used", "The module is an executable of the project or the user, and what it says of itself with `--describe` is missing or wrong. `runbook modules test NAME` tries it out.";
    // E03xx: typed text
    BadDuration = "E0301", "not a duration", "A duration is a number with a unit, such as `250ms`, `30s`, `5m`, `1h30m`, `7d` or `2w`.";
    BadSize = "E0302", "not a size", "A size is a number with a unit, such as `512KiB`, `100MB` or `1GiB`.";
    BadTime = "E0303", "not a time", "A time is written like `2026-02-15T14:23:45Z`, with a zone.";
    BadRegex = "E0304", "not a regular expression", "The pattern cannot be compiled. Look-around and back-references are not part of this dialect.";
    BadJsonPath = "E0305", "not a JSONPath", "The path is not RFC 9535 JSONPath.";
    BadUrl = "E0306", "not a URL", "The URL needs a scheme such as `http://` and a host.";
    OutOfRange = "E0307", "out of range", "The number is outside the range that makes sense here.";
    BadChoice = "E0308", "not one of the choices", "The value is not one of those listed.";
    BadSchedule = "E0309", "not a schedule", "A schedule is `every: 5m` or `cron: \"0 2 * * SUN\"`.";
    // E04xx: names and references
    UndefinedName = "E0401", "an undefined name", "Nothing of this name is in scope here. Names come from `params`, `vars`, the system, `set`, and `steps.<id>` of earlier steps.";
    UnknownStep = "E0402", "an unknown step", "No step has this id.";
    NotRunYet = "E0403", "a step used before it ran", "The step comes later, so it has no result yet.";
    Cycle = "E0404", "a cycle", "Each of these waits for the next, so none could start.";
    UnknownPlaybook = "E0405", "an unknown playbook", "No playbook of this name is in the playbooks folder.";
    UnknownService = "E0406", "an unknown service", "The system's `services` does not have it.";
    Ambiguous = "E0407", "an ambiguous name", "Several systems have a playbook of this name. Write `system/name`.";
    UnknownNode = "E0408", "an unknown node", "No question and no leaf of the tree has this id.";
    UnknownFinding = "E0409", "an unknown finding", "No leaf of the tree has this finding, so a condition or a test that names it never holds.";
    TooDeep = "E0410", "playbooks that play each other too deep", "A playbook may play another, which may play a third, at most 16 deep: what lies deeper nobody can read.";
    // E05xx: expressions and templates
    ExpressionSyntax = "E0501", "an expression that cannot be read", "The text is not an expression of the language. `=` is not a comparison: write `==`.";
    UnknownFunction = "E0502", "an unknown function, filter or test", "No function, filter or test has this name.";
    TemplateSyntax = "E0503", "a template that cannot be read", "`{{` opens an expression and `}}` closes it; statements (`{% %}`) are not part of the language, save `{% raw %}`.";
    ShellQuoting = "E0504", "a value inside quotes in shell text", "In `shell` text every value is quoted by the engine; inside quotes it would be quoted twice and could break out. Pass it as an environment variable (`env:`) or use `command:`.";
    KindMismatch = "E0505", "values of different kinds compared", "Comparing values of different kinds is an error, never a guess: convert one with `| int`, `| float` or `| string`.";
    // E06xx: inputs
    UnknownParam = "E0601", "an unknown parameter", "The playbook has no parameter of this name.";
    MissingParam = "E0602", "a parameter without a value", "The parameter is required and has no value. Give it with `--param NAME=VALUE`.";
    BadParam = "E0603", "a parameter's value is wrong", "The value is not of the parameter's type or breaks its rules.";
    UnknownProfile = "E0604", "an unknown profile", "The system file has no profile of this name.";
    UnknownAnswer = "E0605", "an answer that no question asks for", "No question of a tree, and no `ask`, `manual` or `confirm`, has this id.";
    BadAnswer = "E0606", "an answer that does not fit its question", "The question takes another kind of answer, or one of certain words. `runbook answers NAME` writes down every question of a playbook with what it takes.";
    // E07xx: tests of playbooks
    NotInResult = "E0701", "a field that the module never returns", "A test scripts what a module would return, or expects of it. This module's result has no such field, or the field never has a value of this kind. `runbook modules NAME` shows what it returns.";
    RuleAnswersNothing = "E0702", "a world rule that says not what happens", "A rule of a test's world has exactly one of `returns`, `error`, `unknown`, `refused`, `times_out` and `sequence`.";
    NotExpected = "E0703", "a test's expectation that does not hold", "The playbook did something else than the test expects. The message shows both. Either the playbook has a mistake, or the test has to say what is right now.";
    UndeclaredCall = "E0704", "a call that no rule of the test's world answers", "A test never touches anything real: every call of a module needs a rule under `world:`. The message holds one that can be pasted.";
    NotRecorded = "E0705", "a run that differs from what was recorded", "`recorded:` holds the path and the calls of an earlier run. If the change is meant, `runbook test --bless` writes down the new ones; look at the difference first.";
    NeverEnds = "E0706", "a test that comes to no end", "The playbook makes one call after the other, or waits without end, on the test's virtual clock. Bound the retry, or let the world say at last what is waited for.";
    // W0xxx: warnings
    UnquotedShell = "W0101", "an unquoted value in shell text", "`| unquoted` puts a value into shell text as it is. Whoever controls the value controls the shell.";
    AlwaysTrue = "W0102", "a condition that is always the same", "The condition does not depend on anything, so it always has the same value.";
    RetryNotIdempotent = "W0103", "a change that is retried without being idempotent", "A retry could do it twice. Write `idempotent: true` if that is harmless.";
    AmbiguousScalar = "W0104", "text that other YAML readers take for something else", "YAML 1.1 tools read this as a boolean, number or time. Quote it.";
    Unused = "W0105", "something that is never used", "Nothing refers to it.";
    MayNotRun = "W0106", "a result of a step that may not have run", "The step stands under a condition or in a `rescue`. If it did not run, every field of its result is null. Ask first, by `when: steps.<id>.outcome != 'skipped'` or the condition of the step itself, or give another value: `| default(...)`.";
    Unreachable = "W0107", "a step that is never reached", "A `stop` or `fail` without a condition ends the list before it.";
    SecretExposed = "W0108", "a secret where others can read it", "Argument vectors are listed by `ps` for every user of the machine, and URLs are written to the logs of servers. Hand a secret over by `env:`, by standard input, in a header, or in a file of mode 0600.";
    SecretInText = "W0109", "a secret in a text for people", "Secrets are masked in everything that is shown or recorded, so people would read `***` in its place.";
    SecretInClear = "W0110", "something that looks like a secret, written in the file", "A file that others read, and that a version control system keeps for ever, is no place for a password. Give it as a parameter of type `secret`, or through `env:`.";
    Shadowed = "W0111", "a name that hides another one", "A loop's item has the name of a variable, or of the item of a loop around it, which cannot be used inside.";
    LookAlike = "W0112", "a name that looks like another one", "The name mixes letters of two scripts, such as a Cyrillic `а` among Latin letters: it is read as one name and is another.";
    TooManyWarnings = "W0113", "more warnings than are listed", "Of each file the first thousand warnings are listed, and the rest is counted.";
    UnusedRule = "W0701", "a rule of a test's world that no call used", "The playbook makes no call that fits the rule, or a rule before it answers them all. Take it out, or mend what it matches. With `--strict` it is a failure.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_found_again() {
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} is used twice");
            assert_eq!(Code::find(code.as_str()), Some(*code));
            assert!(code.explanation().ends_with('.'), "{code}");
        }
    }
}
