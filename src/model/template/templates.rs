//! Renders templates and evaluates expressions; answers what a text needs before it is rendered.

use std::fmt;
use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};

use crate::model::position::Located;
use crate::model::template::builtins::Builtins;
use crate::model::template::error::convert;
use crate::model::template::item::{FileCommand, Rendered};
use crate::model::template::output;
use crate::model::template::output::render;
use crate::model::template::problem::{Syntax, TemplateError, ValueProblem, at};
use crate::model::template::scope::{Layer, Root, Scope};
use crate::model::template::text::{TagLines, Template};
use crate::model::template::{ansible, doubt, error, filters, lookup, parts, reread, script, source, value};
use crate::model::value::{Value, Vars};

/// Instructions that one rendering may take: some seconds of work, far above a loop over ten thousand hosts.
const FUEL: u64 = 5_000_000;

/// Nested calls that one rendering may take; MiniJinja's 500 is too near the end of a worker thread's stack.
const MAX_DEPTH: usize = 100;

/// Renders templates and evaluates expressions. One serves a whole run, from all threads.
pub struct Templates {
    text: Environment<'static>,
    /// Those of files, by what becomes of the lines of tags.
    files: [(TagLines, Environment<'static>); 3],
    /// Those whose values have no patterns in them.
    patterns: Environment<'static>,
    shell: Environment<'static>,
    /// What variables of Ansible's inventories may call besides.
    lookups: Layer,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").finish_non_exhaustive()
    }
}

impl Templates {
    /// Builds the engine.
    pub fn new(builtins: &Builtins) -> Self {
        let mut text = environment();
        filters::add_text(&mut text, builtins);
        text.set_formatter(value::write_text);
        let mut shell = environment();
        filters::add_shell(&mut shell, builtins);
        shell.set_formatter(script::write_mark);
        for environment in [&mut text, &mut shell] {
            filters::add_functions(environment, builtins);
        }
        let with = |trim_blocks, lstrip_blocks| {
            let mut environment = text.clone();
            environment.set_syntax(syntax(TagLines { trim_blocks, lstrip_blocks }));
            (TagLines { trim_blocks, lstrip_blocks }, environment)
        };
        let mut patterns = text.clone();
        patterns.set_formatter(value::write_pattern);
        let files = [with(true, false), with(false, true), with(true, true)];
        Self { text, files, patterns, shell, lookups: lookup::layer(builtins) }
    }

    /// The functions that only variables of Ansible's inventories have: `lookup`, `query` and `q`.
    pub(super) fn lookups(&self) -> &Layer {
        &self.lookups
    }

    /// Renders plain text. Values are written as they are and never read again as templates.
    pub fn render_text(&self, text: &str, scope: &Scope) -> Result<String, TemplateError> {
        let prepared = source::lint(text, Syntax::Text)?;
        render(&self.text, text, &prepared, &Root::new(scope, None))
    }

    /// Renders the text of a file as plain text.
    pub fn render_file(
        &self,
        text: &str,
        tag_lines: TagLines,
        scope: &Scope,
    ) -> Result<String, TemplateError> {
        let prepared = source::lint(text, Syntax::Text)?;
        let own = self.files.iter().find(|(of, _)| *of == tag_lines).map(|(_, environment)| environment);
        render(own.unwrap_or(&self.text), text, &prepared, &Root::new(scope, None))
    }

    /// Renders a pattern of paths, in which each value stands for itself.
    pub fn render_pattern(&self, text: &str, scope: &Scope) -> Result<String, TemplateError> {
        let prepared = source::lint(text, Syntax::Text)?;
        render(&self.patterns, text, &prepared, &Root::new(scope, None))
    }

    /// Renders a shell script: each value becomes text that the shell reads as exactly that value.
    ///
    /// Errors name the values for whose place no such text exists (see `docs/templates.md`). The quoting is for
    /// sh, bash, zsh and ksh; for an interpreter of another family it means nothing.
    pub fn render_script(&self, text: &str, scope: &Scope) -> Result<String, TemplateError> {
        let prepared = source::lint(text, Syntax::Shell)?;
        let source = script::ScriptSource { text, prepared: &prepared };
        script::render(&self.shell, source, scope).map(|rendered| rendered.script)
    }

