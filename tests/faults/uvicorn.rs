//! Every SONIA playbook against the runtime that the documents describe: FastAPI under uvicorn.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::case::{Case, Row};
use super::stack::{Stack, digest};
use crate::harness::alive;

/// A Python that has FastAPI, uvicorn and pytest; `tests/run` installs them.
pub(super) fn python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python3");
    let named = std::env::var_os("RUNBOOK_TEST_PYTHON").map(PathBuf::from);
    let imports = |python: &PathBuf| {
        let mut command = Command::new(python);
        command.args(["-c", "import fastapi, uvicorn, websockets, pytest"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|s| s.success())
    };
    let found = [named, Some(own)].into_iter().flatten().find(imports);
    assert!(
        found.is_some() || std::env::var("RUNBOOK_REQUIRE").as_deref() != Ok("all"),
        "no Python here has fastapi, uvicorn and pytest, and all suites are required: run tests/run, which installs them"
    );
    found
}

/// A Python of its own on top of another, into which packages can be installed, and a package that it lacks.
fn python_without_a_package(stack: &Stack, base: &Path) -> PathBuf {
    let make = |command: &mut Command| {
        let out = command.stdin(Stdio::null()).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let folder = stack.workspace.path("venv");
    make(Command::new(base).args(["-m", "venv", "--without-pip"]).arg(&folder));
    let python = folder.join("bin/python3");
    let site = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let [below, own] = [base, &python].map(|p| make(Command::new(p).args(["-c", site])));
    std::fs::write(Path::new(&own).join("below.pth"), below + "\n").unwrap();
    let wheel = r#"
import sys, zipfile
info = "sonia_tokens-1.0.dist-info/"
with zipfile.ZipFile(sys.argv[1] + "/sonia_tokens-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("sonia_tokens.py", "")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: sonia-tokens\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "RECORD", "sonia_tokens.py,,\n" + "".join(f"{info}{n},,\n" for n in ("METADATA", "WHEEL", "RECORD")))
"#;
    let wheels = stack.workspace.path("wheels");
    std::fs::create_dir(&wheels).unwrap();
    make(Command::new(&python).args(["-c", wheel]).arg(&wheels));
    // No index is asked: the package is nowhere but here.
    let lock = format!("--no-index\n--find-links {}\nfastapi\nuvicorn\nsonia-tokens==1.0\n", wheels.display());
    stack.write("services/memory-engine/requirements.lock", &lock);
    stack.write("services/memory-engine/imports.txt", "sonia_tokens\n");
    python
}

/// A row of the matrix whose stack does not start: that is the fault.
pub(super) fn with_a_module_missing(name: &str, row: fn(&mut Case), base: &Path) -> Result<Row, String> {
    let stack = Stack::of_uvicorn(2, base);
    let python = python_without_a_package(&stack, base);
    let stack = stack.with("python", &python.display().to_string());
    super::matrix::make_unstarted(name, row, stack)
}

pub(super) fn module_missing(case: &mut Case) {
    case.fault(
        "a Python module is missing at the very first start",
        "main.py of memory-engine imports a package that is in its requirements.lock and not installed",
    );
    case.refuses("stack-start", &[], "ended before it was ready");
    let walk = case.find("service-health", &["service=memory-engine"], "module-missing");
    case.waits(&walk, "--yes");
    case.repair(&walk, &["--yes"]);
    case.stack.play("stack-start", &[], 0);
    case.well("service-health", &["service=memory-engine"], "healthy");
}

pub(super) fn request_hangs(case: &mut Case) {
    case.fault(
        "a request hangs when its service is restarted",
        "`POST /_fault` to pipecat: `hang` of `/session`, one request, `service-restart`",
    );
    let pid = case.stack.pid("pipecat");
    case.stack.fault("pipecat", json!({ "hang": true, "paths": ["/session"] }));
    // uvicorn waits for the answer to every request before it ends, however long that takes.
    let mut request = std::net::TcpStream::connect(("127.0.0.1", case.stack.port("pipecat"))).unwrap();
    request.write_all(b"POST /session/start HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n\r\n").unwrap();
    case.refuses("service-restart", &["--param", "service=pipecat", "--param", "stop_grace=2s"], "use `force: true` to kill it");
    assert!(alive(pid), "nothing is killed unasked");
    // It has closed its port by then, and still runs.
    let walk = case.find("service-health", &["service=pipecat"], "not-listening");
    case.fails(&walk, &["--param", "stop_grace=2s"], 4, "use `force: true` to kill it");
    case.stack.play("service-restart", &["--param", "service=pipecat", "--param", "stop_grace=2s", "--param", "force=true"], 0);
    assert!(!alive(pid));
    case.note("with `--param force=true` it is killed and started, `verify` holds");
    case.well("service-health", &["service=pipecat"], "healthy");
}

pub(super) fn not_installed(case: &mut Case) {
    case.fault("an optional service is not installed", "vision-capture has no folder");
    std::fs::remove_dir_all(case.stack.path("services/vision-capture")).unwrap();
    case.stack.play("stack-start", &[], 0);
    let walk = case.walk("service-health", &["service=vision-capture"]);
    case.well("service-health", &["service=vision-capture"], "not-installed");
    case.row.result.clear();
    case.row.found = format!("`service-health`: **not-installed**. {}", walk.say());
    "none is needed".clone_into(&mut case.row.remedy);
    case.note("`stack-start` leaves it out, and all others are well");
    case.well("service-health", &["service=api-gateway"], "healthy");
}

/// How a playbook is played against the stack: its name, what is typed behind it, the exit code, and what its last line or its
/// outputs must hold.
type Play = (&'static str, &'static [&'static str], i32, &'static str);

/// All of them, in an order in which each finds what it needs.
const PLAYS: &[Play] = &[
    ("stack-start", &[], 0, r#""services":8"#),
    ("stack-status", &[], 0, r#""verdict":"ok""#),
    ("doctor", &[], 0, "Foundational"),
    ("configuration", &[], 0, r#""verdict":"ok""#),
    ("dependency-check", &[], 0, "All dependencies of the gateway are ok"),
    ("test-chat", &["--param", "contains=Paris"], 0, "The capital of France is Paris."),
    ("test-tool", &["--yes"], 0, r#""exit_code":0"#),
    ("test-voice", &[], 0, "I have heard you say"),
    ("test-smoke", &[], 0, "I have heard you say"),
    ("test-integration", &["--param", "python={python}"], 0, "1 passed"),
    ("watch", &["--param", "for=1s", "--param", "every=200ms"], 0, r#""ok":true"#),
    ("service-logs", &[], 0, "eva-os.err.log"),
    ("gateway-logs", &[], 0, r#""turns":2"#),
    ("log-redaction", &[], 0, "nothing in clear text"),
    ("slow-performance", &[], 0, "Turns slower than five seconds"),
    ("service-health", &["--param", "service=api-gateway"], 0, r#""findings":["healthy"]"#),
    ("latency-high", &["--param", "slower_than=60000"], 0, r#""findings":["turns-are-quick"]"#),
    ("memory-search-empty", &[], 0, r#""findings":["search-works"]"#),
    // A machine may have a device that records, or none.
    ("voice-not-working", &[], 0, r#""findings":["#),
    ("service-restart", &["--param", "service=eva-os"], 0, r#""pid":"#),
    ("rolling-restart", &["--param", "watch=100ms"], 0, r#""restarted":8"#),
    ("service-crashed", &["--param", "service=eva-os"], 0, "it has not crashed"),
    ("health-check-fails", &["--param", "service=eva-os"], 0, "nothing to do"),
    ("module-not-found", &["--param", "service=eva-os"], 0, "succeeded"),
    ("configuration-fix", &[], 0, "succeeded"),
    ("port-in-use", &["--param", "service=eva-os"], 0, "is held by eva-os itself"),
    ("ollama-restart", &[], 0, "succeeded"),
    ("dead-letters", &[], 0, "There are no dead letters"),
    ("breaker-open", &["--param", "capability=file.write"], 0, "is closed: nothing to do"),
    ("database-locked", &[], 0, "before-checkpoint.db"),
    ("database-vacuum", &[], 0, "reclaimed"),
    ("emergency-db-backup", &[], 0, r#""whole":true"#),
    ("data-backup", &[], 0, r#""databases":1"#),
    ("data-restore", &["--confirm", "stop=restore"], 0, r#""databases":["data/memory.db"]"#),
    ("emergency-db-restore", &["--confirm", "stop=restore", "--confirm", "restore=restore"], 0, r#""restored":"#),
    ("tune", &["--yes", "--param", "what=cache"], 0, "succeeded"),
    ("incident-bundle", &[], 0, r#""gaps":0"#),
    ("log-rotate", &["--yes", "--param", "max_size=1B"], 0, "there is nothing to archive"),
    // It looks from outside, and this application lets anybody in.
    (
        "security-hardening",
        &["--param", "what=authentication", "--param", "verify_only=true"],
        4,
        "a chat without a token was answered with 200",
    ),
    ("deploy", &["--param", "target=docker", "--param", "apply=false", "--param", "install={root}"], 0, "Dockerfile.api-gateway"),
    ("emergency-stop", &["--confirm", "stop=stop"], 0, "succeeded"),
    ("emergency-release-ports", &[], 0, "All ports are free"),
    ("service-run", &["--param", "service=eva-os"], 0, r#""pid":"#),
    ("emergency-kill-python", &["--confirm", "kill=kill python", "--param", "allow_kill_python=true"], 0, r#""killed":"#),
    ("stack-stop", &[], 0, "succeeded"),
];

/// Playbooks that cannot be played on a bare machine, each with the reason. Docker, systemd, a graphics card and a microphone are
/// looked for by those that need them, and are no reason here.
const NOT_PLAYED: &[(&str, &str)] = &[];

#[test]
fn every_playbook_of_the_system_runs_against_uvicorn() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/sonia");
    let mut shipped: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".yaml")?.to_owned()))
        .filter(|name| name != "system")
        .collect();
    let mut listed: Vec<String> = PLAYS.iter().map(|p| p.0).chain(NOT_PLAYED.iter().map(|p| p.0)).map(str::to_owned).collect();
    shipped.sort();
    listed.sort();
    assert_eq!(listed, shipped, "each playbook is played here once, or is listed with the reason why it cannot be");

    let Some(python) = python() else { return };
    let mut stack = Stack::of_uvicorn(3, &python);
    stack.start_ollama();
    let test = format!(
        "import urllib.request\n\n\ndef test_gateway():\n    assert urllib.request.urlopen('{}/healthz').status == 200\n",
        stack.url("api-gateway")
    );
    stack.write("tests/integration/test_phase2_e2e.py", &test);
    // The shared code of the services, which an image has to bring along.
    stack.write("shared/__init__.py", "");
    let root = stack.path("").display().to_string();
    for (name, more, code, holds) in PLAYS {
        if *name == "database-vacuum" {
            // Empty pages, for it to give back.
            for _ in 0..40 {
                let row = json!({ "user_id": "user_demo", "text": "x".repeat(8000) });
                assert_eq!(stack.ask("memory-engine", "POST", "/v1/memory/store", Some(row)).0, 200);
            }
            stack.fault("memory-engine", json!({ "memory_rows": "sample" }));
        }
        let more: Vec<String> = more
            .iter()
            .map(|m| m.replace("{root}", root.trim_end_matches('/')).replace("{python}", &python.display().to_string()))
            .collect();
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let out = stack.run(&[&["play", name], &more[..]].concat());
        let end = out.events_of("run_finished").pop().map(|e| e.to_string()).unwrap_or_default();
        assert!(
            out.code == *code && end.contains(holds),
            "{name} ended with {} and not as expected ({code}, {holds}):\n{}",
            out.code,
            digest(&out)
        );
    }
}
