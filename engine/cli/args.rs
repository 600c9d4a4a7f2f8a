//! What was typed. Nothing here looks at the world.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Run operators' procedures written as YAML playbooks.
#[derive(Debug, Parser)]
#[command(
    name = "runbook",
    version,
    about,
    disable_help_subcommand = true,
    arg_required_else_help = false,
    after_help = "Try: runbook new first-try\n     runbook check\n     runbook play first-try\n     runbook runs show\nExit codes: runbook help exit-codes"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Flags that every command takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Common {
    /// The folder of playbooks; default: the nearest `playbooks/` here or above.
    #[arg(long, global = true, value_name = "DIR", env = "RUNBOOK_PLAYBOOKS", hide_env_values = true, help_heading = "Where")]
    pub(crate) playbooks: Option<PathBuf>,
    /// The folder for runs, locks and logs; default: the XDG state folder.
    #[arg(long, global = true, value_name = "DIR", env = "RUNBOOK_STATE", hide_env_values = true, help_heading = "Where")]
    pub(crate) state: Option<PathBuf>,
    /// Write JSON to standard output (one event a line for runs) and never ask.
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// Say only what failed, and the last line.
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Say more: attempts and calls; twice: results and progress too.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,
    /// Use colour.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub(crate) color: ColorArg,
    /// No redrawing, one line per event (also: ACCESSIBLE=1).
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) plain: bool,
    /// Answer yes to confirmations of changes (not of what destroys).
    #[arg(short, long, global = true, help_heading = "Answers")]
    pub(crate) yes: bool,
    /// Confirm a step that destroys by its word.
    #[arg(long, global = true, value_name = "ID=WORD", value_parser = pair, help_heading = "Answers")]
    pub(crate) confirm: Vec<(String, String)>,
    /// Answer a question beforehand.
    #[arg(long, global = true, value_name = "ID=VALUE", value_parser = pair, help_heading = "Answers")]
    pub(crate) answer: Vec<(String, String)>,
    /// Answer by a YAML or JSON file; flags go before it, and it goes before --yes. `runbook answers NAME` writes one to fill in.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Answers")]
    pub(crate) answers: Option<PathBuf>,
    /// Never ask; a missing answer ends the run with exit 7.
    #[arg(long, global = true, help_heading = "Answers")]
    pub(crate) no_input: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum ColorArg {
    /// When the stream is a terminal that wants it.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a playbook.
    Play(Play),
    /// Walk a triage tree: find out what is wrong and what to do about it.
    Triage(Triage),
    /// List the playbooks.
    List,
    /// Show what a playbook does, its parameters and steps.
    Show {
        /// The playbook.
        name: String,
        /// The system's profile.
        #[arg(long)]
        profile: Option<String>,
    },
    /// Draw a playbook: as text, Mermaid, DOT, SVG or JSON.
    #[command(visible_alias = "tree")]
    Graph(Graph),
    /// Write playbooks as Markdown runbooks that a person can follow by hand.
    Doc(Doc),
    /// Look for mistakes; nothing is run.
    Check(Check),
    /// Lay files out in the one way, without changing what they say.
    Fmt(Fmt),
    /// Run the tests of playbooks; nothing real is touched.
    Test(Test),
    /// Write a new playbook.
    New(New),
    /// List the modules, show one, or make one of your own.
    Modules(Modules),
    /// Print a JSON Schema for editors.
    Schema {
        /// Which one.
        #[arg(default_value = "playbook")]
        which: SchemaKind,
    },
    /// Write the questions of a playbook as an answers file to fill in, or what people answered in a run.
    ///
    /// With --json, the questions of a playbook as one document: for each its id, where the answer stands, what is asked and what it
    /// takes.
    Answers {
        /// The playbook; or a run: its id, a unique part of it, or `latest`.
        name: String,
        /// The system's profile.
        #[arg(long)]
        profile: Option<String>,
    },
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// List the runs, or show one.
    Runs(Runs),
    /// Explain a diagnostic's code.
    ///
    /// With --json, as one document: the code with its severity, title, explanation and example; or all of them.
    Explain {
        /// The code, such as E0201; all of them without one.
        code: Option<String>,
    },
    /// Show help on a command or topic.
    Help {
        /// The command, or a topic: exit-codes, environment, expressions.
        topic: Option<String>,
    },
    /// Write the generated files (documentation, schemas), or check that they are fresh.
    #[command(hide = true)]
    Generate {
        /// Only check.
        #[arg(long)]
        check: bool,
        /// The project's folder.
        #[arg(default_value = ".")]
        root: PathBuf,
    },
}

