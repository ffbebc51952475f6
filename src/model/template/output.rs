//! What a template writes, into bounded room.

use std::io;

use minijinja::Environment;

use crate::model::template::doubt;
use crate::model::template::error::convert;
use crate::model::template::problem::{MAX_EXPANSION, Syntax, TemplateError, too_long};
use crate::model::template::scope::Root;

/// Renders a text, in the form that MiniJinja reads, into at most [`MAX_EXPANSION`] bytes.
pub(super) fn render(
    environment: &Environment<'_>,
    text: &str,
    prepared: &str,
    root: &Root,
) -> Result<String, TemplateError> {
    let failed = |error: &minijinja::Error| convert(error, text, Syntax::Text, Some(root.scope()));
    let template = environment.template_from_str(prepared).map_err(|error| failed(&error))?;
    let mut out = Bounded::default();
    let result = doubt::watch(|| template.render_captured_to(root.clone().into_value(), &mut out))?;
    if out.overflowed {
        return Err(too_long());
    }
    result.map_err(|error| failed(&error))?;
    Ok(String::from_utf8(out.bytes).expect("MiniJinja writes whole strings"))
}

/// A buffer that refuses to grow beyond [`MAX_EXPANSION`].
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_EXPANSION {
            self.overflowed = true;
            return Err(io::Error::other("the expansion is too long"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
