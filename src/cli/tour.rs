//! What `fan demo` says around its own example: what there is to see, where its report lies, and what to try next.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::cli::args::{DemoArgs, Output, OutputFormat};
use crate::cli::error::talk;
use crate::cli::state;
use crate::model::addressee::ReportTo;

/// What there is to see, in the order in which it comes by.
const WATCH: &str = "\
demo: a release is deployed, as the comments of tasks.example.yaml describe. Watch for
  web01 | ...           output as it comes, each line with its host
  warned                \"See what is live now\" fails the first time, and is allowed to
  the recap             every host once, with one status";

/// What to try next, once: the first thing, and the first after that.
const MANY: &str = "  fan demo --hosts 40 -b           forty hosts; those that say the same, say it once";
const REHEARSAL: &str = "  fan demo -i FILE -f FILE TASK    a task of yours, on doubles of your hosts";

/// And what to try anyway.
const NEXT: &str = "\
  fan exec -H USER@HOST -- uptime  a host of yours: any name that ssh knows
  fan init                         an inventory and tasks to edit; `fan check` finds mistakes";

/// The words around one run of the example.
pub(super) struct Tour {
    /// Where its report goes, unless the user has one written or there is no place for it.
    report: Option<PathBuf>,
    /// The size was chosen: who has seen many hosts is shown something else.
    many: bool,
}

impl Tour {
    /// The tour, where people watch the example itself; not for files and tasks of theirs, nor for programs.
    pub(super) fn of(args: &DemoArgs) -> Option<Self> {
        let example = args.tasks.is_empty() && args.tasks_file.is_none() && args.inventory.is_none();
        let people =
            matches!(args.output.format, OutputFormat::Auto | OutputFormat::Lines | OutputFormat::Fold);
        (example && people && !args.output.quiet).then(|| Self {
            report: if args.output.report.is_empty() { place() } else { None },
            many: args.hosts.is_some(),
        })
    }

    /// What was asked for, and the report.
    pub(super) fn output(&self, asked: &Output) -> Output {
        let mut output = asked.clone();
        output.report.extend(self.report.clone().map(ReportTo::File));
        output
    }

    /// Before it begins.
    pub(super) fn begin(&self) {
        talk(WATCH);
    }

    /// After it went well.
    pub(super) fn end(&self) {
        if let Some(path) = &self.report {
            talk(&format!(
                "\nreport: {} (hosts, steps, times and output on one page: open it in a browser)",
                path.display()
            ));
        }
        let first = if self.many { REHEARSAL } else { MANY };
        talk(&format!("\nnext:\n{first}\n{NEXT}"));
    }
}

/// A place that the next demo uses again, so that nothing piles up.
fn place() -> Option<PathBuf> {
    let folder = state::state_folder().filter(|_| !state::is_off())?.join("fan");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
    Some(folder.join("demo.html"))
}
