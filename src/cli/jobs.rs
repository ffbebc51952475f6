//! `fan jobs`: commands that outlived their connection, or were left behind on purpose.

use crate::cli::args::{Color, JobsArgs};
use crate::cli::context::{self, Common};
use crate::cli::error::CliError;
use crate::cli::journal::Invocation;
use crate::cli::output::OutputContent;
use crate::cli::print::print;
use crate::cli::protected::{self, Guard};
use crate::cli::{one_step, plan_view, runner};
use crate::engine::planner;
use crate::model::outcome::ExitCode;
use crate::model::position::{Diagnostic, Located, Position};
use crate::model::shell::durable::{JobFound, JobsDeed, is_job_name};
use crate::model::task::{Action, Command, Step, StepJob};

pub(super) fn run(args: &JobsArgs, color: Color, invocation: &Invocation) -> Result<ExitCode, CliError> {
    let looking = &args.looking;
    let name = args.name.as_deref().unwrap_or_default();
    if args.name.is_some() && !is_job_name(name) {
        let problem = Diagnostic::bare(format!("{name:?} is no name of a job"));
        return Err(problem.help("`fan jobs` lists them; the run's name is enough").into());
    }
    let title = format!("jobs {name}").trim_end().to_owned();
    let mut inventory = context::inventory(&looking.selection.source)?;
    let selected = context::select_or_default(&mut inventory, &looking.selection)?;
    let selected = selected.ok_or_else(|| context::no_hosts(&inventory))?;
    let request = Common {
        condition: looking.condition.get(),
        ..Common::executing(&looking.execution, title.clone())?.with_sudo_password(&looking.raising.password)
    }
    .request(&inventory);
    let step =
        Step { name: Some(one_step::literal(&title)), run_as: looking.raising.run_as()?, ..step(args, name) };
    let plan = planner::step(request, &inventory, &selected, step, &title)?;
    context::preflight(&plan)?;
    if looking.plan {
        print(&(plan_view::render(&plan) + &invocation.preview(&plan)?))?;
        return Ok(ExitCode::Ok);
    }
    let changes_something = args.stop || args.clean;
    protected::agreed(&inventory, &plan, Guard::of(changes_something, &args.protection.confirm))?;
    drop(inventory);
    let content = OutputContent { log: false, diff: false, shape: None, dry: None };
    runner::run(plan, &looking.execution.output, color, content, None, None)
}

/// What is done on each host.
fn step(args: &JobsArgs, name: &str) -> Step {
    let always = |value| Some(Located::new(value, Position::new("", 0, 0)));
    if args.follow || args.fetch {
        let found = JobFound::Beginning { prefix: name.to_owned(), ended: args.fetch };
        let action = Action::Run(Command::Raw("".into()));
        return Step { durable: always(true), job: StepJob::Found(found), ..Step::bare(action) };
    }
    let older = args.older.and_then(|older| older.duration()).map(|older| older.as_secs() / 60);
    let deed = match (args.stop, args.clean) {
        (true, _) => JobsDeed::Stop,
        (false, true) => JobsDeed::Clean(older),
        (false, false) => JobsDeed::List,
    };
    let words = ["sh", "-c", &deed.script(name)].map(one_step::literal);
    Step { durable: always(false), ..Step::bare(Action::Run(Command::Argv(words.into()))) }
}
