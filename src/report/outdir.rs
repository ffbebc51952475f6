//! What each host wrote, in files of its own: `web1.out` and `web1.err`, byte by byte as it was sent.
//!
//! Owns the names of the files and when they are written; opens none itself.

use std::collections::{HashMap, HashSet};
use std::io;

use crate::event::{Event, Fact, RunFact, StepAt, StepFact, Stream, TaskSummary};
use crate::model::inventory::HostName;
use crate::report::reporter::Reporter;
use crate::report::words::echoes;

/// Bytes that wait in memory for one file.
const BUFFER: usize = 64 * 1024;

/// Bytes that wait for all of them.
const BUFFERS: usize = 8 * 1024 * 1024;

/// How a piece gets into a file of a name: the first piece makes it anew, the others go to its end.
pub type PutPiece = Box<dyn FnMut(&str, bool, &[u8]) -> io::Result<()> + Send>;

/// Writes the output of each host to two files; a host that said nothing gets empty ones.
pub struct PerHost {
    put: PutPiece,
    tasks: Vec<TaskSummary>,
    hosts: HashMap<HostName, [OutFile; 2]>,
    waiting: usize,
    failed: Option<(io::ErrorKind, String)>,
}

struct OutFile {
    name: String,
    begun: bool,
    buffer: Vec<u8>,
}

impl PerHost {
    /// Puts its files where `put` says.
    pub fn new(put: PutPiece) -> Self {
        Self { put, tasks: Vec::new(), hosts: HashMap::new(), waiting: 0, failed: None }
    }

    fn begin(&mut self, hosts: &[HostName]) {
        let mut taken = HashSet::new();
        for host in hosts {
            let mut stem = file_stem(host);
            // Some file systems take capital letters for small ones.
            while !taken.insert(stem.to_lowercase()) {
                stem.push('~');
            }
            let file = |kind| OutFile { name: format!("{stem}.{kind}"), begun: false, buffer: Vec::new() };
            self.hosts.insert(host.clone(), [file("out"), file("err")]);
        }
    }

    fn output(&mut self, host: &HostName, stream: Stream, data: &[u8]) -> io::Result<()> {
        let Some([out, err]) = self.hosts.get_mut(host) else { return Ok(()) };
        let file = match stream {
            Stream::Stdout => out,
            Stream::Stderr => err,
        };
        file.buffer.extend_from_slice(data);
        self.waiting += data.len();
        if file.buffer.len() >= BUFFER {
            self.write(host, false)
        } else if self.waiting >= BUFFERS {
            let hosts: Vec<HostName> = self.hosts.keys().cloned().collect();
            hosts.iter().try_for_each(|host| self.write(host, false))
        } else {
            Ok(())
        }
    }

    /// Writes what waits for a host; `all` makes the files also when nothing does.
    fn write(&mut self, host: &HostName, all: bool) -> io::Result<()> {
        let Some(files) = self.hosts.get_mut(host) else { return Ok(()) };
        let mut result = Ok(());
        for file in files {
            if file.buffer.is_empty() && (file.begun || !all) {
                continue;
            }
            self.waiting = self.waiting.saturating_sub(file.buffer.len());
            // One file that cannot be written says enough.
            if self.failed.is_none() {
                result = (self.put)(&file.name, !file.begun, &file.buffer);
                if let Err(error) = &result {
                    self.failed = Some((error.kind(), error.to_string()));
                }
            }
            file.begun = true;
            file.buffer = Vec::new();
        }
        result
    }
}

/// The beginning of a host's file names: no path, nothing hidden, nothing that a file system, a shell or an
/// uploader of artifacts refuses. Different hosts have different ones.
fn file_stem(host: &HostName) -> String {
    let mut stem = String::new();
    for (at, byte) in host.as_str().bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'@' => stem.push(char::from(byte)),
            b'.' | b'-' if at > 0 => stem.push(char::from(byte)),
            byte => stem.push_str(&format!("%{byte:02X}")),
        }
    }
    if stem.len() > STEM_MAX {
        let hash = host.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        stem.truncate(STEM_MAX - 17);
        stem.push_str(&format!("~{hash:016x}"));
    }
    stem
}

/// Bytes of a file name before its kind; most file systems take 255 in all.
const STEM_MAX: usize = 200;

