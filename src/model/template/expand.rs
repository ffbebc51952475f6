//! Templates in variables: text of the operator's files is a template once, here, before any host is contacted.
//! What the command line gives is not one, and neither is what hosts say.

use crate::model::position::{Located, Position};
use crate::model::suggest::did_you_mean;
use crate::model::task::Template;
use crate::model::template::{self, Layer, Scope, Syntax, TemplateError, Templates};
use crate::model::value::{Value, Vars};

/// Variables may build on others this deep.
pub(super) const MAX_DEPTH: usize = 16;

/// Why a variable has no value.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VariableProblem {
    /// A lowercase fragment that names the variable.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) help: Option<String>,
    /// Nothing is wrong: it needs what a dry run cannot know.
    pub(crate) not_known: bool,
}

impl VariableProblem {
    pub(super) fn new(message: String) -> Self {
        Self { message, help: None, not_known: false }
    }

    fn of(variable: &str, error: TemplateError) -> Self {
        let not_known = error.is_not_known();
        Self { message: format!("variable \"{variable}\": {}", error.message), help: error.help, not_known }
    }
}

/// What templates in variables are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TemplateDialect {
    /// What tasks files have.
    Own,
    /// What variables of Ansible's inventories have besides: `lookup`.
    Ansible,
}

/// What variables are filled in with.
#[derive(Clone, Copy)]
pub(crate) struct VariableSurroundings<'a> {
    /// Renders.
    pub(crate) templates: &'a Templates,
    /// Layers that they stand on.
    pub(crate) below: &'a [Layer],
    /// Layers that stand above them.
    pub(crate) above: &'a [Layer],
}

/// Expands the templates in a set of variables, each once, in the order in which they need each other.
///
/// They see the layers `below` them, each other, and the layers `above`. Those that a layer above defines too
/// are left out: nobody sees them.
pub(crate) fn expand(
    templates: &Templates,
    vars: &Vars,
    below: &[Layer],
    above: &[Layer],
) -> Result<Vars, VariableProblem> {
    if !vars.values().any(has_template) {
        return Ok(vars.clone());
    }
    let around = VariableSurroundings { templates, below, above };
    let mut expansion = Expansion::new(around, vars, &|_| TemplateDialect::Own);
    for name in vars.keys() {
        expansion.visit(name)?;
    }
    // In the order in which they were written.
    Ok(vars
        .keys()
        .filter_map(|name| expansion.done.remove(name).map(|value| (name.clone(), value)))
        .collect())
}

/// Expands as [`expand`] does, each variable by itself and in its dialect: those that cannot be filled in are left out, and
/// told.
pub(crate) fn expand_each(
    around: VariableSurroundings<'_>,
    vars: &Vars,
    dialect: &dyn Fn(&str) -> TemplateDialect,
) -> (Vars, Vec<(String, VariableProblem)>) {
    if !vars.values().any(has_template) {
        return (vars.clone(), Vec::new());
    }
    expand_some(around, vars, vars.keys().map(String::as_str), dialect)
}

/// Expands some of the variables, each by itself, and what they need.
pub(crate) fn expand_some<'n>(
    around: VariableSurroundings<'_>,
    vars: &Vars,
    names: impl Iterator<Item = &'n str>,
    dialect: &dyn Fn(&str) -> TemplateDialect,
) -> (Vars, Vec<(String, VariableProblem)>) {
    let mut problems = Vec::new();
    let mut expansion = Expansion::new(around, vars, dialect);
    let names: Vec<&str> = names.collect();
    for &name in &names {
        if let Err(problem) = expansion.visit(name) {
            expansion.path.clear();
            problems.push((name.to_owned(), problem));
        }
    }
    let done = &mut expansion.done;
    let all = names.iter().filter_map(|name| done.remove(*name).map(|value| ((*name).to_owned(), value)));
    (all.collect(), problems)
}

/// Expands one variable.
pub(super) fn expand_one(
    around: VariableSurroundings<'_>,
    vars: &Vars,
    name: &str,
    dialect: TemplateDialect,
) -> Result<Value, VariableProblem> {
    let of_all = |_: &str| dialect;
    let mut expansion = Expansion::new(around, vars, &of_all);
    expansion.visit(name)?;
    let nothing = || VariableProblem::new(format!("variable \"{name}\" has no value"));
    expansion.done.remove(name).ok_or_else(nothing)
}

