//! Tasks with arguments on the command line, as Fabric writes them: `deploy`, `hello:Jeff`, `hello:name=Jeff,b=2`.

use crate::config;
use crate::engine::planner::TaskCall;
use crate::model::name;
use crate::model::position::Diagnostic;

/// Reads one `TASK[:ARGS]`. Arguments are YAML scalars; `\,` and `\=` stand for themselves.
pub(super) fn parse(text: &str) -> Result<TaskCall, Diagnostic> {
    let (task, arguments) = text.split_once(':').unwrap_or((text, ""));
    name::check_task_name(task).map_err(Diagnostic::bare)?;
    let mut call = TaskCall::bare(task);
    if arguments.is_empty() {
        return Ok(call);
    }
    for argument in split(arguments, ',') {
        let parts = split(&argument, '=');
        match parts.split_first() {
            Some((name, value)) if !value.is_empty() => {
                let name = unescape(name);
                name::check_variable_name(&name).map_err(Diagnostic::bare)?;
                let value = config::parse_given(&unescape(&value.join("=")));
                if call.named.insert(name.clone(), value).is_some() {
                    return Err(Diagnostic::bare(format!("{text}: \"{name}\" is given twice")));
                }
            }
            _ if !call.named.is_empty() => {
                let problem =
                    Diagnostic::bare(format!("{text}: \"{argument}\" stands after a named argument"));
                return Err(problem.help("arguments without a name come first"));
            }
            _ => call.positional.push(config::parse_given(&unescape(&argument))),
        }
    }
    Ok(call)
}

/// Splits at a separator that no backslash precedes; the backslashes stay.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == separator && !escaped {
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
        let call = parse("hello:Jeff,times=3,greeting=a=b").unwrap();
        assert_eq!(call.task, "hello");
        assert_eq!(values(&call.positional), [&json!("Jeff")]);
        let named: Vec<_> =
            call.named.iter().map(|(name, given)| (name.as_str(), given.value.clone())).collect();
        assert_eq!(named, [("times", json!(3)), ("greeting", json!("a=b"))]);
    }

    #[test]
    fn separators_can_be_escaped_and_colons_need_not() {
        let call = parse(r"get:http://h/a\,b,x=1\=2").unwrap();
        assert_eq!(values(&call.positional), [&json!("http://h/a,b")]);
        assert_eq!(call.named.get("x").map(|given| &given.value), Some(&json!("1=2")));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(parse("hello:name=a,b").unwrap_err().message.contains("after a named argument"));
        assert!(parse("hello:a=1,a=2").unwrap_err().message.contains("given twice"));
    }
}
