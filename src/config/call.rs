//! Tasks with arguments on the command line, as Fabric writes them: `deploy`, `hello:Jeff`, `hello:name=Jeff,b=2`.

use crate::config::given::parse_given;
use crate::config::vars::Braces;
use crate::model::call::TaskCall;
use crate::model::name;
use crate::model::position::Diagnostic;

/// Reads one `TASK[:ARGS]` of the command line. Arguments are YAML scalars; `\,` and `\=` stand for themselves.
///
/// # Errors
/// What is wrong with it.
pub fn parse_call(text: &str) -> Result<TaskCall, Diagnostic> {
    parse(text, Braces::Literal)
}

/// The same of a tasks file, where `{{ }}` in an argument is a template.
pub(super) fn parse(text: &str, braces: Braces) -> Result<TaskCall, Diagnostic> {
    let (task, arguments) = text.split_once(':').unwrap_or((text, ""));
    name::check_task_name(task).map_err(Diagnostic::bare)?;
    let mut call = TaskCall::bare(task);
    if arguments.is_empty() {
        return Ok(call);
    }
    for argument in split(arguments, ',', braces) {
        let parts = split(&argument, '=', braces);
        match parts.split_first() {
            Some((name, value)) if !value.is_empty() => {
                let name = unescape(name);
                name::check_variable_name(&name).map_err(Diagnostic::bare)?;
                let value = parse_given(&unescape(&value.join("=")));
                if call.named.insert(name.clone(), value).is_some() {
                    return Err(Diagnostic::bare(format!("{text}: \"{name}\" is given twice")));
                }
            }
            _ if !call.named.is_empty() => {
                let problem =
                    Diagnostic::bare(format!("{text}: \"{argument}\" stands after a named argument"));
                return Err(problem.help("arguments without a name come first"));
            }
            _ => call.positional.push(parse_given(&unescape(&argument))),
        }
    }
    Ok(call)
}

/// Reads tasks with their arguments, as a command line has them.
///
/// # Errors
/// All that is wrong with them.
pub fn parse_calls(texts: &[String]) -> Result<Vec<TaskCall>, Vec<Diagnostic>> {
    let (mut calls, mut problems) = (Vec::new(), Vec::new());
    for (at, text) in texts.iter().enumerate() {
        if assigned(text).is_some()
            && let Some(before) = at.checked_sub(1).and_then(|at| texts.get(at))
        {
            // Of several in a row the first tells.
            if assigned(before).is_none() {
                problems.push(apart(before, texts.get(at..).unwrap_or_default()));
            }
            continue;
        }
        match parse_call(text) {
            Ok(call) => calls.push(call),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(calls) } else { Err(problems) }
}

/// The name of a `name=value` that stands for itself.
fn assigned(text: &str) -> Option<&str> {
    let (name, _) = text.split_once('=')?;
    name::check_variable_name(name).ok().map(|()| name)
}

/// The problem of arguments that stand apart from their task: `deploy version=1.2`. Values are not shown.
fn apart(task: &str, words: &[String]) -> Diagnostic {
    let names: Vec<&str> = words.iter().map_while(|word| assigned(word)).collect();
    let list = names.iter().map(|name| format!("{name}=…")).collect::<Vec<_>>();
    let flags: String = names.iter().map(|name| format!(" -e {name}=…")).collect();
    let (name, others) = task.split_once(':').map_or((task, ""), |(name, _)| (name, "…,"));
    let what = if names.len() == 1 { "is an argument" } else { "are arguments" };
    Diagnostic::bare(format!("{} {what} without a task", list.join(" ")))
        .help(format!("join it to the task: {name}:{others}{}; or write{flags}", list.join(",")))
}

/// Splits at a separator that no backslash precedes and no template has in it; the backslashes stay.
fn split(text: &str, separator: char, braces: Braces) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    let mut template_end = 0;
    for (at, c) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        if braces == Braces::Template && at >= template_end && rest.starts_with("{{") {
            template_end = at + rest.find("}}").map_or(rest.len(), |end| end + 2);
        }
        if c == separator && !escaped && at >= template_end {
            parts.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

fn unescape(text: &str) -> String {
    text.replace("\\,", ",").replace("\\=", "=")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::given::Given;
    use crate::model::value::Value;

    fn values(given: &[Given]) -> Vec<&Value> {
        given.iter().map(|given| &given.value).collect()
    }

    #[test]
    fn arguments_are_positional_then_named() {
        let call = parse_call("hello:Jeff,times=3,greeting=a=b").unwrap();
        assert_eq!(call.task, "hello");
        assert_eq!(values(&call.positional), [&json!("Jeff")]);
        let named: Vec<_> =
            call.named.iter().map(|(name, given)| (name.as_str(), given.value.clone())).collect();
        assert_eq!(named, [("times", json!(3)), ("greeting", json!("a=b"))]);
    }

    #[test]
    fn separators_can_be_escaped_and_colons_need_not() {
        let call = parse_call(r"get:http://h/a\,b,x=1\=2").unwrap();
        assert_eq!(values(&call.positional), [&json!("http://h/a,b")]);
        assert_eq!(call.named.get("x").map(|given| &given.value), Some(&json!("1=2")));
    }

    #[test]
    fn a_template_of_a_file_is_not_cut() {
        let text = "deploy:{{ v | default('a,b=c') }},x={{ y == 1 }}";
        let call = parse(text, Braces::Template).unwrap();
        assert_eq!(values(&call.positional), [&json!("{{ v | default('a,b=c') }}")]);
        assert_eq!(call.named.get("x").map(|given| &given.value), Some(&json!("{{ y == 1 }}")));
        // On the command line braces mean nothing.
        assert_eq!(values(&parse_call(text).unwrap().positional), [&json!("{{ v | default('a")]);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(parse_call("hello:name=a,b").unwrap_err().message.contains("after a named argument"));
        assert!(parse_call("hello:a=1,a=2").unwrap_err().message.contains("given twice"));
    }
}
