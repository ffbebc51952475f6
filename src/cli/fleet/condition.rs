//! `--where` over what is in the file: the expression sees `facts` and `host`, as far as the file has them.

use serde_json::json;

use crate::cli::context::builtins;
use crate::cli::error::{CliError, talk};
use crate::engine::planner::unknown_facts;
use crate::model::count::counted;
use crate::model::fleet::FleetHost;
use crate::model::position::Diagnostic;
use crate::model::template::{self, Layer, Scope, Syntax, Templates};
use crate::model::value::{Value, Vars};

/// What an expression sees.
const NAMES: [&str; 2] = ["facts", "host"];

/// Keeps the hosts of which an expression is true. Those that cannot be told are named, and left out.
pub(super) fn keep(hosts: &mut Vec<FleetHost>, expression: &str) -> Result<(), CliError> {
    let wrong = |message: &str| Diagnostic::bare(format!("--where '{}': {message}", expression.trim()));
    let needed = template::check(expression, Syntax::Expression).map_err(|error| wrong(&error.message))?;
    let mut problems = unknown_facts(expression);
    problems.extend(needed.iter().filter(|name| !NAMES.contains(&name.as_str())).map(|name| {
        wrong(&format!("undefined variable \"{name}\""))
            .help("the file has facts and host; variables are the inventory's")
    }));
    if !problems.is_empty() {
        return Err(CliError::Input(problems));
    }
    let templates = Templates::new(&builtins());
    let mut untold: Vec<(String, String)> = Vec::new();
    hosts.retain(|host| {
        let mut vars = Vars::from_iter([("host".to_owned(), json!(host.name))]);
        vars.extend(host.facts.as_ref().map(|facts| ("facts".to_owned(), Value::Object(facts.to_vars()))));
        match templates.eval_bool(expression, &Scope::new().with(Layer::new(&vars))) {
            Ok(verdict) => verdict,
            Err(error) => {
                let why = if host.facts.is_none() { "it never answered".to_owned() } else { error.message };
                untold.push((host.name.clone(), why));
                false
            }
        }
    });
    if let Some((host, why)) = untold.first() {
        let count = counted(untold.len(), "host");
        talk(&format!("warning: --where cannot be told of {count}, such as {host}: {why}"));
    }
    Ok(())
}
