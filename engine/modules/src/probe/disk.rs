//! `disk`: how full a file system is.

use std::path::{Path, PathBuf};

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches};
use runbook_core::value::Size;
use rustix::fs::{StatVfsMountFlags, statvfs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::OneOrMany;
use crate::support::blocking::blocking;
use crate::support::by_hand;
use crate::support::paths::{fault, resolve, resource, unescape};

pub(crate) struct Disk;

/// Looks how full the file system of a path is, or those of several paths.
///
/// Without `expect` the step is ok unless a file system is full: no space or no inode is left for ordinary users. When to worry
/// earlier is for `expect` or `grade` to say: `expect: free > 5GB`.
///
/// Of several paths `disks` has all, the worst first, and the other results are those of the worst: a full one before others, then by
/// the higher of `used_percent` and `inodes_used_percent`. So `expect: used_percent < 85` is about the fullest of them; what is to hold of
/// each says `expect: disks | map(attribute='free') | min > 5GB`.
///
/// `free` is what ordinary users can still write; the part reserved for root does not count. `used_percent` is the share of
/// what can be used, as `df` shows it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// Any path on the file system, or several; relative ones start at the project root. Default: the project root.
    #[serde(default = "here")]
    path: OneOrMany,
}

fn here() -> OneOrMany {
    OneOrMany(vec![".".to_owned()])
}

/// How full the file system is, of several the worst.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    #[serde(flatten)]
    worst: FileSystem,
    /// All that were asked about, the worst first.
    disks: Vec<FileSystem>,
}

/// How full a file system is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct FileSystem {
    /// The path that was asked about, made absolute.
    path: String,
    /// Where the file system is mounted; null if that cannot be seen.
    mount: Option<String>,
    /// Its kind, such as `ext4`; null if that cannot be seen.
    filesystem: Option<String>,
    /// The device, or what the mount table has in its place.
    device: Option<String>,
    /// Its size.
    total: Size,
    /// What is in use.
    used: Size,
    /// What ordinary users can still write.
    free: Size,
    /// The share in use of what ordinary users can use, in percent, to one decimal.
    used_percent: f64,
    /// The number of inodes; null if there is no limit.
    inodes: Option<u64>,
    /// The inodes that ordinary users can still use; null if there is no limit.
    inodes_free: Option<u64>,
    /// The share of inodes in use in percent, to one decimal; null if there is no limit.
    inodes_used_percent: Option<f64>,
    /// Whether no space or no inode is left for ordinary users.
    full: bool,
    /// Whether it is mounted read-only.
    read_only: bool,
    /// The options it is mounted with, such as `noexec`; empty if they cannot be seen.
    options: Vec<String>,
}

impl Probe for Disk {
    const NAME: &'static str = "disk";
    const MAIN: Option<&'static str> = Some("path");
    const VERDICT: &'static str = "not full";
    const SAYS: &'static str = "{{ used_percent }} % used, {{ free }} free{{ ' at ' ~ path ~ ', the worst of ' ~ (disks | length) if disks | default([]) | length > 1 else '' }}";
    const COLUMNS: &'static [&'static str] = &["used_percent", "free"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Not full", yaml: "disk: '{tmp}'\n", runs: true },
        Example {
            title: "Room enough, for bytes and for files",
            yaml: "disk: /var/lib\nexpect:\n  - used_percent < 85\n  - inodes_used_percent is none or inodes_used_percent < 85\n",
            runs: false,
        },
        Example {
            title: "The fullest of several",
            yaml: "disk: [/, /var/lib, /srv/backup]\nexpect: used_percent < 90\n",
            runs: false,
        },
        Example {
            title: "Graded",
            yaml: "disk: /\ngrade: { value: used_percent, target: 70, warning: 80, critical: 90, unit: '%' }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let paths: Vec<String> = args.list("path").iter().map(|p| by_hand::path_word(p)).collect();
        let each = if paths.len() > 1 { "none" } else { "neither" };
        let paths = if paths.is_empty() { ".".to_owned() } else { paths.join(" ") };
        ByHand::run(format!("df -h {paths}")).and(format!("df -i {paths}")).expect(format!("{each} is at 100 %"))
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads(args.path.0.iter().map(|p| resource(p)))
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let paths: Vec<PathBuf> = args.path.0.iter().map(|p| resolve(cx, "path", p)).collect::<Result<_, _>>()?;
        let mut disks = blocking(cx.timeout, move |stop| {
            let one = |path: &PathBuf| stop.check().and_then(|()| look(path));
            paths.iter().map(one).collect::<Result<Vec<FileSystem>, Fault>>()
        })
        .await?;
        worst_first(&mut disks);
        let worst = disks.first().cloned().ok_or_else(|| Fault::invalid("path", "at least one path is needed"))?;
        Ok(Out { worst, disks })
    }
}

