//! `process`: which processes run.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration as Std, Instant};

use regex::Regex;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches, hand_word};
use runbook_core::value::{Duration, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::process::{self, Look, argv, own_line};
use crate::support::processes::{Family, ProcessInfo, use_of};
use crate::support::words::shown;

pub(crate) struct Process;

/// Looks which processes run: by id, name, command line, folder or user.
///
/// Everything that is given must fit. The engine itself and its ancestors (the shell it was typed into) are never found, unless by
/// `pid`: a command line always fits its own search. The step is ok if at least one is found that has not ended; a zombie, which has
/// ended but was not collected by its parent, is listed but not counted.
///
/// Without any of these all processes fit; `top` then gives those that use most.
///
/// `cpu_percent` is over the whole life of a process, so one that has been idle for a week and is busy now shows little. What it uses now
/// takes a while to see: `measure: 1s` looks twice and gives `cpu_now_percent`, by which `top` then goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The process id.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pid: Option<u32>,
    /// The whole name of the program, such as `postgres`.
    #[serde(default)]
    name: Option<String>,
    /// A regular expression that the command line holds, such as `uvicorn .*--port 7000`.
    #[serde(default)]
    #[schemars(extend("format" = "regex"))]
    cmdline: Option<String>,
    /// The folder that it works in, or one above. A process whose folder we may not see does not fit.
    #[serde(default)]
    cwd: Option<PathBuf>,
    /// The name of the user it runs as.
    #[serde(default)]
    user: Option<String>,
    /// List only so many, those that use most. Default: all.
    #[serde(default)]
    #[schemars(range(min = 1))]
    top: Option<usize>,
    /// What `top` goes by: processor time, that used so far or while it was measured, or resident memory. Default: `cpu`.
    #[serde(default)]
    by: By,
    /// Whether to look at the processes below those that are found: `children` and `tree_rss` tell of them. Default: false.
    #[serde(default)]
    children: bool,
    /// Measure for so long, from `10ms` to `1m`, how much processor time is used. Default: it is not measured.
    #[serde(default)]
    measure: Option<Duration>,
}

/// What processes are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum By {
    #[default]
    Cpu,
    Rss,
}

/// The processes that were found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether at least one that has not ended was found.
    alive: bool,
    /// Whether at least one zombie was found.
    zombie: bool,
    /// How many were found, without zombies.
    count: usize,
    /// How many zombies were found.
    zombies: usize,
    /// The id of the first one; null if none was found.
    pid: Option<u32>,
    /// Resident memory of all of them together.
    rss: Size,
    /// The number of processes below those that were found and not themselves found; null unless `children` was asked for.
    children: Option<usize>,
    /// Resident memory of those that were found and all below them, each counted once; null unless `children` was asked for.
    tree_rss: Option<Size>,
    /// What all that were found used while it was measured, in percent of one processor; null unless `measure` was asked for.
    cpu_now_percent: Option<f64>,
    /// The processes: by id, or with `top` by what they use.
    processes: Vec<ProcessInfo>,
}

struct Filter<'a> {
    args: &'a Args,
    cmdline: Option<Regex>,
    cwd: Option<PathBuf>,
    not: Vec<u32>,
}

/// Whether a program is called so. `name` is cut to 15 bytes by the kernel, so the command line and the file are asked too.
fn is_called(look: &Look, wanted: &str) -> bool {
    let last = |path: &str| path.rsplit('/').next() == Some(wanted);
    look.name == wanted
        || argv(look.pid).is_some_and(|a| a.first().is_some_and(|p| last(p)))
        || process::exe(look.pid).is_some_and(|e| e.to_str().is_some_and(|e| last(e.trim_end_matches(" (deleted)"))))
}

impl Filter<'_> {
    fn fits(&self, look: &Look) -> bool {
        !self.not.contains(&look.pid)
            && self.args.name.as_ref().is_none_or(|wanted| is_called(look, wanted))
            && self.cmdline.as_ref().is_none_or(|regex| match argv(look.pid) {
                // What people read off a list has no quotes; a pattern may be written either way.
                Some(argv) if !argv.is_empty() => regex.is_match(&argv.join(" ")) || regex.is_match(&shown(&argv)),
                _ => regex.is_match(&look.name),
            })
            && self.cwd.as_ref().is_none_or(|folder| process::cwd(look.pid).is_some_and(|c| c.starts_with(folder)))
            && self.args.user.as_ref().is_none_or(|user| process::user(look.pid).as_ref() == Some(user))
    }
}

