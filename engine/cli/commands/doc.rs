//! `runbook doc NAME...`: playbooks as Markdown runbooks that a person follows by hand.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use indexmap::IndexMap;
use runbook_core::exit::Exit;
use runbook_core::inputs::Given;
use runbook_core::model::Plan;
use runbook_core::module::Registry;
use runbook_report::doc;

use super::reading::{Reading, put};
use super::{complain, loader, say};
use crate::args::Doc;
use crate::context::Context;

pub(crate) fn doc(context: &Context, args: &Doc) -> Exit {
    let (names, mut exit) = match names(context, args) {
        Ok(names) => (names, Exit::Ok),
        Err(exit) => return exit,
    };
    let mut chapters = Chapters::default();
    for name in &names {
        match Reading::of(context, name, args.profile.as_deref(), &args.param) {
            Ok(reading) => chapters.add(reading),
            // The others are still of use.
            Err(wrong) => exit = wrong,
        }
    }
    if chapters.all.is_empty() || (exit != Exit::Ok && !args.all) {
        return exit;
    }
    let written = match args.output.as_deref().filter(|o| *o != Path::new("-")) {
        Some(output) if is_folder(context, args, output) => folder(context, &chapters, output),
        output => one_text(context, &chapters, output),
    };
    if written == Exit::Ok { exit } else { written }
}

/// The playbooks that were asked for.
fn names(context: &Context, args: &Doc) -> Result<Vec<String>, Exit> {
    if !args.all {
        return Ok(args.names.clone());
    }
    let listed = runbook_lang::index(&loader(context)?).map_err(|error| {
        complain(context, &format!("the playbooks folder cannot be read: {error}"), Some("check its permissions"));
        Exit::Invalid
    })?;
    if listed.is_empty() {
        complain(context, "there are no playbooks yet", Some("write the first one with `runbook new NAME`"));
        return Err(Exit::Invalid);
    }
    Ok(listed.into_iter().map(|l| l.full_name).collect())
}

/// Whether pages go into a folder of files: it is one, it is written as one, or there is no ending for a file.
fn is_folder(context: &Context, args: &Doc, output: &Path) -> bool {
    let written_as_one = output.as_os_str().as_encoded_bytes().ends_with(b"/");
    let several = args.all || args.names.len() > 1;
    written_as_one || context.cwd.join(output).is_dir() || (several && output.extension().is_none())
}

/// The playbooks that get a page: those that were asked for, then those that they play.
#[derive(Default)]
struct Chapters {
    all: IndexMap<String, Chapter>,
}

struct Chapter {
    plan: Plan,
    registry: Registry,
    given: Given,
}

impl Chapters {
    fn add(&mut self, reading: Reading) {
        let Reading { plan, registry, given } = reading;
        let asked = plan.root.clone();
        // Asked for by its name, it stands where it was asked for, with the values given for it.
        self.all.shift_remove(&asked);
        let mut waiting = VecDeque::from([(asked, given)]);
        while let Some((name, given)) = waiting.pop_front() {
            if self.all.contains_key(&name) || !plan.units.contains_key(&name) {
                continue;
            }
            let plan = Plan { root: name.clone(), ..plan.clone() };
            // Overridden variables of a system are those of another only by chance.
            let same_system = |other: &str| plan.units[other].system.name == plan.units[&name].system.name;
            for played in doc::played(&plan) {
                let overrides = if same_system(&played) { given.overrides.clone() } else { Default::default() };
                waiting.push_back((played, Given { overrides, ..Given::default() }));
            }
            self.all.insert(name, Chapter { plan, registry: registry.clone(), given });
        }
    }
}

impl Chapter {
    fn title(&self) -> String {
        self.plan.root_unit().playbook.title.value.clone()
    }

    fn page(&self, links: &dyn doc::Links) -> String {
        doc::page(&doc::Source { plan: &self.plan, registry: &self.registry, given: &self.given }, links)
    }
}

/// Links of a text that holds all pages.
struct InOneText<'a> {
    chapters: &'a Chapters,
    files: Files<'a>,
}

