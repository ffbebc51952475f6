//! A console at work: its hosts, its connections, and what each line does.
//!
//! A command is a run like that of `fan exec`, recorded as one; only its connections are those of the command before
//! ([`SessionKeeper`]). What was asked of the user once holds to the end: passwords, passphrases, protected roles.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::cli::args::{
    Color, ConditionArgs, ConnectionArgs, JournalArg, LimitArg, Output, PoolArg, RaisingArgs, SelectionArgs,
};
use crate::cli::console::editor::{ConsoleEditor, TypedLine};
use crate::cli::console::interrupts::Interrupts;
use crate::cli::console::last::LastCommand;
use crate::cli::console::line::{self, ConsoleLine, OWN, OwnLine};
use crate::cli::console::past::PastLines;
use crate::cli::context::{self, Common};
use crate::cli::error::{CliError, redacted, talk};
use crate::cli::fleet;
use crate::cli::journal::Invocation;
use crate::cli::one_step;
use crate::cli::output::{OutputContent, OutputScreen, Outputs};
use crate::cli::print::print;
use crate::cli::prompt::Remembering;
use crate::cli::protected::{self, Guard};
use crate::cli::questions::Answers;
use crate::cli::runner::{self, Ready};
use crate::cli::runtime::runtime;
use crate::cli::snippet;
use crate::cli::state::{is_off, state_folder};
use crate::engine::plan::{Changes, Plan};
use crate::engine::planner;
use crate::model::cells;
use crate::model::duration;
use crate::model::endpoint::Endpoint;
use crate::model::files::{self, Attributes, Install, Links, TreeRules};
use crate::model::inventory::{HostName, Inventory};
use crate::model::outcome::{ExitCode, Status};
use crate::model::position::Diagnostic;
use crate::model::range;
use crate::model::redact::Redactor;
use crate::model::secret::{Secret, SecretSource};
use crate::model::task::{Action, Command, FactsStep, Step};
use crate::report::{Composite, FactSheets, Sheet};
use crate::ssh::kept::SessionKeeper;
use crate::ssh::transport::Transports;

/// Cells of the prompt that names of hosts may take.
const PROMPT: usize = 40;

/// Ends what the editor has asked of the terminal (xterm's bracketed paste), and the line.
const UNMARKED_PASTE: &[u8] = b"\x1b[?2004l\r\n";

/// How long the goodbyes of all connections may take.
const CLOSING: Duration = Duration::from_millis(500);

/// What a console begins with.
pub(in crate::cli) struct ConsoleStart<'a> {
    pub(in crate::cli) selection: &'a SelectionArgs,
    pub(in crate::cli) condition: &'a ConditionArgs,
    pub(in crate::cli) connection: &'a ConnectionArgs,
    pub(in crate::cli) limit: &'a LimitArg,
    pub(in crate::cli) pool: &'a PoolArg,
    pub(in crate::cli) raising: &'a RaisingArgs,
    pub(in crate::cli) journal: &'a JournalArg,
    pub(in crate::cli) confirmed: &'a [String],
    pub(in crate::cli) color: Color,
    pub(in crate::cli) invocation: &'a Invocation,
}

/// Runs a console to its end.
pub(in crate::cli) fn run(start: &ConsoleStart<'_>) -> Result<ExitCode, CliError> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Diagnostic::bare("a console needs a terminal as stdin and stdout")
            .help("`fan exec ... -- CMD` needs none")
            .into());
    }
    let mut inventory = context::inventory(&start.selection.source)?;
    let selected = context::select(&mut inventory, start.selection)?;
    let selected = selected.ok_or_else(|| context::no_hosts(&inventory))?;
    let known = fleet::known(start.condition)?;
    let common = Common { known, ..Common::over(start.connection, String::new())? }
        .pooled(start.pool)
        .limited(start.limit)
        .with_sudo_password(&start.raising.password);
    start.raising.run_as()?;
    let mut prompter = Remembering::new();
    runtime()?.block_on_then_leave(async {
        let confirmed = start.confirmed.to_vec();
        let mut console = Console {
            start,
            common,
            inventory,
            selected,
            whole: None,
            chosen_here: false,
            confirmed,
            known: ConsoleKnown::default(),
            keeper: None,
            interrupts: Interrupts::default(),
            lines: false,
            diff: false,
            last: LastCommand::default(),
            before: None,
        };
        // Until here Ctrl-C is the end.
        console.settle(&mut prompter).await?;
        console
            .interrupts
            .listen()
            .map_err(|source| CliError::Local { doing: "cannot listen for signals".to_owned(), source })?;
        if let Some(expression) = start.condition.get() {
            console.narrow(&expression).await?;
        }
        let ended = console.converse(&mut prompter).await;
        if let Some(keeper) = &console.keeper {
            let _ = tokio::time::timeout(CLOSING, keeper.close()).await;
        }
        ended
    })
}

