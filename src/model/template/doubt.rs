//! Values that cannot be known: what a step that a dry run leaves out would have said. Owns how "not known" travels.
//!
//! It does not travel with values, which comparisons and filters would look through, but with the evaluation: whatever
//! looks such a variable up is not known as a whole, also when it failed over it. What never comes to look, because
//! `and`, `or` or `if` decided before, is known. That a variable is defined is known of one whose value is not.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, State, Value};

use crate::model::template::problem::TemplateError;

thread_local! {
    /// The names of such variables that the evaluation of this thread has looked up. One never waits for another thread,
    /// and a look-up in MiniJinja has no way to the evaluation that it is for.
    static LOOKED_UP: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// The end of the message of what is not known.
const NOT_KNOWN: &str = " is not known in a dry run";

/// Stands for a value that is not known, and for all that is in it.
#[derive(Debug)]
struct NotKnown {
    /// It is a variable, and no part of one.
    whole: bool,
}

impl NotKnown {
    fn part() -> Value {
        Value::from_object(Self { whole: false })
    }
}

impl Object for NotKnown {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, _key: &Value) -> Option<Value> {
        Some(Self::part())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, _args: &[Value]) -> Result<Value, Error> {
        Ok(Self::part())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        _method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        Ok(Self::part())
    }

    fn render(self: &Arc<Self>, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// The value of a variable that is not known.
pub(super) fn value() -> Value {
    Value::from_object(NotKnown { whole: true })
}

pub(super) fn is_not_known(value: &Value) -> bool {
    value.downcast_object_ref::<NotKnown>().is_some()
}

/// Notes that a variable is looked up.
pub(super) fn note(name: &str, value: &Value) {
    if is_not_known(value) {
        LOOKED_UP.with_borrow_mut(|names| names.push(name.to_owned()));
    }
}

/// The test `defined`, which only looks whether there is a variable.
pub(super) fn is_defined(value: &Value) -> bool {
    if value.downcast_object_ref::<NotKnown>().is_some_and(|it| it.whole) {
        // It is what was looked up last.
        LOOKED_UP.with_borrow_mut(|names| drop(names.pop()));
    }
    !value.is_undefined()
}

/// Evaluates something.
///
/// # Errors
///
/// It needs what is not known.
pub(super) fn watch<T>(evaluation: impl FnOnce() -> T) -> Result<T, TemplateError> {
    let before = LOOKED_UP.take();
    let result = evaluation();
    let looked_up = LOOKED_UP.replace(before);
    match looked_up.into_iter().next() {
        None => Ok(result),
        Some(name) => {
            Err(TemplateError { line: 1, column: None, message: format!("{name:?}{NOT_KNOWN}"), help: None })
        }
    }
}

impl TemplateError {
    /// Nothing is wrong: a value is needed that a dry run cannot have.
    pub fn is_not_known(&self) -> bool {
        self.message.ends_with(NOT_KNOWN)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::template::builtins::Builtins;
    use crate::model::template::scope::{HostLookup, Layer, Scope};
    use crate::model::template::templates::Templates;
    use crate::model::value::Vars;

    fn templates() -> Templates {
        Templates::new(&Builtins::default())
    }

    fn scope() -> Scope {
        let vars: Vars = json!({"yes": true, "no": false, "list": [1]}).as_object().unwrap().clone();
        let mut layer = Layer::new(&vars);
        layer.doubt(["out"]);
        let other = Scope::new().with(layer.clone());
        let lookup: Arc<HostLookup> = Arc::new(move |host: &str| (host == "h1").then(|| other.clone()));
        Scope::new().with(Layer::of_hosts("hostvars", Arc::from(["h1".to_owned()]), lookup)).with(layer)
    }

    #[test]
    fn what_looks_at_it_is_not_known() {
        let (templates, scope) = (templates(), scope());
        for expression in [
            "out",
            "out.stdout",
            "out.rc == 0",
            "out.rc != 0",
            "not out.ok",
            "out == out",
            "out.stdout | trim | int > 3",
            "out.lines | length",
            "out.stdout | from_json",
            "'x' in out.stdout",
            "out.stdout ~ 'x'",
            "out.lines[0]",
            "out['stdout'].strip()",
            "out | default('x')",
            "out.nosuch | default('x')",
            "out.nosuch is defined",
            "out.stdout is string",
            "yes and out.ok",
            "no or out.ok",
            "1 if out.ok else 2",
            "[out.stdout, 1]",
            "list | map('string') | join(out.stdout)",
            "hostvars.h1.out.stdout",
            "hostvars['h1']['out']",
        ] {
            let error = templates.eval_value(expression, &scope).unwrap_err();
            assert!(error.is_not_known(), "{expression}: {error:?}");
            assert_eq!(error.message, "\"out\" is not known in a dry run");
        }
        for text in [
            "{{ out.stdout }}",
            "a {{ out }}",
            "{% for line in out.lines %}{{ line }}{% endfor %}",
            "{% if out.ok %}x{% endif %}",
            "{% set x = out.rc %}{{ x }}",
        ] {
            assert!(templates.render_text(text, &scope).unwrap_err().is_not_known(), "{text}");
            assert!(templates.render_script(text, &scope).unwrap_err().is_not_known(), "{text}");
        }
    }

    #[test]
    fn what_is_decided_before_is_known() {
        let (templates, scope) = (templates(), scope());
        for (expression, value) in [
            ("out is defined", json!(true)),
            ("out is not defined", json!(false)),
            ("out is undefined", json!(false)),
            ("nosuch is defined", json!(false)),
            ("yes or out.ok", json!(true)),
            ("no and out.ok", json!(false)),
            ("1 if yes else out.rc", json!(1)),
            ("out is defined and yes", json!(true)),
            ("hostvars.h1.list[0]", json!(1)),
            ("hostvars.h1.out is defined", json!(true)),
        ] {
            assert_eq!(templates.eval_value(expression, &scope), Ok(value), "{expression}");
        }
        // One evaluation says nothing about the next.
        assert!(templates.eval_value("out", &scope).is_err());
        assert_eq!(templates.eval_value("yes", &scope), Ok(json!(true)));
        assert!(!templates.eval_value("nosuch", &scope).unwrap_err().is_not_known());
    }
}
