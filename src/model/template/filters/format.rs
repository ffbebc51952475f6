//! `format`, in bounded room: a width of a few characters asks for gigabytes.

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Error, State, Value};

use crate::model::template::filters::given::{MAX_TEXT, too_much};

/// MiniJinja's `format`, once it is certain that what it makes has room.
pub(super) fn format(
    state: &mut State<'_, '_>,
    form: &Value,
    values: Rest<ValueOrKwargs>,
) -> Result<Value, Error> {
    let asked = FormatDemand::by(form.as_str().unwrap_or_default());
    let lengths: Vec<usize> = values.iter().map(|value| length(value)).collect();
    // Each value is written once by its place, and as often as the text says by its name.
    let once = lengths.iter().fold(asked.room, |sum, length| sum.saturating_add(*length));
    let largest = lengths.iter().max().copied().unwrap_or(0);
    if once.saturating_add(asked.named.saturating_mul(largest)) > MAX_TEXT {
        return Err(too_much());
    }
    minijinja::filters::format(state, form, values)
}

/// What a format asks for, whatever it is given.
struct FormatDemand {
    /// Bytes of its own, with all widths and precisions.
    room: usize,
    /// Values by name.
    named: usize,
}

impl FormatDemand {
    fn by(form: &str) -> Self {
        let mut asked = Self { room: form.len(), named: 0 };
        let mut chars = form.chars().peekable();
        while let Some(c) = chars.next() {
            if c != '%' || chars.next_if_eq(&'%').is_some() {
                continue;
            }
            if chars.next_if_eq(&'(').is_some() {
                chars.by_ref().find(|c| *c == ')');
                asked.named += 1;
            }
            // Up to the letter that says what is written: flags, a width, a precision.
            let mut number = 0_usize;
            while let Some(c) = chars.next_if(|c| c.is_ascii_digit() || "-+ #,_.".contains(*c)) {
                number = match c.to_digit(10) {
                    Some(digit) => number.saturating_mul(10).saturating_add(digit as usize),
                    None => {
                        asked.room = asked.room.saturating_add(number);
                        0
                    }
                };
            }
            asked.room = asked.room.saturating_add(number);
        }
        asked
    }
}

/// About how long the text of a value is: of a map and a list, that of all they hold.
fn length(value: &Value) -> usize {
    /// Digits of the longest number.
    const NUMBER: usize = 400;
    match value.kind() {
        ValueKind::String => value.as_str().map_or(NUMBER, str::len),
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => value.to_string().len(),
        _ => NUMBER,
    }
}