/// Orders file systems by how near they are to their end; those that are equal stay in the order in which they were named.
fn worst_first(disks: &mut [FileSystem]) {
    let share = |d: &FileSystem| d.used_percent.max(d.inodes_used_percent.unwrap_or_default());
    disks.sort_by(|a, b| b.full.cmp(&a.full).then(share(b).total_cmp(&share(a))));
}

fn look(path: &Path) -> Result<FileSystem, Fault> {
    let stat = statvfs(path).map_err(|e| fault(path, &e.into()))?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let place = std::fs::canonicalize(path).map_err(|e| fault(path, &e))?;
    let mount = mount_of(&mounts, &place);
    let unit = stat.f_frsize;
    let used = stat.f_blocks.saturating_sub(stat.f_bfree);
    // Some file systems have no limit, and then the count is 0.
    let limited = stat.f_files > 0;
    let inodes_used = stat.f_files.saturating_sub(stat.f_ffree);
    Ok(FileSystem {
        path: path.display().to_string(),
        mount: mount.as_ref().map(|m| m.at.clone()),
        filesystem: mount.as_ref().map(|m| m.kind.clone()),
        options: mount.as_ref().map(|m| m.options.clone()).unwrap_or_default(),
        device: mount.map(|m| m.device),
        total: Size(stat.f_blocks.saturating_mul(unit)),
        used: Size(used.saturating_mul(unit)),
        free: Size(stat.f_bavail.saturating_mul(unit)),
        used_percent: percent(used, used.saturating_add(stat.f_bavail)),
        inodes: limited.then_some(stat.f_files),
        inodes_free: limited.then_some(stat.f_favail),
        inodes_used_percent: limited.then(|| percent(inodes_used, inodes_used.saturating_add(stat.f_favail))),
        full: (stat.f_blocks > 0 && stat.f_bavail == 0) || (limited && stat.f_favail == 0),
        read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

/// The share in percent, rounded to one decimal.
pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1000.0).round() / 10.0 }
}

struct Mount {
    at: String,
    kind: String,
    device: String,
    options: Vec<String>,
}