    /// Renders a command that is told a file by `%s`. What is a `%s` is settled before there are any values.
    ///
    /// # Errors
    /// Besides those of scripts: there is not one `%s` in what is rendered.
    pub fn render_check(&self, text: &str, scope: &Scope) -> Result<FileCommand, TemplateError> {
        let prepared = source::lint(text, Syntax::Shell)?;
        let (prepared, _) = parts::with_holes(text, &prepared);
        let source = script::ScriptSource { text, prepared: &prepared };
        let Rendered { script, holes } = script::render(&self.shell, source, scope)?;
        match *holes.as_slice() {
            [hole] => Ok(FileCommand { script, hole }),
            ref holes => {
                let message = format!("the command names the file {} times with these values", holes.len());
                let help = "write %s once, outside {% if %} and {% for %}".to_owned();
                Err(TemplateError { line: 1, column: None, message, help: Some(help) })
            }
        }
    }

    /// Renders the strings of a value. One that is exactly one `{{ expression }}` keeps the expression's type.
    ///
    /// An error carries the position of the string that it is about.
    pub fn render_value(&self, template: &Template, scope: &Scope) -> Result<Value, Located<TemplateError>> {
        Ok(match template {
            Template::Literal(value) => value.clone(),
            Template::Text(text) => self
                .render_leaf(&text.value, scope)
                .map_err(|error| Located::new(error, text.position.clone()))?,
            Template::List(items) => Value::Array(
                items.iter().map(|item| self.render_value(item, scope)).collect::<Result<_, _>>()?,
            ),
            Template::Map(entries) => {
                let mut map = Vars::new();
                for (key, entry) in entries {
                    map.insert(key.clone(), self.render_value(entry, scope)?);
                }
                Value::Object(map)
            }
        })
    }

    /// Evaluates a condition. Null counts as false; everything but true, false and null is an error.
    pub fn eval_bool(&self, expression: &str, scope: &Scope) -> Result<bool, TemplateError> {
        let value = self.eval(expression, scope)?;
        match value {
            Value::Bool(verdict) => Ok(verdict),
            Value::Null => Ok(false),
            Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => Err(TemplateError {
                line: 1,
                column: None,
                message: format!("expected true or false, found {}", crate::model::value::type_name(&value)),
                help: Some("compare it with something: == != < > in, or \"is defined\"".to_owned()),
            }),
        }
    }

    /// Evaluates an expression.
    pub fn eval_value(&self, expression: &str, scope: &Scope) -> Result<Value, TemplateError> {
        self.eval(expression, scope)
    }

    fn render_leaf(&self, text: &str, scope: &Scope) -> Result<Value, TemplateError> {
        let prepared = source::lint(text, Syntax::Text)?;
        match source::single_output(text) {
            // The blanks keep the places of errors where they are in the text.
            Some((start, code)) => {
                let padded = format!("{}{code}", " ".repeat(start));
                self.eval_code(&padded, text, scope)
            }
            None => render(&self.text, text, &prepared, &Root::new(scope, None)).map(Value::String),
        }
    }

    fn eval(&self, expression: &str, scope: &Scope) -> Result<Value, TemplateError> {
        source::lint(expression, Syntax::Expression)?;
        self.eval_code(expression, expression, scope)
    }

