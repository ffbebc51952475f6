//! Renders a script in two steps: MiniJinja writes a mark for each value, then the lexer puts each value where
//! its mark stands, quoted for that place. Owns the marks; refuses to know the shell's grammar.
//!
//! A mark is a number between two NUL bytes; that of a file which is not known yet, `HOLE` of `item`. Nothing else can write one:
//! NUL is refused in the template's text, in unquoted (`raw`) text and in values.

use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Object, ValueKind};
use minijinja::{Environment, Output, State, Value};

use crate::model::template::item::{Rendered, ScriptItem};
use crate::model::template::lexer::seen::ValueRefusal;
use crate::model::template::lexer::substitute;
use crate::model::template::output::render as render_marked;
use crate::model::template::problem::{MAX_EXPANSION, TemplateError, ValueProblem, too_long};
use crate::model::template::scope::{Root, Scope};
use crate::model::template::spelled::Spelled;
use crate::model::template::value::{Formatted, is_nothing, to_text, to_texts, write};

/// A script's template.
#[derive(Clone, Copy)]
pub(super) struct ScriptSource<'a> {
    /// As it was written, for the places of errors.
    pub text: &'a str,
    /// As MiniJinja reads it.
    pub prepared: &'a str,
}

/// The values of one rendering, in the order in which they were written.
#[derive(Debug, Default)]
struct MarkRecorder {
    items: Mutex<RecordedItems>,
    /// The value at which to stop, and why: a second rendering finds out where that value is in the text.
    stop: Option<(usize, ValueProblem)>,
}

#[derive(Debug, Default)]
struct RecordedItems {
    items: Vec<ScriptItem>,
    bytes: usize,
}

impl Object for MarkRecorder {}

/// Renders a script with its values quoted.
pub(super) fn render(
    environment: &Environment<'_>,
    source: ScriptSource<'_>,
    scope: &Scope,
) -> Result<Rendered, TemplateError> {
    let recorder = Arc::new(MarkRecorder::default());
    let marked = render_with(environment, source, scope, &recorder)?;
    let items = {
        let mut recorded = recorder.items.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut recorded.items)
    };
    match substitute(&marked, &items) {
        Ok(rendered) if rendered.script.len() <= MAX_EXPANSION => Ok(rendered),
        Ok(_) => Err(too_long()),
        Err(ValueRefusal { item, problem }) => {
            let again =
                Arc::new(MarkRecorder { stop: Some((item, problem.clone())), ..MarkRecorder::default() });
            match render_with(environment, source, scope, &again) {
                Err(error) => Err(error),
                // A template cannot render differently the second time; if one did, the refusal still holds.
                Ok(_) => Err(problem.into_error(source.text, 0, "a value")),
            }
        }
    }
}

fn render_with(
    environment: &Environment<'_>,
    source: ScriptSource<'_>,
    scope: &Scope,
    recorder: &Arc<MarkRecorder>,
) -> Result<String, TemplateError> {
    let root = Root::new(scope, Some(Value::from_dyn_object(Arc::clone(recorder))));
    render_marked(environment, source.text, source.prepared, &root)
}

/// The formatter of scripts: records the value and writes its mark.
pub(super) fn write_mark(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Formatted {
    if is_nothing(value) {
        return Ok(());
    }
    let extra = Root::extra(state);
    let recorder = extra.as_ref().and_then(Value::downcast_object_ref::<MarkRecorder>);
    let recorder = recorder.expect("every script is rendered with a recorder");
    if let Some(Spelled::Raw(text)) = value.downcast_object_ref::<Spelled>() {
        return if text.contains('\0') { Err(ValueProblem::Nul.into()) } else { write(out, state, text) };
    }
    let index = recorder.record(value)?;
    write(out, state, &format!("\0{index}\0"))
}

impl MarkRecorder {
    fn record(&self, value: &Value) -> Result<usize, ValueProblem> {
        let item = item(value)?;
        let mut recorded = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let index = recorded.items.len();
        if let Some((_, problem)) = self.stop.as_ref().filter(|(at, _)| *at == index) {
            return Err(problem.clone());
        }
        recorded.bytes += item.len();
        if recorded.bytes > MAX_EXPANSION {
            return Err(ValueProblem::TooLong);
        }
        recorded.items.push(item);
        Ok(index)
    }
}

fn item(value: &Value) -> Result<ScriptItem, ValueProblem> {
    if let Some(Spelled::Quoted { plain, text }) = value.downcast_object_ref::<Spelled>() {
        return Ok(match item(plain)? {
            ScriptItem::Word { plain, .. } => {
                ScriptItem::Word { plain, quoted: Some(without_nul(text.clone())?) }
            }
            words @ ScriptItem::Words(_) => words,
        });
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let words = to_texts(value)?.into_iter().map(without_nul);
            Ok(ScriptItem::Words(words.collect::<Result<_, _>>()?))
        }
        _ => Ok(ScriptItem::Word { plain: without_nul(to_text(value)?)?, quoted: None }),
    }
}

fn without_nul(text: String) -> Result<String, ValueProblem> {
    if text.contains('\0') { Err(ValueProblem::Nul) } else { Ok(text) }
}
