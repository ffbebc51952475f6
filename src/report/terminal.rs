//! The one owner of a terminal's cursor: lines scroll above, a few lines of bars stay below.
//!
//! It knows nothing of runs. Bars are drawn by it rather than by a library so that they go through the
//! same queue as the lines: neither can tear the other, and a stopped terminal stops nobody.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::report::queue::DroppingWriter;

/// With more than this waiting, the terminal is too slow for bars.
const TOO_MUCH: usize = 64 * 1024;

/// A handle on a terminal; clones share it. As a writer it takes whole lines and puts them above the bars.
#[derive(Clone)]
pub struct Terminal {
    screen: Arc<Mutex<Screen>>,
}

struct Screen {
    queue: DroppingWriter,
    /// The bars as bytes, each line with its end.
    bars: Vec<u8>,
    /// How many lines of bars stand below the text; the cursor is at the start of the line after them.
    drawn: usize,
}

impl Terminal {
    /// A terminal behind a queue, which nothing else writes to from now on.
    pub fn new(queue: DroppingWriter) -> Self {
        Self { screen: Arc::new(Mutex::new(Screen { queue, bars: Vec::new(), drawn: 0 })) }
    }

    /// Replaces the bars. Each line must be narrower than the terminal and safe to print.
    ///
    /// A terminal that is behind is left alone: lines matter more than bars.
    pub fn show(&self, lines: &[String]) {
        let mut screen = self.lock();
        if screen.queue.pending() > TOO_MUCH {
            return;
        }
        let bars: Vec<u8> = lines.iter().flat_map(|line| line.bytes().chain([b'\n'])).collect();
        if bars == screen.bars && screen.drawn == lines.len() {
            return;
        }
        screen.bars = bars;
        let mut update = screen.erase();
        update.extend_from_slice(&screen.bars);
        screen.drawn = lines.len();
        screen.queue.control(&update);
    }

    /// Takes the bars away.
    pub fn hide(&self) {
        let mut screen = self.lock();
        screen.bars.clear();
        let update = screen.erase();
        if !update.is_empty() {
            screen.queue.control(&update);
        }
    }

    /// Takes the bars away and waits for the terminal to take everything, `patience` at most.
    pub fn clear(&self, patience: Duration) {
        self.hide();
        self.lock().queue.settle(patience);
    }

    /// Takes the bars away and waits for the terminal to take everything, `patience` at most; nothing can
    /// be written after that. Returns whether it did.
    pub fn finish(&self, patience: Duration) -> bool {
        self.hide();
        self.lock().queue.finish(patience)
    }

    fn lock(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Screen {
    /// What moves the cursor to the first line of the bars and clears from there.
    fn erase(&mut self) -> Vec<u8> {
        match std::mem::take(&mut self.drawn) {
            0 => Vec::new(),
            lines => format!("\x1b[{lines}A\r\x1b[J").into_bytes(),
        }
    }
}

impl Write for Terminal {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut guard = self.lock();
        let screen = &mut *guard;
        let erase = screen.erase();
        if !erase.is_empty() {
            screen.queue.control(&erase);
        }
        screen.queue.write_all(data)?;
        // Put back at once: bars that wait for the next `show` would flicker under steady output.
        if data.ends_with(b"\n") && !screen.bars.is_empty() && screen.queue.pending() <= TOO_MUCH {
            screen.queue.control(&screen.bars);
            screen.drawn = screen.bars.iter().filter(|&&byte| byte == b'\n').count();
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use crate::report::queue::DroppingWriter;
    use crate::report::samples::{Captured, Gate};
    use crate::report::terminal::Terminal;

    const LONG: Duration = Duration::from_secs(60);

    fn terminal(below: Box<dyn Write + Send>) -> Terminal {
        Terminal::new(DroppingWriter::new(below, DroppingWriter::LIMIT).unwrap())
    }

    #[test]
    fn lines_go_above_the_bars() {
        let captured = Captured::default();
        let mut terminal = terminal(Box::new(captured.clone()));
        terminal.show(&["bar 1".into(), "bar 2".into()]);
        terminal.write_all(b"web1 | a\n").unwrap();
        terminal.show(&["bar 1".into(), "bar 2".into()]);
        terminal.show(&["bar 3".into()]);
        assert!(terminal.finish(LONG));
        insta::assert_snapshot!(captured.text().escape_debug().to_string().replace("\\n", "\n"), @r#"
        bar 1
        bar 2
        \u{1b}[2A\r\u{1b}[Jweb1 | a
        bar 1
        bar 2
        \u{1b}[2A\r\u{1b}[Jbar 3
        \u{1b}[1A\r\u{1b}[J
        "#);
    }

    #[test]
    fn a_stopped_terminal_gets_no_bars_and_blocks_nobody() {
        let gate = Gate::closed();
        let mut terminal = terminal(Box::new(gate.clone()));
        terminal.show(&["bar".into()]);
        gate.wait_until_entered();
        for _ in 0..2000 {
            terminal.write_all("x".repeat(99).as_bytes()).unwrap();
            terminal.write_all(b"\n").unwrap();
            terminal.show(&["another bar".into()]);
        }
        assert!(!terminal.finish(Duration::ZERO));
        gate.open();
        assert!(terminal.finish(LONG));
        // Drawn while little was waiting, then no more.
        assert!(gate.text().matches("bar").count() < 1500, "{}", gate.text().matches("bar").count());
        assert!(gate.text().ends_with('\n'));
    }
}
