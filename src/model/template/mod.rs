//! Templates and expressions over MiniJinja: strict, bounded, rendered once, and quoted for the shell where a
//! shell reads them. Owns what `{{ }}` means in a tasks file; refuses I/O (the environment and the clock are
//! handed in) and any other template (there is no loader, so no `include`).
//!
//! - `scope`: the variables, in layers that hosts share
//! - `parts`: which of a text's braces are template
//! - `source`: a light reading of the template for what MiniJinja only finds when it runs
//! - `doubt`: values that a dry run cannot have, and whatever needs them
//! - `record`: registered results, shared, with `lines` made when asked for
//! - `filters`, `value`: the filters, and how a value becomes text or stays a value
//! - `script`, `lexer`: a script is rendered with marks in place of its values; the lexer then walks the
//!   script as a shell would and quotes each value for the place where its mark stands
//! - `twice`: values in places that a shell evaluates once more, which are refused
//! - `reread`: values that a second shell reads, for warnings
//! - `sides`: both sides of a comparison that is false, for messages
//! - `ansible`: what to write for what only Ansible has; `lookup`: what of it variables of its inventories may call
//! - `others`: the variables of other hosts, filled in when a template looks at one
//! - `error`: what went wrong, in the words and at the place of the user's text

mod ansible;
mod builtins;
mod doubt;
mod error;
pub(crate) mod expand;
mod filters;
mod item;
mod lexer;
mod lookup;
pub(crate) mod others;
mod output;
mod parts;
mod problem;
mod record;
mod reread;
mod scope;
mod script;
mod sides;
mod source;
mod spelled;
mod templates;
pub(in crate::model) mod text;
mod twice;
mod value;
mod words;

pub use crate::model::template::builtins::Builtins;
pub use crate::model::template::item::FileCommand;
pub use crate::model::template::parts::fill;
pub use crate::model::template::problem::{MAX_EXPANSION, Syntax, TemplateError};
pub use crate::model::template::scope::{Layer, Scope};
pub use crate::model::template::templates::{
    Templates, check, count_holes, doubtful, in_ansible, names, of_another_program, paths, place,
};
pub use crate::model::template::text::TagLines;
