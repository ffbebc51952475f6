//! `fan exec`: one command, or one script, on each host.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::args::{Color, ExecArgs};
use crate::cli::console::ConsoleStart;
use crate::cli::context::{self, Common};
use crate::cli::error::CliError;
use crate::cli::fleet;
use crate::cli::journal::Invocation;
use crate::cli::output::OutputContent;
use crate::cli::print::print;
use crate::cli::protected::{self, Guard};
use crate::cli::stdin::{self, STDIN, Unread};
use crate::cli::{console, habits, one_step, plan_view, runner};
use crate::engine::plan::Changes;
use crate::engine::planner::{self};
use crate::model::outcome::ExitCode;
use crate::model::position::{Diagnostic, Located, Position};
use crate::model::range;
use crate::model::task::{Action, Command, Dialogue, InputText, ScriptArgs, ScriptFile, Step, StepJob};

/// Bytes of a script that comes on stdin.
const MAX_SCRIPT: usize = 1024 * 1024;

pub(super) fn run(args: &ExecArgs, color: Color, invocation: &Invocation) -> Result<ExitCode, CliError> {
    let execution = &args.execution;
    if args.command.is_empty() && args.script.is_none() {
        return without_command(args, color, invocation);
    }
    let ExecWork { title, action } = said(args)?;
    if args.shape.is_data() && execution.output.fold {
        return Err(CliError::input("-b and -o exclude each other: -o has an entry for each host"));
    }
    let shape = args.shape.shape(execution.output.fold.then_some(range::fold));
    let mut inventory = context::inventory(&args.selection.source)?;
    let selected = context::select_or_default(&mut inventory, &args.selection)?;
    let selected = selected.ok_or_else(|| match habits::instead_of_hosts(args, &inventory) {
        Some(meant) => Diagnostic::bare("no hosts selected").help(meant).into(),
        None => context::no_hosts(&inventory),
    })?;
    if args.execution.output.verbose {
        context::explain(&mut inventory, &args.selection);
    }
    let request = Common {
        changes: Changes { diff: args.diff, ..Changes::default() },
        condition: args.condition.get(),
        known: fleet::known(&args.condition)?,
        ..Common::executing(execution, format!("exec {title}"))?.with_sudo_password(&args.raising.password)
    }
    .request(&inventory);
    let dialogue = Dialogue { stdin: args.stdin.as_ref().map(|_| InputText::OfRun), ..Dialogue::default() };
    let durable = (args.durable || args.detach).then(|| Located::new(true, Position::new("", 0, 0)));
    let job = if args.detach { StepJob::Left } else { StepJob::Own };
    let step = Step { run_as: args.raising.run_as()?, dialogue, durable, job, ..Step::bare(action) };
    let plan = planner::step(request, &inventory, &selected, step, &title)?;
    context::preflight(&plan)?;
    if args.plan {
        print(&(plan_view::render(&plan) + &invocation.preview(&plan)?))?;
        return Ok(ExitCode::Ok);
    }
    let input = args.stdin.as_deref().map(stdin::input).transpose()?;
    let guard = Guard::On { confirmed: &args.protection.confirm };
    protected::agreed(&inventory, &plan, guard)?;
    let plan = invocation.take_up(plan)?;
    let lists = context::lists(&args.selection);
    let files = [Path::new(&*inventory.file)].into_iter().chain(lists.iter().map(PathBuf::as_path));
    let own = args.script.iter().map(PathBuf::as_path);
    // What comes on stdin can be read once. Any other input is only read: it may have any length.
    let once = args.stdin.iter().map(PathBuf::as_path).filter(|path| *path == Path::new(STDIN));
    let sources = context::piped_sources(&args.selection).map(Path::new);
    let files: Vec<&str> = files.chain(own).chain(once).chain(sources).filter_map(Path::to_str).collect();
    let recording = invocation.recording(&args.journal, files.iter().copied());
    let mut unread = (!files.contains(&STDIN)).then(Unread::look);
    // Ten thousand hosts are worth their memory back: the plan holds all that is needed from here on.
    drop(inventory);
    let content = OutputContent { log: false, diff: plan.changes.diff, shape, dry: None };
    let run = Arc::clone(&plan.run);
    let code = runner::run(plan, &execution.output, color, content, Some(recording), input);
    if args.detach && code.is_ok() {
        print(&format!("{run}\n"))?;
    }
    unread.iter_mut().for_each(Unread::tell);
    code
}

/// Opens a console, where a person can type into it.
fn without_command(args: &ExecArgs, color: Color, invocation: &Invocation) -> Result<ExitCode, CliError> {
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if !is_terminal {
        return Err(Diagnostic::bare("there is no command")
            .help("write it behind --: fan exec -R web -- uptime; on a terminal, `fan console` takes one after the other")
            .into());
    }
    console::run(&ConsoleStart {
        selection: &args.selection,
        condition: &args.condition,
        connection: &args.execution.connection,
        limit: &args.execution.limit,
        pool: &args.execution.pool,
        raising: &args.raising,
        journal: &args.journal,
        confirmed: &args.protection.confirm,
        color,
        invocation,
    })
}

/// What the command line says is to be done.
struct ExecWork {
    title: String,
    action: Action,
}

fn said(args: &ExecArgs) -> Result<ExecWork, CliError> {
    let (script, input) = (args.script.as_deref(), args.stdin.as_deref());
    let lists = context::lists(&args.selection);
    let lists = lists.iter().map(|list| ("--hosts-file", Some(list.as_path())));
    let sources = args.selection.source.inventories.iter().map(|source| ("-i", Some(Path::new(source))));
    stdin::once([("--script", script), ("--stdin", input)].into_iter().chain(lists).chain(sources))?;
    let line = args.command.join(" ");
    let Some(script) = script else {
        if line.trim().is_empty() {
            return Err(CliError::input("the command is empty"));
        }
        let action = Action::Run(Command::Raw(Arc::from(line.as_str())));
        return Ok(ExecWork { title: line, action });
    };
    let Some(shown) = script.to_str() else {
        return Err(CliError::input(format!("--script {}: its name is not UTF-8", script.display())));
    };
    let content =
        if shown == STDIN { Some(Arc::from(stdin::whole("--script -", MAX_SCRIPT)?)) } else { None };
    let words = args.command.iter().map(|word| one_step::literal(word)).collect();
    let name = if content.is_some() { "script" } else { shown };
    let file = ScriptFile { from: one_step::literal(name), content, args: ScriptArgs::Words(words) };
    let title = format!("{name} {line}").trim_end().to_owned();
    Ok(ExecWork { title, action: Action::Script(file) })
}
