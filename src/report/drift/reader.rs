//! The answers of hosts, gathered from the event stream. What hosts have in common is held once: a thousand hosts with the same
//! folder take little more memory than one.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexSet;

use crate::event::{Event, Fact, StepAt, StepFact, Stream};
use crate::model::inventory::HostName;
use crate::model::outcome::Status;
use crate::model::survey::{
    ContentsReader, SurveyContent, SurveyEntry, SurveyItem, SurveyReader, SurveyRoot,
};
use crate::report::capture::{Budget, Capture, CapturedTexts, TextId};
use crate::report::reporter::Reporter;

/// Bytes of the output of one command on one host that are compared line by line; the rest counts by its digest.
const OUTPUT_MAX: usize = 2 * 1024 * 1024;

/// Bytes of all outputs that are kept.
const OUTPUTS_MAX: usize = 256 * 1024 * 1024;

/// Bytes of all contents that are kept.
const CONTENTS_MAX: usize = 128 * 1024 * 1024;

/// Something that gathers what hosts answer: the reader of a run that its caller can look into afterwards.
#[derive(Debug, Default)]
pub struct HostAnswers<T>(Arc<Mutex<T>>);

impl<T> Clone for HostAnswers<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> HostAnswers<T> {
    /// Around something that is empty yet.
    pub fn new(empty: T) -> Self {
        Self(Arc::new(Mutex::new(empty)))
    }

    /// What was gathered.
    pub fn look(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is gathered of each host.
pub trait TakeAnswers: Send {
    /// Its standard output goes on.
    fn output(&mut self, host: &HostName, data: &[u8]);
    /// It begins anew.
    fn again(&mut self, host: &HostName);
    /// It is over.
    fn ended(&mut self, host: &HostName, is_ok: bool);
}

impl<T: TakeAnswers> Reporter for HostAnswers<T> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.fact {
            Fact::Step(StepAt { host, .. }, StepFact::Output { stream: Stream::Stdout, data }) => {
                self.look().output(host, data);
            }
            Fact::Step(StepAt { host, .. }, StepFact::Retried { .. }) => self.look().again(host),
            Fact::HostFinished { host, outcome } => self.look().ended(host, outcome.status == Status::Ok),
            Fact::Run(_)
            | Fact::Task(..)
            | Fact::Lock(..)
            | Fact::Connection(..)
            | Fact::Gateway(..)
            | Fact::Step(..)
            | Fact::Record(_)
            | Fact::Unknown(_) => {}
        }
        Ok(())
    }

    fn idle(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is at a path of some host: the number of what was asked for, the path from there, and what is there.
pub(super) type SurveyedPath = (usize, Vec<u8>, SurveyEntry);

/// A host's answer, in numbers of what all have told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct HostListing {
    /// What is at each path that was asked for.
    pub(super) roots: Vec<u32>,
    /// What is below, ascending.
    pub(super) paths: Vec<u32>,
}

/// What is at paths of hosts.
#[derive(Default)]
pub struct SurveysOfHosts {
    takes: Option<Takes>,
    readers: HashMap<HostName, HostSurvey>,
    pub(super) paths: IndexSet<SurveyedPath>,
    pub(super) roots: IndexSet<SurveyRootKey>,
    pub(super) listings: IndexSet<HostListing>,
    /// The listing of each host that answered.
    pub(super) hosts: HashMap<HostName, usize>,
    /// Why others gave none, though all went well otherwise.
    pub(super) unread: Vec<(HostName, String)>,
    attributes: bool,
}

/// What takes part, by its path and whether it is a folder.
pub type Takes = Box<dyn Fn(&[u8], bool) -> bool + Send>;

/// What is at a path that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum SurveyRootKey {
    Folder,
    Other,
    Missing,
    Closed(String),
}

#[derive(Default)]
struct HostSurvey {
    reader: SurveyReader,
    listing: HostListing,
    problem: Option<String>,
    ended: bool,
}

impl SurveysOfHosts {
    /// For some paths; `attributes` says whether modes and owners count.
    pub fn new(takes: Takes, attributes: bool) -> Self {
        Self { takes: Some(takes), attributes, ..Self::default() }
    }

    /// Whether a host's answer is whole.
    pub fn answered(&self, host: &HostName) -> bool {
        self.hosts.contains_key(host)
    }

    /// Takes in all that a machine answered, under a name.
    pub fn whole(&mut self, host: &HostName, data: &[u8]) {
        self.output(host, data);
        self.ended(host, true);
    }