/// What is known of the hosts and was asked for once.
#[derive(Default)]
struct ConsoleKnown {
    endpoints: HashMap<HostName, Endpoint>,
    passwords: HashMap<SecretSource, Secret>,
    redactor: Redactor,
    pool: Option<usize>,
}

/// Something that the hosts do.
#[derive(Clone)]
struct ConsoleWork {
    /// As it is told, and recorded.
    title: String,
    action: Action,
    /// The line of `fan exec` that does the same, if one does.
    exec: Option<String>,
}

struct Console<'a> {
    start: &'a ConsoleStart<'a>,
    common: Common,
    inventory: Inventory,
    /// The hosts of the next command.
    selected: Vec<usize>,
    /// Those of which `:where` has left some.
    whole: Option<Vec<usize>>,
    /// They are not those that the command line names.
    chosen_here: bool,
    /// Protected roles that were agreed to.
    confirmed: Vec<String>,
    known: ConsoleKnown,
    keeper: Option<SessionKeeper<Transports>>,
    interrupts: Interrupts,
    lines: bool,
    diff: bool,
    last: LastCommand,
    before: Option<ConsoleWork>,
}

impl Console<'_> {
    /// Reads lines and does what they say.
    async fn converse(&mut self, prompter: &mut Remembering) -> Result<ExitCode, CliError> {
        let past = self.past();
        let known = past.as_ref().map(PastLines::lines).unwrap_or_default();
        let terminal: Option<Termios> = tcgetattr(io::stdin()).ok();
        let editor = ConsoleEditor::start(known, self.names());
        let mut editor = editor
            .map_err(|source| CliError::Local { doing: "cannot read the terminal".to_owned(), source })?;
        talk(&format!(":help lists the console's commands, Ctrl-D leaves; on {}", self.told_hosts()));
        loop {
            if let Some(lost) = self.keeper.as_ref().map(SessionKeeper::lost).filter(|lost| !lost.is_empty())
            {
                let names: Vec<&str> = lost.iter().map(HostName::as_str).collect();
                talk(&format!("lost: {}: connected again by the next command", range::fold(&names)));
            }
            let interrupts = self.interrupts.clone();
            let prompt = self.prompt();
            let typed = tokio::select! {
                // First: a command may have been stopped by it.
                biased;
                reason = interrupts.ended() => {
                    // The editor's thread waits for a key, with the terminal in a mode of its own.
                    if let Some(terminal) = &terminal {
                        let _ = tcsetattr(io::stdin(), OptionalActions::Now, terminal);
                        let _ = io::stdout().write_all(UNMARKED_PASTE);
                    }
                    return Ok(reason.exit_code());
                }
                typed = editor.line(&prompt) => typed,
            };
            let line = match typed {
                TypedLine::Line(line) => line,
                TypedLine::Dropped => continue,
                TypedLine::Over => return Ok(ExitCode::Ok),
                TypedLine::Broken(source) => {
                    return Err(CliError::Local { doing: "cannot read the terminal".to_owned(), source });
                }
            };
            // A secret is not to be found where it was typed.
            if !line.trim().is_empty() && !line.starts_with(' ') && redacted(&line) == line {
                editor.remember(&line);
                if let Some(Err(error)) = past.as_ref().map(|past| past.add(&line)) {
                    talk(&format!("warning: this line is not kept for later consoles: {error}"));
                }
            }
            let done = match line::parse(&line) {
                Ok(ConsoleLine::OwnLine(OwnLine::Quit)) => return Ok(ExitCode::Ok),
                Ok(line) => self.obey(line, prompter).await,
                Err(problem) => Err(CliError::input(problem)),
            };
            if let Err(error) = done {
                talk(&error.worded(snippet::shown));
            }
        }
    }

    /// The lines of earlier consoles, where they are kept.
    fn past(&self) -> Option<PastLines> {
        if self.start.journal.no_journal || is_off() {
            return None;
        }
        PastLines::within(&state_folder()?).ok()
    }

    /// What can be completed.
    fn names(&self) -> Vec<String> {
        let hosts = self.inventory.hosts.iter().map(|host| host.name.to_string());
        hosts.chain(self.inventory.roles.iter().map(|role| format!("@{}", role.name))).collect()
    }

    fn told_hosts(&self) -> String {
        let names = self.selected_names();
        let names: Vec<&str> = names.iter().map(HostName::as_str).collect();
        match names.as_slice() {
            [one] => (*one).to_owned(),
            names => format!("{} ({})", range::fold(names), names.len()),
        }
    }

    fn selected_names(&self) -> Vec<HostName> {
        let names = self.selected.iter().filter_map(|&at| self.inventory.hosts.get(at));
        names.map(|host| host.name.clone()).collect()
    }

    /// The prompt: the hosts, and `#` where root or another user does the work.
    fn prompt(&self) -> String {
        let names = self.selected_names();
        let folded = range::fold(&names.iter().map(HostName::as_str).collect::<Vec<_>>());
        let hosts = if cells::width(&folded) > PROMPT {
            format!("{} ({})", cells::shorten(&folded, PROMPT), names.len())
        } else {
            folded
        };
        let raised = self.start.raising.run_as().is_ok_and(|run_as| run_as.is_some());
        format!("{hosts}{} ", if raised { '#' } else { '>' })
    }

    async fn obey(&mut self, line: ConsoleLine, prompter: &mut Remembering) -> Result<(), CliError> {
        match line {
            ConsoleLine::Nothing => Ok(()),
            ConsoleLine::Command(line) => {
                let action = Action::Run(Command::Raw(Arc::from(line.as_str())));
                self.work(ConsoleWork { title: line.clone(), action, exec: Some(line) }).await
            }
            ConsoleLine::Local(line) => local(line).await,
            ConsoleLine::OwnLine(own) => self.own(own, prompter).await,
        }
    }

    async fn own(&mut self, own: OwnLine, prompter: &mut Remembering) -> Result<(), CliError> {
        match own {
            OwnLine::Help => {
                let rows = OWN.map(|(word, takes, what)| {
                    format!("  {}  {what}\n", cells::pad(&format!(":{word} {takes}"), 22))
                });
                print(&format!(
                    "  {}  on all hosts, as `fan exec` does\n{}  {}  on this machine\n",
                    cells::pad("COMMAND", 22),
                    rows.concat(),
                    cells::pad("!COMMAND", 22)
                ))
            }
            OwnLine::Hosts(None) => print(&format!("{}\n", self.told_hosts())),
            OwnLine::Hosts(Some(expression)) => self.choose(&expression, prompter).await,
            OwnLine::Where(Some(expression)) => self.narrow(&expression).await,
            OwnLine::Where(None) => {
                if let Some(whole) = self.whole.take() {
                    self.selected = whole;
                }
                print(&format!("{}\n", self.told_hosts()))
            }
            OwnLine::Diff => {
                self.diff = !self.diff;
                self.lines &= !self.diff;
                talk(if self.diff {
                    "differences to the majority"
                } else {
                    "hosts with equal output together"
                });
                Ok(())
            }
            OwnLine::Lines => {
                self.lines = !self.lines;
                self.diff &= !self.lines;
                talk(if self.lines { "lines as they come" } else { "hosts with equal output together" });
                Ok(())
            }
            OwnLine::Put { local, remote } => {
                let title = one_step::moved(&local, &remote);
                let action = Action::Put(files::Put {
                    from: local.iter().map(|path| one_step::path(path)).collect(),
                    to: one_step::path(&remote),
                    tree: tree(),
                    attributes: Attributes::default(),
                    install: Install::default(),
                });
                self.work(ConsoleWork { title: format!("put {title}"), action, exec: None }).await
            }
            OwnLine::Get { remote, local } => {
                let title = one_step::moved(&remote, &local);
                let action = Action::Get(files::Get {
                    from: remote.iter().map(|path| one_step::path(path)).collect(),
                    to: one_step::path(&local),
                    tree: tree(),
                });
                self.work(ConsoleWork { title: format!("get {title}"), action, exec: None }).await
            }
            OwnLine::Facts => {
                let work = ConsoleWork {
                    title: "facts".to_owned(),
                    action: Action::Facts(FactsStep::default()),
                    exec: None,
                };
                let screen = OutputScreen::find(self.start.color)?;
                let columns = rustix::termios::tcgetwinsize(io::stdout()).ok();
                let columns = columns.map(|size| usize::from(size.ws_col)).filter(|&columns| columns > 0);
                let sheets = FactSheets::new(screen.out(), Sheet::Page(columns), screen.style);
                let outputs = Outputs::with(Composite::new(vec![Box::new(sheets)]), screen, true);
                let plan = self.plan(&work, &self.selected, None)?;
                self.carry_out(plan, outputs, LastCommand::default(), None).await.map(drop)
            }
            OwnLine::Last(None) => {
                let hosts = self.last.hosts();
                let Some(work) = self.before.as_ref().filter(|_| !hosts.is_empty()) else {
                    return Err(CliError::input("no command was run yet"));
                };
                let mut text = format!("{}: {}\n", work.title, self.last.counts());
                for status in Status::ALL.iter().filter(|status| **status != Status::Ok) {
                    let names = self.last.ended(|ended| ended == *status);
                    if !names.is_empty() {
                        let names: Vec<&str> = names.iter().map(HostName::as_str).collect();
                        text += &format!("  {status}: {}\n", range::fold(&names));
                    }
                }
                print(&text)
            }
            OwnLine::Last(Some(name)) => match self.last.host(&name) {
                Some(host) => print(&host.shown()),
                None => Err(CliError::input(format!("{name} had no part in the last command"))),
            },
            OwnLine::Retry => {
                let Some(work) = self.before.clone() else {
                    return Err(CliError::input("no command was run yet"));
                };
                let open: BTreeSet<HostName> =
                    self.last.ended(|status| status != Status::Ok).into_iter().collect();
                if open.is_empty() {
                    talk("all hosts were ok");
                    return Ok(());
                }
                let is_open =
                    |at: &usize| self.inventory.hosts.get(*at).is_some_and(|host| open.contains(&host.name));
                let hosts: Vec<usize> = (0..self.inventory.hosts.len()).filter(is_open).collect();
                self.work_on(work, hosts, true).await
            }
            OwnLine::Quit => Ok(()),
        }
    }

    /// Takes other hosts from now on.
    async fn choose(&mut self, expression: &str, prompter: &mut Remembering) -> Result<(), CliError> {
        let selection = SelectionArgs::expression(expression, self.start.selection);
        let selected = context::select(&mut self.inventory, &selection)?;
        let selected = selected.ok_or_else(|| context::no_hosts(&self.inventory))?;
        let (before, whole) = (std::mem::replace(&mut self.selected, selected), self.whole.take());
        if let Err(error) = self.settle(prompter).await {
            (self.selected, self.whole) = (before, whole);
            return Err(error);
        }
        self.chosen_here = true;
        print(&format!("{}\n", self.told_hosts()))
    }

    /// Leaves out the hosts for which an expression is not true.
    async fn narrow(&mut self, expression: &str) -> Result<(), CliError> {
        let work = ConsoleWork {
            title: format!("where {expression}"),
            action: Action::Facts(FactsStep::default()),
            exec: None,
        };
        let all = self.whole.clone().unwrap_or_else(|| self.selected.clone());
        let plan = self.plan(&work, &all, Some(expression.to_owned()))?;
        let last = LastCommand::default();
        let screen = OutputScreen::find(self.start.color)?;
        let outputs = Outputs::with(Composite::default(), screen, true);
        self.carry_out(plan, outputs, last.clone(), None).await?;
        let chosen: BTreeSet<HostName> = last.ended(|status| status == Status::Ok).into_iter().collect();
        let is_chosen =
            |at: &usize| self.inventory.hosts.get(*at).is_some_and(|host| chosen.contains(&host.name));
        let selected: Vec<usize> = all.iter().copied().filter(is_chosen).collect();
        if selected.is_empty() {
            return Err(CliError::input("no hosts left: it is false on all of them, which stay"));
        }
        (self.selected, self.whole) = (selected, Some(all));
        print(&format!("{}\n", self.told_hosts()))
    }

    /// Makes sure that all hosts can be reached without another question: agreed to, keys and passwords known.
    async fn settle(&mut self, prompter: &mut Remembering) -> Result<(), CliError> {
        let names = self.selected_names();
        if self.keeper.is_some() && names.iter().all(|name| self.known.endpoints.contains_key(name)) {
            return Ok(());
        }
        let work = ConsoleWork {
            title: format!("console on {}", self.told_hosts()),
            action: Action::Run(Command::Raw(Arc::from("true"))),
            exec: None,
        };
        // With those of before: what was asked for once is still needed, and still hidden.
        let known = |at: &usize| {
            self.inventory.hosts.get(*at).is_some_and(|host| self.known.endpoints.contains_key(&host.name))
        };
        let mut hosts: Vec<usize> = (0..self.inventory.hosts.len()).filter(known).collect();
        hosts.extend(&self.selected);
        hosts.sort_unstable();
        hosts.dedup();
        let plan = self.plan(&work, &hosts, None)?;
        let agreed = protected::agreed(&self.inventory, &plan, Guard::On { confirmed: &self.confirmed })?;
        self.confirmed.extend(agreed);
        let (plan, Ready { connector, redactor }) = runner::prepare(plan, prompter).await?;
        let transports = Transports::new(connector);
        self.keeper = Some(match &self.keeper {
            Some(keeper) => keeper.through(transports),
            None => SessionKeeper::new(transports),
        });
        for host in plan.hosts {
            self.known.endpoints.insert(host.endpoint.name.clone(), host.endpoint);
        }
        self.known.passwords.extend(plan.passwords);
        self.known.redactor = redactor;
        self.known.pool = Some(plan.pool);
        Ok(())
    }

    /// Plans work on some hosts, with all that was asked for once.
    fn plan(&self, work: &ConsoleWork, hosts: &[usize], condition: Option<String>) -> Result<Plan, CliError> {
        let common = Common {
            title: match &work.exec {
                Some(line) => format!("exec {line}"),
                None => work.title.clone(),
            },
            changes: Changes { diff: self.diff, ..Changes::default() },
            condition,
            ..self.common.clone()
        };
        // Facts are what anybody may see.
        let run_as = match work.action {
            Action::Facts(_) => None,
            _ => self.start.raising.run_as()?,
        };
        let timeout = self.start.limit.command_timeout;
        let step = Step { run_as, timeout, ..Step::bare(work.action.clone()) };
        let request = common.request(&self.inventory);
        let plan = planner::step(request, &self.inventory, hosts, step, &work.title)?;
        context::preflight(&plan)?;
        let plan = plan
            .with_endpoints(|endpoint| {
                if let Some(known) = self.known.endpoints.get(&endpoint.name) {
                    endpoint.clone_from(known);
                }
            })
            .with_passwords(self.known.passwords.clone());
        Ok(match self.known.pool {
            Some(pool) if pool < plan.pool => plan.with_pool(pool),
            _ => plan,
        })
    }

    async fn work(&mut self, work: ConsoleWork) -> Result<(), CliError> {
        self.work_on(work, self.selected.clone(), self.chosen_here || self.whole.is_some()).await
    }

    /// Does work on some hosts, records and tells it.
    async fn work_on(
        &mut self,
        work: ConsoleWork,
        hosts: Vec<usize>,
        elsewhere: bool,
    ) -> Result<(), CliError> {
        let plan = self.plan(&work, &hosts, None)?;
        let content = OutputContent { log: work.exec.is_none(), diff: self.diff, shape: None, dry: None };
        let output = Output { fold: !self.lines, ..Output::default() };
        let outputs = Outputs::new(&output, self.start.color, content)?.further_failures_only();
        let last = LastCommand::default();
        let began = Instant::now();
        (self.before, self.last) = (Some(work.clone()), last.clone());
        self.carry_out(plan, outputs, last.clone(), Some((&work, elsewhere))).await?;
        talk(&format!("{}  {}", last.counts(), duration::show(rounded(began.elapsed()))));
        Ok(())
    }

    /// Carries a plan out over the connections that are kept.
    async fn carry_out(
        &self,
        plan: Plan,
        outputs: Outputs,
        last: LastCommand,
        recorded: Option<(&ConsoleWork, bool)>,
    ) -> Result<ExitCode, CliError> {
        let Some(keeper) = self.keeper.clone() else { return Err(CliError::input("no hosts selected")) };
        let recording = recorded.map(|(work, elsewhere)| {
            let invocation = self.start.invocation.in_console(work.exec.as_deref(), elsewhere);
            invocation.recording(self.start.journal, [&*self.inventory.file])
        });
        let stopping = self.interrupts.begin();
        let outputs = outputs.beside(Box::new(last));
        let run = runner::execute(
            plan,
            keeper,
            &self.known.redactor,
            outputs,
            Answers::Person,
            stopping,
            recording,
        );
        let ended = run.await;
        self.interrupts.over();
        ended
    }
}

/// What of folders is moved by the console.
fn tree() -> TreeRules {
    TreeRules { exclude: Vec::new(), links: Links::Keep, times: false }
}

/// A time as it is told: nobody reads microseconds.
fn rounded(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// Runs a command on this machine, on the same terminal.
async fn local(line: String) -> Result<(), CliError> {
    let run = move || std::process::Command::new("sh").arg("-c").arg(line).status();
    let status = tokio::task::spawn_blocking(run).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            talk(&status.to_string());
            Ok(())
        }
        Err(source) => Err(CliError::Local { doing: "cannot start sh".to_owned(), source }),
    }
}
