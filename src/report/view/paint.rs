//! Cells to what a terminal is sent: only those that changed, with the movements between them.

use std::fmt::Write;

use ratatui_core::buffer::{Buffer, Cell};
use ratatui_core::style::{Color, Modifier};

use crate::model::cells::width;

/// Clears the screen before all of it is painted.
const CLEAR: &str = "\x1b[0m\x1b[2J";

/// What turns one frame into another; the whole screen without one before.
pub(super) fn paint(before: Option<&Buffer>, now: &Buffer, colour: bool) -> String {
    let blank = Buffer::empty(now.area);
    let same_size = before.filter(|before| before.area == now.area);
    let mut text = if same_size.is_some() { String::new() } else { CLEAR.to_owned() };
    let mut cursor = None;
    let mut style = String::new();
    for (x, y, cell) in same_size.unwrap_or(&blank).diff(now) {
        if cursor != Some((x, y)) {
            let _ = write!(text, "\x1b[{};{}H", y + 1, x + 1);
        }
        let wanted = sgr(cell, colour);
        if wanted != style {
            text.push_str("\x1b[0m");
            text.push_str(&wanted);
            style = wanted;
        }
        text.push_str(cell.symbol());
        let cells = u16::try_from(width(cell.symbol()).max(1)).unwrap_or(1);
        cursor = Some((x.saturating_add(cells), y));
    }
    if !style.is_empty() {
        text.push_str("\x1b[0m");
    }
    text
}

/// What switches a cell's style on.
fn sgr(cell: &Cell, colour: bool) -> String {
    let mut codes: Vec<&str> = Vec::new();
    for (modifier, code) in
        [(Modifier::BOLD, "1"), (Modifier::DIM, "2"), (Modifier::UNDERLINED, "4"), (Modifier::REVERSED, "7")]
    {
        if cell.modifier.contains(modifier) {
            codes.push(code);
        }
    }
    let code = match cell.fg {
        Color::Red => "31",
        Color::Green => "32",
        Color::Yellow => "33",
        Color::Cyan => "36",
        // The pages use no others.
        _ => "",
    };
    if colour && !code.is_empty() {
        codes.push(code);
    }
    if codes.is_empty() { String::new() } else { format!("\x1b[{}m", codes.join(";")) }
}