impl Probe for Process {
    const NAME: &'static str = "process";
    const MAIN: Option<&'static str> = Some("name");
    const VERDICT: &'static str = "count > 0";
    const SAYS: &'static str = "{{ count }} found";
    const COLUMNS: &'static [&'static str] = &["count", "rss"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A program runs", yaml: "process: postgres\n", runs: false },
        Example {
            title: "Nothing is left of a stack, not even zombies",
            yaml: "process: { cmdline: uvicorn, cwd: \"{tmp}\" }\nexpect:\n  - count == 0\n  - zombies == 0\n",
            runs: true,
        },
        Example {
            title: "A service with its workers takes less than 2 GB",
            yaml: "process: { name: gunicorn, children: true }\nexpect: tree_rss < 2GB\n",
            runs: false,
        },
        Example { title: "The three that are busiest now", yaml: "process: { top: 3, measure: 50ms }\n", runs: true },
        Example { title: "The five that use most memory", yaml: "process: { top: 5, by: rss }\n", runs: true },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let pattern = args.text("cmdline");
        let user = args.text("user").map(|user| format!("-u {} ", hand_word(&user))).unwrap_or_default();
        let hand = match (args.text("pid"), &pattern, args.text("name")) {
            (Some(pid), ..) => ByHand::run(format!("ps -o pid,user,lstart,rss,args -p {}", hand_word(&pid))),
            (None, Some(pattern), _) => ByHand::run(format!("pgrep -a {user}-f {}", hand_word(pattern))),
            (None, None, Some(name)) => ByHand::run(format!("pgrep -a {user}-x {}", hand_word(&name))),
            (None, None, None) => {
                let by = if args.or("by", "cpu") == "rss" { "-rss" } else { "-time" };
                let which = if user.is_empty() { "-e " } else { &user };
                let line = format!("ps {which}-o pid,user,lstart,time,rss,args --sort={by}");
                ByHand::run(match args.text("top").and_then(|n| n.parse::<u64>().ok()) {
                    Some(n) => format!("{line} | head -n {}", n.saturating_add(1)),
                    None => line,
                })
            }
        };
        let hand = match (args.text("cwd"), args.text("name").filter(|_| pattern.is_some())) {
            (Some(folder), _) => hand
                .and("# The folder that each of them works in:")
                .and("readlink '/proc/<pid>/cwd'")
                .note(format!("Only those count that work in {folder} or below it.")),
            (None, Some(name)) => hand.note(format!("Only those count whose program is called `{name}`.")),
            (None, None) => hand,
        };
        let hand = if args.flag("children", false) {
            hand.and("# The processes below each of them:").and("pstree -pa '<pid>'")
        } else {
            hand
        };
        let hand = hand.and_if(args.seconds("measure").map(|s| format!("top -b -n 2 -d {} -o %CPU", hand_word(&s))));
        hand.expect("at least one process is shown")
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([args.pid.map_or_else(|| Resource::new("process", "*"), |pid| Resource::new("process", pid))])
    }

    fn check(args: &Args) -> Result<(), Fault> {
        match args.measure.map(Duration::to_std) {
            Some(m) if m < Std::from_millis(10) || m > Std::from_secs(60) => {
                Err(Fault::invalid("measure", "it can be measured from `10ms` to `1m`"))
            }
            _ => Ok(()),
        }
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let cmdline =
            args.cmdline.as_deref().map(Regex::new).transpose().map_err(|e| Fault::invalid("cmdline", e.to_string()))?;
        let cwd = args.cwd.as_ref().map(|c| cx.resolve(c));
        let filter = Filter {
            // The system tells folders by their true place, free of links; one that is not there holds nobody.
            cwd: cwd.map(|c| c.canonicalize().unwrap_or(c)),
            not: if args.pid.is_some() { Vec::new() } else { own_line() },
            args,
            cmdline,
        };
        let candidates = match args.pid {
            Some(pid) => {
                let look = process::look(pid).map_err(|e| Fault::cannot_tell(format!("pid {pid} cannot be looked at: {e}")))?;
                look.into_iter().collect()
            }
            None => process::all(),
        };
        Self::check(args)?;
        let mut found: Vec<Look> = candidates.into_iter().filter(|l| filter.fits(l)).collect();
        found.sort_by_key(|l| l.pid);
        let zombies = found.iter().filter(|l| l.ended()).count();
        let count = found.len() - zombies;
        let rss = Size(found.iter().map(|l| l.rss).sum());
        let used = match args.measure {
            Some(time) => Some(measure(&found, time.to_std(), cx).await),
            None => None,
        };
        let now = |look: &Look| used.as_ref().and_then(|u| u.get(&look.pid).copied());
        let cpu_now_percent = used.as_ref().map(|u| (u.values().sum::<f64>() * 10.0).round() / 10.0);
        // Taken after the measuring: what is told of a tree is as it stands now.
        let family = args.children.then(|| Family::of(process::all()));
        let tree = family.as_ref().map(|family| {
            let mut below: BTreeMap<u32, u64> =
                found.iter().flat_map(|l| family.below(l.pid)).map(|(_, look)| (look.pid, look.rss)).collect();
            below.retain(|pid, _| !found.iter().any(|l| l.pid == *pid));
            (below.len(), Size(rss.0 + below.values().sum::<u64>()))
        });
        if let Some(top) = args.top {
            match (args.by, &used) {
                (By::Rss, _) => found.sort_by_key(|l| Reverse(l.rss)),
                (By::Cpu, None) => found.sort_by_key(|l| Reverse(l.cpu_ticks)),
                (By::Cpu, Some(_)) => found.sort_by(|a, b| now(b).unwrap_or(-1.0).total_cmp(&now(a).unwrap_or(-1.0))),
            }
            found.truncate(top);
        }
        let info = |look: &Look| {
            let mut info = ProcessInfo::of(look, cx);
            info.cpu_now_percent = now(look);
            match &family {
                Some(family) => info.with_children(family),
                None => info,
            }
        };
        Ok(Out {
            alive: count > 0,
            zombie: zombies > 0,
            count,
            zombies,
            pid: found.iter().find(|l| !l.ended()).or(found.first()).map(|l| l.pid),
            rss,
            children: tree.map(|(count, _)| count),
            tree_rss: tree.map(|(_, rss)| rss),
            cpu_now_percent,
            processes: found.iter().map(info).collect(),
        })
    }
}