/// Run a playbook.
#[derive(Debug, Args)]
pub(crate) struct Play {
    /// The playbook: its name, system/name, or a path.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) options: RunOptions,
}

/// Walk a triage tree.
#[derive(Debug, Args)]
pub(crate) struct Triage {
    /// The tree: its name, system/name, or a path.
    #[arg(required_unless_present = "resume")]
    pub(crate) name: Option<String>,
    /// Go on with a session that was left: what people answered is kept, what checks saw is looked at again. The run's id, a unique part
    /// of it, or nothing for the latest.
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "latest", conflicts_with = "name")]
    pub(crate) resume: Option<String>,
    #[command(flatten)]
    pub(crate) options: RunOptions,
}

/// What becomes of a remedy, said beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RemedyArg {
    /// Say what it would do.
    DryRun,
    /// Run it, verify it, and ask the tree again.
    Run,
    /// Leave it; nobody is asked.
    Leave,
}

/// How a playbook is run.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunOptions {
    /// A parameter, or a variable of the system for this run.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) param: Vec<(String, String)>,
    /// The system's profile.
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// How long to wait for the lock, such as 30s.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) lock_timeout: Option<std::time::Duration>,
    /// Say what it would do; nothing is changed. What only looks really looks. With --detailed-exitcode 10 if something would change, 11 if
    /// something cannot be told.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The limit for the whole run, such as 10m.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<std::time::Duration>,
    /// Of a triage tree: exit 12 if it found a fault, 13 if it found nothing.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Of a triage tree: what becomes of the remedy of what it finds; a person is asked else, and nobody else runs one.
    #[arg(long, value_name = "WHAT")]
    pub(crate) remedy: Option<RemedyArg>,
    /// Of a triage tree: ask at each question, also where a check can answer.
    #[arg(long)]
    pub(crate) step: bool,
}

/// Write a new playbook.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// Its name: NAME, or SYSTEM/NAME for `playbooks/SYSTEM/NAME.yaml`.
    pub(crate) name: String,
    /// A triage tree.
    #[arg(long, conflicts_with_all = ["checklist", "from_shell"])]
    pub(crate) triage: bool,
    /// A checklist.
    #[arg(long, conflicts_with = "from_shell")]
    pub(crate) checklist: bool,
    /// The commands of a shell script, or of the code blocks of a Markdown file, as steps to be reviewed; `-` is standard input.
    #[arg(long, value_name = "SCRIPT")]
    pub(crate) from_shell: Option<PathBuf>,
    /// The system whose folder it goes into.
    #[arg(long)]
    pub(crate) system: Option<String>,
    /// Print it; write nothing.
    #[arg(long)]
    pub(crate) print: bool,
}

/// Modules.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Modules {
    /// The module.
    pub(crate) name: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<ModulesCommand>,
}

/// What can be done with modules of one's own.
#[derive(Debug, Subcommand)]
pub(crate) enum ModulesCommand {
    /// Write a new module: an executable in `playbooks/modules/`, a probe for a noun, an action for a noun.verb.
    New {
        /// Its name, such as `queue` or `queue.drain`.
        name: String,
        /// The language it is written in.
        #[arg(long, value_name = "LANGUAGE", default_value = "python")]
        lang: ModuleLang,
        /// Print it; write nothing.
        #[arg(long)]
        print: bool,
    },
    /// Try a module of your own out: its description, its examples, what it does when it is asked for nonsense.
    Test {
        /// Its name; all of them without one.
        name: Option<String>,
        /// Run the examples of actions too, which changes things; else they are only planned.
        #[arg(long)]
        apply: bool,
    },
}

/// A language of a new module.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ModuleLang {
    /// Python 3, with nothing but its standard library.
    Python,
    /// bash, with `jq`.
    Bash,
    /// Node.js, with nothing but its standard library.
    Node,
}

/// Draw a playbook.
#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// The playbook: its name, system/name, or a path.
    pub(crate) name: String,
    /// How to draw it; default: by the ending of the file, else text.
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) format: Option<GraphFormat>,
    /// The file to write; default: standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Draw only so many levels.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) depth: Option<u16>,
    /// Draw only this step, group or question with what belongs to it: its id, path or number.
    #[arg(long, value_name = "ID")]
    pub(crate) root: Option<String>,
    /// A parameter, or a variable of the system, to fill in.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) param: Vec<(String, String)>,
    /// The system's profile.
    #[arg(long)]
    pub(crate) profile: Option<String>,
}

/// Write playbooks as Markdown runbooks that a person can follow by hand.
#[derive(Debug, Args)]
#[command(after_help = "Nothing is run. Playbooks that are played by others get a page too, so that no link leads nowhere.\n\
    Examples: runbook doc stack-start\n          runbook doc service-restart --param service=api-gateway\n          runbook doc --all --output docs/runbooks/")]