struct Expansion<'a> {
    around: VariableSurroundings<'a>,
    vars: &'a Vars,
    dialect: &'a dyn Fn(&str) -> TemplateDialect,
    done: Vars,
    path: Vec<String>,
}

impl<'a> Expansion<'a> {
    fn new(
        around: VariableSurroundings<'a>,
        vars: &'a Vars,
        dialect: &'a dyn Fn(&str) -> TemplateDialect,
    ) -> Self {
        Self { around, vars, dialect, done: Vars::new(), path: Vec::new() }
    }
}

impl Expansion<'_> {
    fn visit(&mut self, name: &str) -> Result<(), VariableProblem> {
        if self.done.contains_key(name) || self.around.above.iter().any(|layer| layer.contains(name)) {
            return Ok(());
        }
        let Some(value) = self.vars.get(name) else { return Ok(()) };
        if self.path.iter().any(|open| open == name) {
            let start = self.path.iter().position(|open| open == name).unwrap_or(0);
            let cycle = self.path.get(start..).unwrap_or_default().join(" → ");
            return Err(VariableProblem::new(format!("variable cycle: {cycle} → {name}")));
        }
        if self.path.len() >= MAX_DEPTH {
            let start = self.path.first().map_or(name, String::as_str);
            let message = format!("variable \"{start}\" builds on others more than {MAX_DEPTH} deep");
            return Err(VariableProblem::new(message));
        }
        self.path.push(name.to_owned());
        let expanded = self.value(name, value)?;
        self.path.pop();
        self.done.insert(name.to_owned(), expanded);
        Ok(())
    }

    fn value(&mut self, name: &str, value: &Value) -> Result<Value, VariableProblem> {
        match value {
            Value::String(text) if is_template(text) => self.text(name, text),
            Value::Array(items) => {
                let items: Result<_, _> = items.iter().map(|item| self.value(name, item)).collect();
                Ok(Value::Array(items?))
            }
            Value::Object(map) => {
                let entries = map.iter().map(|(key, item)| Ok((key.clone(), self.value(name, item)?)));
                Ok(Value::Object(entries.collect::<Result<_, VariableProblem>>()?))
            }
            plain => Ok(plain.clone()),
        }
    }

    fn text(&mut self, name: &str, text: &str) -> Result<Value, VariableProblem> {
        let needed = template::check(text, Syntax::Text).map_err(|error| VariableProblem::of(name, error))?;
        for other in &needed {
            self.visit(other)?;
        }
        let VariableSurroundings { templates, below, above } = self.around;
        let lookups = match (self.dialect)(name) {
            TemplateDialect::Own => None,
            TemplateDialect::Ansible => Some(templates.lookups().clone()),
        };
        let scope = lookups.into_iter().chain(below.iter().cloned()).fold(Scope::new(), Scope::with);
        let scope = above.iter().cloned().fold(scope.with(Layer::new(&self.done)), Scope::with);
        let template = Template::Text(Located::new(text.into(), Position::new("", 0, 0)));
        templates.render_value(&template, &scope).map_err(|error| {
            let mut problem = VariableProblem::of(name, error.value);
            problem.help = problem.help.or_else(|| self.suggest(&needed, &scope));
            problem
        })
    }

    /// What may have been meant by the first name that does not exist.
    fn suggest(&self, needed: &[String], scope: &Scope) -> Option<String> {
        let exists = |name: &String| self.vars.contains_key(name) || scope.names().any(|known| known == name);
        let missing = needed.iter().find(|name| !exists(name))?;
        let near = did_you_mean(missing, self.vars.keys().map(String::as_str).chain(scope.names()))?;
        Some(format!("did you mean \"{near}\"?"))
    }
}

fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Whether a value holds a template at one of its leaves.
pub(crate) fn has_template(value: &Value) -> bool {
    match value {
        Value::String(text) => is_template(text),
        Value::Array(items) => items.iter().any(has_template),
        Value::Object(map) => map.values().any(has_template),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
