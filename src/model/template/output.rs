//! What a template writes, into bounded room.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use minijinja::Environment;

use crate::model::template::doubt;
use crate::model::template::error::convert;
use crate::model::template::problem::{MAX_EXPANSION, Syntax, TemplateError, at, too_long};
use crate::model::template::scope::Root;

/// Renders a text, in the form that MiniJinja reads, into at most [`MAX_EXPANSION`] bytes.
pub(super) fn render(
    environment: &Environment<'_>,
    text: &str,
    prepared: &str,
    root: &Root,
) -> Result<String, TemplateError> {
    let failed = |error: &minijinja::Error| convert(error, text, Syntax::Text, Some(root.scope()));
    let template =
        guarded(text, || environment.template_from_str(prepared))?.map_err(|error| failed(&error))?;
    let mut out = Bounded::default();
    let rendering = || guarded(text, || template.render_captured_to(root.clone().into_value(), &mut out));
    let result = doubt::watch(rendering)??;
    if out.overflowed {
        return Err(too_long());
    }
    result.map_err(|error| failed(&error))?;
    Ok(String::from_utf8(out.bytes).expect("MiniJinja writes whole strings"))
}

/// Runs the engine, which calculates with what hosts say: where it stumbles over a number that no bound was thought of for
/// (a slice's step of `-9223372036854775808`), the template is wrong, and the run goes on.
pub(super) fn guarded<T>(text: &str, engine: impl FnOnce() -> T) -> Result<T, TemplateError> {
    catch_unwind(AssertUnwindSafe(engine)).map_err(|_| {
        let help = "look for a number without measure, in a slice for one".to_owned();
        at(text, 0, "the template cannot be calculated", Some(help))
    })
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