/// The mount that a path lies on: the longest that it starts with, and of several the one mounted last.
fn mount_of(table: &str, place: &Path) -> Option<Mount> {
    table
        .lines()
        .filter_map(|line| {
            // 36 35 98:0 /root /at options [optional ...] - kind device options
            let (left, right) = line.split_once(" - ")?;
            let at = unescape(left.split(' ').nth(4)?);
            let options = left.split(' ').nth(5)?.split(',').map(str::to_owned).collect();
            let mut right = right.split(' ');
            let (kind, device) = (right.next()?.to_owned(), unescape(right.next()?));
            place.starts_with(&at).then_some(Mount { at, kind, device, options })
        })
        .max_by_key(|m| m.at.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    #[tokio::test]
    async fn numbers_hang_together() {
        let host = TestHost::new();
        let out = Disk::observe(&args(json!({ "path": "." })), &host.cx()).await.unwrap();
        assert_eq!(out.disks, std::slice::from_ref(&out.worst));
        let out = out.worst;
        assert!(out.total.0 > 0 && out.used.0 <= out.total.0 && out.free.0 <= out.total.0, "{out:?}");
        assert!((0.0..=100.0).contains(&out.used_percent));
        assert!(out.mount.is_some() && out.filesystem.is_some());
        assert_eq!(out.read_only, out.options.iter().any(|o| o == "ro"));
    }

    #[tokio::test]
    async fn a_path_that_is_not_there_has_no_disk() {
        let host = TestHost::new();
        let fault = Disk::observe(&args(json!({ "path": "gone" })), &host.cx()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("no such file")), "{fault:?}");
        assert!(matches!(Disk::observe(&args(json!({ "path": " " })), &host.cx()).await, Err(Fault::Invalid { .. })));
    }

    #[tokio::test]
    async fn file_systems_without_inodes_say_so() {
        let host = TestHost::new();
        let out = Disk::observe(&args(json!({ "path": "/proc" })), &host.cx()).await.unwrap().worst;
        assert_eq!((out.filesystem.as_deref(), out.inodes, out.inodes_used_percent, out.full), (Some("proc"), None, None, false));
    }

    #[tokio::test]
    async fn of_several_the_worst_is_the_result() {
        let host = TestHost::new();
        let here = host.root().display().to_string();
        let out = Disk::observe(&args(json!({ "path": ["/proc", here] })), &host.cx()).await.unwrap();
        let paths: Vec<&str> = out.disks.iter().map(|d| d.path.as_str()).collect();
        assert_eq!((paths, out.worst.path.as_str()), (vec![here.as_str(), "/proc"], here.as_str()), "nothing is used in /proc");
        let json = serde_json::to_value(&out).unwrap();
        assert_eq!((&json["path"], &json["disks"][0]["path"]), (&json!(here), &json!(here)));
        let fault = Disk::observe(&args(json!({ "path": [".", "gone"] })), &host.cx()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("gone")), "{fault:?}");
        assert!(matches!(Disk::observe(&args(json!({ "path": [] })), &host.cx()).await, Err(Fault::Invalid { .. })));
    }

    #[tokio::test]
    async fn the_worst_is_a_full_one_and_then_what_is_nearest_to_it() {
        let host = TestHost::new();
        let any = Disk::observe(&args(json!({ "path": "." })), &host.cx()).await.unwrap().worst;
        let one = |path: &str, used_percent: f64, inodes_used_percent: Option<f64>, full: bool| FileSystem {
            path: path.to_owned(),
            used_percent,
            inodes_used_percent,
            full,
            ..any.clone()
        };
        let mut disks = [
            one("a", 50.0, None, false),
            one("b", 10.0, Some(90.0), false),
            one("c", 5.0, None, true),
            one("d", 50.0, Some(1.0), false),
        ];
        worst_first(&mut disks);
        assert_eq!(disks.map(|d| d.path), ["c", "b", "a", "d"]);
    }

    #[test]
    fn the_right_mount_is_found() {
        let table = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /data rw shared:1 - xfs /dev/sdb rw\n3 1 8:3 / /data/my\\040disk rw - tmpfs none rw\n";
        let of = |p: &str| mount_of(table, Path::new(p)).map(|m| (m.at, m.kind));
        assert_eq!(of("/data/x"), Some(("/data".into(), "xfs".into())));
        assert_eq!(of("/data/my disk/x"), Some(("/data/my disk".into(), "tmpfs".into())));
        assert_eq!(of("/database"), Some(("/".into(), "ext4".into())));
        assert_eq!(mount_of("", Path::new("/")).map(|m| m.at), None);
    }

    #[test]
    fn percents_are_rounded() {
        assert_eq!(percent(1, 3), 33.3);
        assert_eq!(percent(0, 0), 0.0);
    }
}