impl Reporter for PerHost {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.fact {
            Fact::Run(RunFact::Started { hosts, tasks, .. }) => {
                self.tasks.clone_from(tasks);
                self.begin(hosts);
                Ok(())
            }
            Fact::Step(StepAt { host, .. }, StepFact::Output { stream, data }) => {
                self.output(host, *stream, data)
            }
            Fact::Step(StepAt { host, task, step }, StepFact::Finished { outcome }) => match &outcome.note {
                _ if outcome.earlier => Ok(()),
                Some(note) if echoes(&self.tasks, (*task, *step), outcome) => {
                    self.output(host, Stream::Stdout, format!("{note}\n").as_bytes())
                }
                Some(_) | None => Ok(()),
            },
            Fact::HostFinished { host, .. } => self.write(host, true),
            Fact::Run(
                RunFact::StragglersNoticed { .. }
                | RunFact::AgentAwaited { .. }
                | RunFact::StopRequested { .. }
                | RunFact::Finished { .. },
            )
            | Fact::Task(..)
            | Fact::Lock(..)
            | Fact::Connection(..)
            | Fact::Gateway(..)
            | Fact::Step(
                _,
                StepFact::FactsGathered { .. }
                | StepFact::Started
                | StepFact::JobStarted { .. }
                | StepFact::Waiting { .. }
                | StepFact::Detached { .. }
                | StepFact::Reattached { .. }
                | StepFact::Retried { .. }
                | StepFact::TransferAdvanced { .. }
                | StepFact::QuestionAsked { .. }
                | StepFact::QuestionAnswered,
            )
            | Fact::Record(_)
            | Fact::Unknown(_) => Ok(()),
        }
    }

    fn idle(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let hosts: Vec<HostName> = self.hosts.keys().cloned().collect();
        for host in hosts {
            // The first error is kept and said below.
            let _ = self.write(&host, false);
        }
        match &self.failed {
            None => Ok(()),
            Some((kind, message)) => Err(io::Error::new(*kind, message.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;

    use super::*;
    use crate::event::TaskFact;
    use crate::report::tests::samples::{event, exec_started, host, ok, output};

    #[derive(Clone, Default)]
    struct Folder(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

    impl Folder {
        fn put(&self) -> PutPiece {
            let folder = self.clone();
            Box::new(move |name, anew, data| {
                let mut files = folder.0.lock().unwrap();
                let file = files.entry(name.to_owned()).or_default();
                if anew {
                    file.clear();
                }
                file.extend_from_slice(data);
                Ok(())
            })
        }

        fn files(&self) -> Vec<(String, String)> {
            let files = self.0.lock().unwrap();
            files.iter().map(|(name, data)| (name.clone(), String::from_utf8_lossy(data).into())).collect()
        }
    }

    #[test]
    fn every_host_has_its_files_anew() {
        let folder = Folder::default();
        folder.put()("b.out", true, b"of yesterday").unwrap();
        let mut files = PerHost::new(folder.put());
        let big = "x".repeat(BUFFER);
        for event in [
            exec_started(&["a", "b"]),
            output(1, "a", Stream::Stdout, "one\n"),
            output(2, "a", Stream::Stdout, big.clone()),
            output(3, "a", Stream::Stderr, "err\n"),
            output(4, "a", Stream::Stdout, "two\n"),
            ok(5, "a"),
            ok(5, "b"),
        ] {
            files.event(&event).unwrap();
        }
        files.finish().unwrap();
        let found = folder.files();
        let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let all = format!("one\n{big}two\n");
        assert_eq!(found, [("a.err", "err\n"), ("a.out", all.as_str()), ("b.err", ""), ("b.out", "")]);
    }

    #[test]
    fn a_full_disk_is_said_at_the_end() {
        let mut files = PerHost::new(Box::new(|_, _, _| Err(io::ErrorKind::StorageFull.into())));
        files.event(&exec_started(&["a", "b"])).unwrap();
        files.event(&output(1, "a", Stream::Stdout, "one\n")).unwrap();
        assert_eq!(files.event(&ok(2, "a")).unwrap_err().kind(), io::ErrorKind::StorageFull);
        files.event(&event(3, Fact::Task(0, TaskFact::Finished))).unwrap();
        assert_eq!(files.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn names_that_differ_in_case_only_stay_apart() {
        let folder = Folder::default();
        let mut files = PerHost::new(folder.put());
        for event in [exec_started(&["Web", "web"]), ok(1, "Web"), ok(1, "web")] {
            files.event(&event).unwrap();
        }
        let names: Vec<String> = folder.files().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["Web.err", "Web.out", "web~.err", "web~.out"]);
    }

    #[test]
    fn names_of_files() {
        for (name, stem) in [
            ("web1.example.org", "web1.example.org"),
            ("deploy@10.0.0.1:22", "deploy@10.0.0.1%3A22"),
            ("[::1]:22", "%5B%3A%3A1%5D%3A22"),
            ("../x", "%2E.%2Fx"),
            (".", "%2E"),
            ("-rf", "%2Drf"),
            ("a%41", "a%2541"),
            ("ä", "%C3%A4"),
        ] {
            assert_eq!(file_stem(&host(name)), stem);
        }
    }

    proptest! {
        #[test]
        fn a_stem_is_a_plain_name_of_one_host(one in "\\PC{1,80}", other in "\\PC{1,80}") {
            let (first, second) = (file_stem(&host(&one)), file_stem(&host(&other)));
            prop_assert!(first.len() <= STEM_MAX && !first.starts_with(['.', '-']));
            prop_assert!(!first.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|', '\0']));
            prop_assert_eq!(first == second, one == other);
        }
    }
}