pub(crate) struct Doc {
    /// The playbooks: their names, system/name, or paths.
    #[arg(required_unless_present = "all", value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Every playbook of the project.
    #[arg(long, conflicts_with_all = ["names", "param"])]
    pub(crate) all: bool,
    /// The file to write, or the folder for one file a playbook (`docs/`); default: standard output.
    #[arg(short, long, value_name = "FILE|DIR")]
    pub(crate) output: Option<PathBuf>,
    /// A parameter, or a variable of the system, to fill in.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) param: Vec<(String, String)>,
    /// The system's profile.
    #[arg(long)]
    pub(crate) profile: Option<String>,
}

/// How a playbook is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// As an outline for a terminal.
    Text,
    /// As a Mermaid flowchart, for pages that draw them.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// As a picture, for light and dark pages.
    Svg,
    /// As data.
    Json,
}

/// Look for mistakes.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Files, folders or names; default: every playbook and system.
    pub(crate) paths: Vec<String>,
    /// How to report.
    #[arg(long, default_value = "human")]
    pub(crate) format: CheckFormat,
    /// The system's profile.
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// Check again whenever a file changes, until Ctrl-C.
    #[arg(long)]
    pub(crate) watch: bool,
}

/// Lay files out in the one way, without changing what they say.
#[derive(Debug, Args)]
#[command(
    after_help = "Comments, the order of keys and every value stay. A file with mistakes in its YAML is left as it is (exit 3).\n\
    Examples: runbook fmt\n          runbook fmt --check --diff\n          runbook fmt playbooks/sonia/stack-start.yaml stack-stop\n          runbook fmt --stdin < draft.yaml"
)]
pub(crate) struct Fmt {
    /// Files, folders or names of playbooks; default: everything below the playbooks folder.
    pub(crate) paths: Vec<String>,
    /// Change nothing; exit 4 if a file is not formatted, and list those that are not.
    #[arg(long)]
    pub(crate) check: bool,
    /// Change nothing; show what would change.
    #[arg(long)]
    pub(crate) diff: bool,
    /// Format standard input to standard output.
    #[arg(long, conflicts_with = "paths")]
    pub(crate) stdin: bool,
}

/// Run the tests of playbooks.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Playbooks, test files or folders; default: every test of the project.
    pub(crate) names: Vec<String>,
    /// Only tests whose name holds these words, in any order and either case; `/REGEX/` is a pattern.
    #[arg(long, value_name = "WORDS")]
    pub(crate) filter: Option<String>,
    /// How many tests at the same time; default: as many as there are processors.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// List the tests and run none.
    #[arg(long)]
    pub(crate) list: bool,
    /// Begin no further test after one has failed.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Count warnings as failures: rules that no call used, answers that nobody asked for.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Write down what runs do now, in the tests that have `recorded`, and show the difference.
    #[arg(long)]
    pub(crate) bless: bool,
    /// Show which steps, branches and answers no test took.
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Fail if less than this part of the steps, branches and answers was taken.
    #[arg(long, value_name = "PERCENT", value_parser = percentage)]
    pub(crate) min_coverage: Option<f64>,
    /// Write the results as JUnit XML to this file too.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// With the source and carets.
    Human,
    /// As JSON.
    Json,
    /// As GitHub annotations.
    Github,
    /// As SARIF 2.1.0.
    Sarif,
}

/// Which schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SchemaKind {
    /// Of playbooks.
    Playbook,
    /// Of system files.
    System,
    /// Of files of tests.
    Test,
    /// Of answers files.
    Answers,
    /// Of the lines that runs write with --json.
    Event,
    /// Of the report of a run (runbook runs show ID --json).
    Report,
}

/// List the runs, or show one.
#[derive(Debug, Args)]
pub(crate) struct Runs {
    #[command(subcommand)]
    pub(crate) command: Option<RunsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Show a run as it was seen live; with --json, as one document.
    Show {
        /// The run's id, a unique part of it, or `latest`.
        #[arg(default_value = "latest")]
        id: String,
        /// The events as JSON lines.
        #[arg(long)]
        events: bool,
        /// Only this step: its id, name or path.
        #[arg(long)]
        step: Option<String>,
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn percentage(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim().parse::<f64>() {
        Ok(n) if (0.0..=100.0).contains(&n) => Ok(n),
        _ => Err("expected a number from 0 to 100".to_owned()),
    }
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    runbook_core::value::parse_duration(text)
        .and_then(|d| std::time::Duration::try_from(d).ok())
        .ok_or_else(|| "expected a duration such as 30s, 5m or 1h30m".to_owned())
}
