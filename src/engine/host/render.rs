//! Templates of a step, filled in with what its host sees.

use crate::model::outcome::{Failure, Kind};
use crate::model::position::Position;
use crate::model::task::{Template, TemplateText};
use crate::model::template::{FileCommand, Scope, TemplateError, Templates};
use crate::model::value::Value;

/// Fills in templates in one scope. An error is the failure of a step, which says where the template stands.
#[derive(Clone, Copy)]
pub(crate) struct Render<'a> {
    pub(crate) templates: &'a Templates,
    pub(crate) scope: &'a Scope,
}

impl<'a> Render<'a> {
    /// The same with another scope.
    pub(crate) fn within<'s>(self, scope: &'s Scope) -> Render<'s>
    where
        'a: 's,
    {
        Render { templates: self.templates, scope }
    }

    /// A text.
    pub(crate) fn text(self, text: &TemplateText) -> Result<String, Failure> {
        self.templates.render_text(&text.value, self.scope).map_err(|error| failed(&error, &text.position))
    }

    /// A pattern of paths, in which values stand for themselves.
    pub(crate) fn pattern(self, text: &TemplateText) -> Result<String, Failure> {
        self.templates.render_pattern(&text.value, self.scope).map_err(|error| failed(&error, &text.position))
    }

    /// A text for a shell, its values quoted.
    pub(crate) fn script(self, text: &TemplateText) -> Result<String, Failure> {
        self.templates.render_script(&text.value, self.scope).map_err(|error| failed(&error, &text.position))
    }

    /// A command that looks at a file.
    pub(crate) fn check(self, text: &TemplateText) -> Result<FileCommand, Failure> {
        self.templates.render_check(&text.value, self.scope).map_err(|error| failed(&error, &text.position))
    }

    /// A value.
    pub(crate) fn value(self, template: &Template) -> Result<Value, Failure> {
        let value = self.templates.render_value(template, self.scope);
        value.map_err(|error| failed(&error.value, &error.position))
    }

    /// What an expression comes to.
    pub(crate) fn expression(self, expression: &TemplateText) -> Result<Value, Failure> {
        let value = self.templates.eval_value(&expression.value, self.scope);
        value.map_err(|error| failed(&error, &expression.position))
    }

    /// Whether an expression is true.
    pub(crate) fn holds(self, expression: &TemplateText) -> Result<bool, Failure> {
        let verdict = self.templates.eval_bool(&expression.value, self.scope);
        verdict.map_err(|error| failed(&error, &expression.position))
    }
}

/// A template's error as the failure of a step.
pub(crate) fn failed(error: &TemplateError, at: &Position) -> Failure {
    let kind = if error.is_not_known() { Kind::NotKnown } else { Kind::Template };
    let failure = Failure::new(kind, error.message.clone()).at(format!("{}:{}", at.file, at.line));
    Failure { hint: error.help.clone(), ..failure }
}
