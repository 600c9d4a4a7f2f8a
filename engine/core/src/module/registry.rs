//! The table of modules: the program's own, and those that it finds.

use std::sync::{Arc, OnceLock};

use super::Entry;

/// Asks a module that is none of the program's own what it is; the error says what is wrong with it and what to do.
type Describe = Box<dyn Fn(&str) -> Result<Entry, String> + Send + Sync>;

/// What a module that was asked is, or why it cannot be used.
type Asked = Result<Arc<Entry>, String>;

/// Modules that are there to be asked what they are. Asking means running them, so each is asked when it is first named.
struct Found {
    slots: Vec<(String, OnceLock<Asked>)>,
    describe: Describe,
}

impl Found {
    fn get(&self, name: &str) -> Option<&Asked> {
        let i = self.slots.binary_search_by(|(n, _)| n.as_str().cmp(name)).ok()?;
        let (name, slot) = &self.slots[i];
        Some(slot.get_or_init(|| (self.describe)(name).map(Arc::new)))
    }
}

/// The modules that a run knows.
#[derive(Clone, Default)]
pub struct Registry {
    entries: Vec<Arc<Entry>>,
    found: Option<Arc<Found>>,
    /// Modules that this build lacks, with the reason.
    lacking: Vec<(&'static str, String)>,
}

impl Registry {
    /// A registry of these, sorted by name.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut entries: Vec<Arc<Entry>> = entries.into_iter().map(Arc::new).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Registry { entries, found: None, lacking: Vec::new() }
    }

    /// With modules that are none of the program's own, by name. `describe` is asked for each at most once, when it is first wanted. A
    /// name that is there already stays what it is.
    #[must_use]
    pub fn with_found(
        mut self,
        names: impl IntoIterator<Item = String>,
        describe: impl Fn(&str) -> Result<Entry, String> + Send + Sync + 'static,
    ) -> Self {
        let mut names: Vec<String> = names.into_iter().filter(|n| self.own(n).is_none()).collect();
        names.sort();
        names.dedup();
        if !names.is_empty() {
            let slots = names.into_iter().map(|n| (n, OnceLock::new())).collect();
            self.found = Some(Arc::new(Found { slots, describe: Box::new(describe) }));
        }
        self
    }

    /// With the names of modules that this build of the program lacks, and why.
    #[must_use]
    pub fn lacking(mut self, names: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.lacking = names.into_iter().collect();
        self
    }

    fn own(&self, name: &str) -> Option<&Arc<Entry>> {
        let i = self.entries.binary_search_by(|e| (*e.name).cmp(name)).ok()?;
        self.entries.get(i)
    }

    /// The module of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Entry>> {
        self.own(name).or_else(|| self.found.as_ref()?.get(name)?.as_ref().ok())
    }

    /// Why the module of this name, which is there, cannot be used.
    pub fn trouble(&self, name: &str) -> Option<&str> {
        if self.own(name).is_some() {
            return None;
        }
        if let Some(Err(trouble)) = self.found.as_ref().and_then(|f| f.get(name)) {
            return Some(trouble);
        }
        self.lacking.iter().find(|(n, _)| *n == name).filter(|_| self.get(name).is_none()).map(|(_, why)| why.as_str())
    }

    /// A registry with the module of this name alone.
    pub fn only(&self, name: &str) -> Registry {
        Registry { entries: self.get(name).into_iter().cloned().collect(), found: None, lacking: Vec::new() }
    }

    /// All modules that can be used, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        let found = self.found.iter().flat_map(|f| f.slots.iter().filter_map(|(name, _)| f.get(name)?.as_ref().ok()));
        self.entries.iter().chain(found)
    }

    /// All names, of those that cannot be used too.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let found = self.found.iter().flat_map(|f| f.slots.iter().map(|(name, _)| name.as_str()));
        self.entries.iter().map(|e| &*e.name).chain(found)
    }

    /// The names of the modules that are none of the program's own.
    pub fn found(&self) -> impl Iterator<Item = &str> {
        self.found.iter().flat_map(|f| f.slots.iter().map(|(name, _)| name.as_str()))
    }
}