/// What each process uses within a time, in percent of one processor; what ended meanwhile is left out.
async fn measure(found: &[Look], time: Std, cx: &Cx<'_>) -> BTreeMap<u32, f64> {
    let look = |l: &Look| process::look(l.pid).ok().flatten();
    let began = Instant::now();
    let before: Vec<Look> = found.iter().filter_map(look).collect();
    cx.sleep(time).await;
    let took = began.elapsed();
    before.iter().filter_map(|b| Some((b.pid, use_of(b, &look(b)?, took)?))).collect()
}

#[cfg(test)]
mod tests {
    use runbook_core::module::Daemon;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::support::testing::{TestHost, args, eventually, settled};

    async fn look(host: &TestHost, json: Json) -> Json {
        serde_json::to_value(Process::observe(&args(json), &host.cx()).await.unwrap()).unwrap()
    }

    fn spawn(host: &TestHost, argv: &[&str]) -> u32 {
        let argv = argv.iter().map(|w| (*w).to_owned()).collect();
        host.change().spawn(Daemon { argv, cwd: Some(host.root().to_owned()), ..Daemon::default() }).unwrap().pid
    }

    #[tokio::test]
    async fn processes_are_found_by_all_they_have() {
        let host = TestHost::new();
        let pid = spawn(&host, &["sleep", "2001"]);
        settled(pid).await;
        let cwd = host.root().display().to_string();
        for call in
            [json!({"pid": pid}), json!({"name": "sleep", "cwd": "."}), json!({"cmdline": "^sleep 2001$"}), json!({"cwd": cwd})]
        {
            let out = look(&host, call.clone()).await;
            assert_eq!(
                (&out["count"], &out["pid"], &out["alive"], &out["zombie"]),
                (&json!(1), &json!(pid), &json!(true), &json!(false)),
                "{call}"
            );
            let one = &out["processes"][0];
            assert_eq!(
                (&one["command"], &one["ppid"], &one["threads"]),
                (&json!("sleep 2001"), &json!(std::process::id()), &json!(1))
            );
            assert!(one["fds"].as_u64().is_some() && one["user"].is_string());
        }
        assert_eq!(look(&host, json!({"name": "sleep", "cmdline": "other", "cwd": cwd})).await["count"], 0);
        assert_eq!(look(&host, json!({"cwd": cwd, "user": "nobody-here"})).await["count"], 0);
    }

