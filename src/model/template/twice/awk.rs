//! What a program of awk has a shell run. Owns where it hands texts over; refuses to judge them.

/// Whether a program calls `system`, prints into a command or reads from one.
pub(super) fn runs_lines(program: &str) -> bool {
    let mut before = ' ';
    let mut word = String::new();
    let mut chars = program.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => skip(&mut chars, '"'),
            // A division has a value before it.
            '/' if !(before.is_alphanumeric() || matches!(before, '_' | ')' | ']' | '$')) => {
                skip(&mut chars, '/')
            }
            '#' => {
                chars.by_ref().find(|c| *c == '\n');
            }
            '|' if chars.next_if_eq(&'|').is_none() => return true,
            // Gawk calls the function that a variable names.
            '@' => return true,
            _ => {}
        }
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
        } else {
            word.clear();
        }
        if word == "system" && !chars.peek().is_some_and(|next| next.is_alphanumeric() || *next == '_') {
            return true;
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    false
}

/// Passes over the rest of a text, up to its end.
fn skip(chars: &mut impl Iterator<Item = char>, end: char) {
    while let Some(c) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == end {
            return;
        }
    }
}