    fn item(&mut self, host: &mut HostSurvey, item: SurveyItem) {
        match item {
            SurveyItem::Root(_, root) => {
                let key = match root {
                    SurveyRoot::Folder => SurveyRootKey::Folder,
                    SurveyRoot::Other => SurveyRootKey::Other,
                    SurveyRoot::Missing => SurveyRootKey::Missing,
                    SurveyRoot::Closed(said) => SurveyRootKey::Closed(said),
                };
                let (id, _) = self.roots.insert_full(key);
                host.listing.roots.push(u32::try_from(id).unwrap_or(u32::MAX));
            }
            SurveyItem::Entry(root, path, mut entry) => {
                let is_folder = entry.kind == crate::model::survey::SurveyKind::Folder;
                if !path.is_empty() && self.takes.as_ref().is_some_and(|takes| !takes(&path, is_folder)) {
                    return;
                }
                if !self.attributes {
                    (entry.mode, entry.owner) = (None, None);
                }
                let (id, _) = self.paths.insert_full((root, path, entry));
                host.listing.paths.push(u32::try_from(id).unwrap_or(u32::MAX));
            }
            SurveyItem::End => host.ended = true,
        }
    }
}

impl TakeAnswers for SurveysOfHosts {
    fn output(&mut self, name: &HostName, data: &[u8]) {
        let mut host = self.readers.remove(name).unwrap_or_default();
        if host.problem.is_none() {
            match host.reader.push(data) {
                Ok(items) => items.into_iter().for_each(|item| self.item(&mut host, item)),
                Err(error) => host.problem = Some(error.to_string()),
            }
        }
        self.readers.insert(name.clone(), host);
    }

    fn again(&mut self, host: &HostName) {
        self.readers.remove(host);
    }

    fn ended(&mut self, name: &HostName, is_ok: bool) {
        let host = self.readers.remove(name);
        if !is_ok {
            return;
        }
        match host {
            Some(HostSurvey { problem: Some(problem), .. }) => self.unread.push((name.clone(), problem)),
            Some(HostSurvey { mut listing, ended: true, .. }) => {
                listing.paths.sort_unstable();
                let (id, _) = self.listings.insert_full(listing);
                self.hosts.insert(name.clone(), id);
            }
            Some(_) | None => self.unread.push((name.clone(), "its answer has no end".to_owned())),
        }
    }
}

/// What a command wrote on each host.
#[derive(Debug)]
pub struct OutputsOfHosts {
    open: HashMap<HostName, Capture>,
    budget: Budget,
    pub(super) texts: CapturedTexts,
    /// What each host said that ended well; none for nothing.
    pub(super) hosts: HashMap<HostName, Option<TextId>>,
}

impl Default for OutputsOfHosts {
    fn default() -> Self {
        Self {
            open: HashMap::new(),
            budget: Budget::new(OUTPUTS_MAX),
            texts: CapturedTexts::default(),
            hosts: HashMap::new(),
        }
    }
}

impl OutputsOfHosts {
    /// Whether a host ended well.
    pub fn answered(&self, host: &HostName) -> bool {
        self.hosts.contains_key(host)
    }

    /// Takes in a whole text, under a name.
    pub fn whole(&mut self, host: &HostName, data: &[u8]) {
        self.output(host, data);
        self.ended(host, true);
    }
}

impl TakeAnswers for OutputsOfHosts {
    fn output(&mut self, host: &HostName, data: &[u8]) {
        let capture = self.open.entry(host.clone()).or_insert_with(|| Capture::new(OUTPUT_MAX));
        capture.push(data, &mut self.budget);
    }

    fn again(&mut self, host: &HostName) {
        if let Some(capture) = self.open.get_mut(host) {
            capture.clear(&mut self.budget);
        }
    }

    fn ended(&mut self, host: &HostName, is_ok: bool) {
        let mut capture = self.open.remove(host).unwrap_or_else(|| Capture::new(OUTPUT_MAX));
        if is_ok {
            let text = self.texts.insert(capture, &mut self.budget);
            self.hosts.insert(host.clone(), text);
        } else {
            capture.clear(&mut self.budget);
        }
    }
}

/// Contents that hosts were asked for.
#[derive(Debug)]
pub struct ContentsOfHosts {
    mark: String,
    most: usize,
    readers: HashMap<HostName, ContentsReader>,
    left: usize,
    /// Those that came, by what they are called.
    pub contents: HashMap<usize, Vec<u8>>,
}

impl ContentsOfHosts {
    /// For contents that begin with this mark, of so many bytes at most.
    pub fn new(mark: &str, most: usize) -> Self {
        let (readers, contents) = (HashMap::new(), HashMap::new());
        Self { mark: mark.to_owned(), most, readers, left: CONTENTS_MAX, contents }
    }
}

impl TakeAnswers for ContentsOfHosts {
    fn output(&mut self, host: &HostName, data: &[u8]) {
        let (mark, most) = (&self.mark, self.most);
        let reader = self.readers.entry(host.clone()).or_insert_with(|| ContentsReader::new(mark, most));
        for SurveyContent { id, data } in reader.push(data) {
            if let Some(left) = self.left.checked_sub(data.len()) {
                self.left = left;
                self.contents.insert(id, data);
            }
        }
    }

    fn again(&mut self, host: &HostName) {
        self.readers.remove(host);
    }

    fn ended(&mut self, host: &HostName, _: bool) {
        self.readers.remove(host);
    }
}