    fn eval_code(&self, code: &str, text: &str, scope: &Scope) -> Result<Value, TemplateError> {
        let syntax = if code.len() == text.len() { Syntax::Expression } else { Syntax::Text };
        let evaluation = || {
            let evaluated = output::guarded(text, || {
                let expression = self.text.compile_expression(code)?;
                expression.eval(Root::new(scope, None).into_value())
            });
            let result = evaluated?;
            let value = result.map_err(|error| convert(&error, text, syntax, Some(scope)))?;
            if value.is_undefined() {
                return Err(error::undefined(code.trim(), text, scope));
            }
            value::to_json(&value).map_err(|problem: ValueProblem| {
                problem.into_error(text, code.len() - code.trim_start().len(), code.trim())
            })
        };
        doubt::watch(evaluation)?
    }
}

/// Checks the syntax of a text; returns the names of the variables that it needs from outside.
///
/// Sorted. Left out are built-in functions, and names that the text itself guards with `default` or
/// `is defined`.
pub fn check(text: &str, syntax: Syntax) -> Result<Vec<String>, TemplateError> {
    let guarded = source::guarded_names(text, syntax);
    let mut needed = names(text, syntax)?;
    needed.retain(|name| !guarded.contains(name.as_str()));
    Ok(needed)
}

/// How to write an undefined name that may stand between braces of another program in a text (`{{end}}` of Go).
pub fn of_another_program(name: &str, text: &str) -> Option<String> {
    error::foreign(name, text)
}

/// What to write in the place of a variable that Ansible has.
pub fn in_ansible(name: &str) -> Option<&'static str> {
    ansible::variable(name)
}

/// How often a text names a file by `%s`; in values, tags and comments it does not.
pub fn count_holes(text: &str) -> usize {
    parts::with_holes(text, text).1.len()
}

/// Finds values of a script whose quotes are probably not what was meant: they are read by a second shell, or stand in two
/// pairs. Nothing for a text that is no template.
pub fn doubtful(script: &str) -> Vec<TemplateError> {
    reread::find(script)
}

/// Checks the syntax of a text; returns what it looks at with the fields that it names: `facts.os.id`. Sorted.
pub fn paths(text: &str, syntax: Syntax) -> Result<Vec<String>, TemplateError> {
    looked_at(text, syntax, true)
}

/// Checks the syntax of a text; returns the names of the variables that it looks at, also of those that may be
/// undefined. Sorted, without built-in functions.
pub fn names(text: &str, syntax: Syntax) -> Result<Vec<String>, TemplateError> {
    looked_at(text, syntax, false)
}

fn looked_at(text: &str, syntax: Syntax, fields: bool) -> Result<Vec<String>, TemplateError> {
    static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);
    let prepared = source::lint(text, syntax)?;
    let names = output::guarded(text, || match syntax {
        Syntax::Text | Syntax::Shell => {
            ENVIRONMENT.template_from_str(&prepared).map(|template| template.undeclared_variables(fields))
        }
        Syntax::Expression => {
            ENVIRONMENT.compile_expression(text).map(|expression| expression.undeclared_variables(fields))
        }
    })?;
    let names = names.map_err(|error| convert(&error, text, syntax, None))?;
    let mut names: Vec<String> =
        names.into_iter().filter(|name| !filters::FUNCTIONS.contains(&name.as_str())).collect();
    names.sort();
    Ok(names)
}

/// Where a text first uses a variable: line and character within it, from 1.
pub fn place(text: &str, syntax: Syntax, name: &str) -> Option<(u32, u32)> {
    let found = at(text, source::first_use(text, syntax, name)?, "", None);
    Some((found.line, found.column.unwrap_or(1)))
}

/// An environment with fan's limits and without MiniJinja's own ways around the quoting.
fn syntax(TagLines { trim_blocks, lstrip_blocks }: TagLines) -> SyntaxConfig {
    let syntax = SyntaxConfig::builder()
        .trim_blocks(trim_blocks)
        .lstrip_blocks(lstrip_blocks)
        // MiniJinja drops one newline at the end; a heredoc at the end of a script needs it.
        .keep_trailing_newline(true)
        .comment_delimiters(parts::COMMENT.0, parts::COMMENT.1)
        .build();
    syntax.expect("the default delimiters are valid")
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // For the places of errors. Their `{:#}` form prints values and is never used.
    environment.set_debug(true);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_DEPTH);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_syntax(syntax(TagLines::default()));
    for filter in ["safe", "escape", "e"] {
        environment.remove_filter(filter);
    }
    environment.add_test("defined", |value: &minijinja::Value| doubt::is_defined(value));
    environment.add_test("undefined", |value: &minijinja::Value| !doubt::is_defined(value));
    // Prints every variable there is, secrets too.
    environment.remove_global("debug");
    environment
}

#[cfg(test)]
mod tests;