    #[tokio::test]
    async fn a_zombie_is_listed_but_not_counted() {
        let host = TestHost::new();
        let pid = spawn(&host, &["true"]);
        eventually("it is a zombie", || process::look(pid).unwrap().filter(Look::ended)).await;
        let out = look(&host, json!({"pid": pid})).await;
        assert_eq!(
            (&out["alive"], &out["zombie"], &out["count"], &out["zombies"]),
            (&json!(false), &json!(true), &json!(0), &json!(1))
        );
        assert_eq!(out["processes"][0]["state"], "zombie");
    }

    #[tokio::test]
    async fn the_engine_does_not_find_itself() {
        let host = TestHost::new();
        let me = process::look(std::process::id()).unwrap().unwrap();
        let cmdline = regex::escape(&argv(me.pid).unwrap().join(" "));
        // A program that another test is just starting bears this command line until it becomes another.
        let mut count = Json::Null;
        for _ in 0..100 {
            count = look(&host, json!({"cmdline": format!("^{cmdline}$")})).await["count"].take();
            if count == 0 {
                break;
            }
        }
        assert_eq!(count, 0);
        assert_eq!(look(&host, json!({"pid": me.pid})).await["count"], 1);
    }

    #[tokio::test]
    async fn the_tree_below_is_told() {
        let host = TestHost::new();
        let pid = spawn(&host, &["sh", "-c", "sh -c 'sleep 2002; true' & sleep 2003; true"]);
        let call = json!({"pid": pid, "children": true});
        let mut out = Json::Null;
        for _ in 0..500 {
            out = look(&host, call.clone()).await;
            if out["children"] == 3 {
                break;
            }
            tokio::time::sleep(Std::from_millis(10)).await;
        }
        let size = |json: &Json| runbook_core::value::parse_size(json["$size"].as_str().unwrap()).unwrap();
        assert_eq!((&out["count"], &out["children"]), (&json!(1), &json!(3)), "{out}");
        let one = &out["processes"][0];
        let below = one["children"].as_array().unwrap();
        let depths: Vec<u64> = below.iter().map(|c| c["depth"].as_u64().unwrap()).collect();
        assert_eq!((depths, &below[0]["ppid"]), (vec![1, 1, 2], &json!(pid)));
        let sum = size(&one["rss"]) + below.iter().map(|c| size(&c["rss"])).sum::<u64>();
        assert_eq!(size(&one["tree_rss"]), sum);
        // One that is below another that was found is counted once.
        let all = look(&host, json!({"cwd": ".", "children": true})).await;
        assert_eq!((&all["count"], &all["children"]), (&json!(4), &json!(0)), "{all}");
        let plain = look(&host, json!({"pid": pid})).await;
        assert!(plain["children"].is_null() && plain["processes"][0]["children"].is_null() && plain["tree_rss"].is_null());
    }

    #[tokio::test]
    async fn what_is_used_now_is_measured() {
        let host = TestHost::new();
        let busy = spawn(&host, &["sh", "-c", "while :; do :; done"]);
        let idle = spawn(&host, &["sleep", "2004"]);
        settled(idle).await;
        let out = look(&host, json!({"cwd": ".", "measure": "300ms", "top": 2})).await;
        let now = |i: usize| out["processes"][i]["cpu_now_percent"].as_f64().unwrap();
        assert_eq!((&out["processes"][0]["pid"], &out["processes"][1]["pid"]), (&json!(busy), &json!(idle)), "{out}");
        assert!(now(0) > 10.0 && now(1) < 5.0, "{out}");
        assert!((out["cpu_now_percent"].as_f64().unwrap() - now(0) - now(1)).abs() < 0.2);
        assert!(look(&host, json!({"pid": busy})).await["cpu_now_percent"].is_null());
        for bad in ["1ms", "2m"] {
            let fault = Process::observe(&args(json!({"measure": bad})), &host.cx()).await.unwrap_err();
            assert!(matches!(fault, Fault::Invalid { .. }), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn the_top_is_in_order() {
        let host = TestHost::new();
        let out = look(&host, json!({"top": 3, "by": "rss"})).await;
        let sizes: Vec<u64> = out["processes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| runbook_core::value::parse_size(p["rss"]["$size"].as_str().unwrap()).unwrap())
            .collect();
        assert!(!sizes.is_empty() && sizes.len() <= 3 && sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    }
}