impl doc::Links for InOneText<'_> {
    fn playbook(&self, full_name: &str) -> Option<String> {
        self.chapters.all.contains_key(full_name).then(|| format!("#{}", doc::anchor(full_name)))
    }
    fn file(&self, path: &str) -> Option<String> {
        self.files.link(path)
    }
}

/// Links of a page in a folder of pages.
struct InFolder<'a> {
    chapters: &'a Chapters,
    /// The page itself, from the folder.
    page: PathBuf,
    files: Files<'a>,
}

impl doc::Links for InFolder<'_> {
    fn playbook(&self, full_name: &str) -> Option<String> {
        self.chapters.all.get(full_name)?;
        let folder = self.page.parent().unwrap_or(Path::new(""));
        Some(shown(&relative(folder, &file_of(full_name))))
    }
    fn file(&self, path: &str) -> Option<String> {
        self.files.link(path)
    }
}

/// Files that pages lead to.
struct Files<'a> {
    context: &'a Context,
    /// The folder that the page lies in.
    from: PathBuf,
}

impl Files<'_> {
    /// The way to a file of the project that is there, with what follows `#`.
    fn link(&self, path: &str) -> Option<String> {
        let (file, place) = path.split_once('#').map_or((path, None), |(f, p)| (f, Some(p)));
        if file.is_empty() || file.contains(['\n', '\0']) {
            return None;
        }
        let project = self.context.playbooks().ok()?.parent()?.to_path_buf();
        let found = [self.context.cwd.join(file), project.join(file)].into_iter().find(|f| f.is_file())?;
        let way = shown(&relative(&tidy(&self.from), &tidy(&found)));
        Some(place.map_or(way.clone(), |place| format!("{way}#{place}")))
    }
}

/// The file of a playbook's page in a folder of pages.
fn file_of(full_name: &str) -> PathBuf {
    full_name.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect::<PathBuf>().with_added_extension("md")
}

/// A path with `/` between its parts, as links have it.
fn shown(path: &Path) -> String {
    path.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// A path without `.` and `..` in it.
fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// The way from a folder to a path; both begin at the same place.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n(OsStr::new(".."), from.components().count() - shared);
    up.chain(to.components().skip(shared).map(Component::as_os_str)).collect()
}

/// All pages in one text: a file, or standard output.
fn one_text(context: &Context, chapters: &Chapters, output: Option<&Path>) -> Exit {
    let file = output.filter(|o| *o != Path::new("-"));
    let from =
        file.map_or_else(|| context.cwd.clone(), |f| context.cwd.join(f).parent().map(Path::to_path_buf).unwrap_or_default());
    let links = InOneText { chapters, files: Files { context, from } };
    let pages: Vec<(String, String, String)> =
        chapters.all.iter().map(|(name, c)| (name.clone(), c.title(), c.page(&links))).collect();
    let text = if context.common.json {
        doc::json(&pages)
    } else {
        doc::together(&pages.into_iter().map(|(_, _, page)| page).collect::<Vec<_>>())
    };
    put(context, file, &text)
}

/// One file a page, and one that leads to them.
fn folder(context: &Context, chapters: &Chapters, output: &Path) -> Exit {
    let root = context.cwd.join(output);
    let mut index = Vec::new();
    for (name, chapter) in &chapters.all {
        let page = file_of(name);
        let path = root.join(&page);
        let from = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let links = InFolder { chapters, page: page.clone(), files: Files { context, from: from.clone() } };
        if let Err(error) = std::fs::create_dir_all(&from) {
            complain(context, &format!("{} cannot be made: {error}", from.display()), None);
            return Exit::Internal;
        }
        let exit = put(context, Some(&path), &chapter.page(&links));
        if exit != Exit::Ok {
            return exit;
        }
        index.push((name.clone(), chapter.title(), shown(&page)));
    }
    index.sort();
    let exit = put(context, Some(&root.join("README.md")), &doc::index(&index));
    if exit == Exit::Ok && !context.common.quiet {
        let runbooks = if index.len() == 1 { "1 runbook" } else { &format!("{} runbooks", index.len()) };
        say(&format!("{runbooks} written to {}, which begin at README.md", output.display()));
    }
    exit
}
