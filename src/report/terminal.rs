//! The one owner of a terminal's cursor: lines scroll above, a few lines of bars stay below.
//!
//! It knows nothing of runs. What the bars are is [`bars`]' work; they are painted here so that they go through the
//! same queue as the lines: neither can tear the other, and a stopped terminal stops nobody.
//!
//! [`bars`]: crate::report::bars
//!
//! It asks for its window before each movement instead of waiting for SIGWINCH: what counts is how wide the
//! window is when the cursor moves, and a signal may come after that.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::cells::{clip, width};
use crate::report::queue::DroppingWriter;

/// With more than this waiting, the terminal is too slow for bars.
const TOO_MUCH: usize = 64 * 1024;

/// Size of a terminal in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Cells in a line.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
}

/// What a terminal is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How large it is.
    pub size: Size,
    /// Whether we are in its foreground: in the background (`bg`) the screen is the shell's.
    pub ours: bool,
    /// Whether it wraps lines anew when it is made narrower. One that does not cuts them off.
    pub rewraps: bool,
}

/// A handle on a terminal; clones share it. As a writer it takes whole lines and puts them above the bars.
#[derive(Clone)]
pub struct Terminal {
    screen: Arc<Mutex<Screen>>,
}

struct Screen {
    queue: DroppingWriter,
    look: Box<dyn Fn() -> Window + Send>,
    /// The bars that are wanted.
    bars: Vec<String>,
    /// Cells of each line of bars that stands below the text; the cursor is at the start of the line after them.
    drawn: Vec<usize>,
    /// The process is about to be stopped, or is.
    suspended: bool,
    /// What lines wait for while something else has the whole screen.
    view: Option<ViewScreen>,
    /// How often the whole screen was taken: what was painted before is not there any more.
    taken: u64,
}

/// Lines that are written while something else has the screen: they come when it is left.
#[derive(Default)]
struct ViewScreen {
    held: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that had to go.
    dropped: usize,
}

impl ViewScreen {
    fn hold(&mut self, data: &[u8]) {
        self.bytes += data.len();
        self.held.push_back(data.to_vec());
        while self.bytes > DroppingWriter::LIMIT {
            let Some(first) = self.held.pop_front() else { break };
            self.bytes -= first.len();
            self.dropped += first.iter().filter(|&&byte| byte == b'\n').count();
        }
    }
}

/// Takes the whole screen, and gives it back with the lines that were there.
const TAKE: &[u8] = b"\x1b[?1049h\x1b[?25l";
const GIVE_BACK: &[u8] = b"\x1b[?25h\x1b[?1049l";

impl Terminal {
    /// A terminal behind a queue, which nothing else writes to from now on; `look` tells what it is now.
    pub fn new(queue: DroppingWriter, look: impl Fn() -> Window + Send + 'static) -> Self {
        let look = Box::new(look);
        let (bars, drawn) = (Vec::new(), Vec::new());
        let screen = Screen { queue, look, bars, drawn, suspended: false, view: None, taken: 0 };
        Self { screen: Arc::new(Mutex::new(screen)) }
    }

    /// What it is now.
    pub fn window(&self) -> Window {
        (self.lock().look)()
    }

    /// Replaces the bars. Each line must be safe to print; it is cut where the window ends.
    ///
    /// A terminal that is behind is left alone: lines matter more than bars.
    pub fn show(&self, mut lines: Vec<String>) {
        let mut screen = self.lock();
        if screen.suspended || screen.view.is_some() || screen.queue.pending() > TOO_MUCH {
            return;
        }
        let window = (screen.look)();
        if !window.ours {
            screen.bars.clear();
            return screen.clear();
        }
        cut(&mut lines, window);
        if lines == screen.bars && screen.drawn.len() == lines.len() {
            return;
        }
        screen.bars = lines;
        // Over the old ones, so that cells that stay the same are never blank in between.
        let mut update = screen.up_to_first_bar(window);
        for line in &screen.bars {
            update.push_str(line);
            update.push_str("\x1b[K\n");
        }
        update.push_str("\x1b[J");
        screen.drawn = widths(&screen.bars);
        screen.queue.control(update.as_bytes());
    }

    /// Takes the whole screen. Lines are held until it is given back.
    pub fn open_view(&self) {
        let mut screen = self.lock();
        if screen.view.is_none() {
            screen.bars.clear();
            screen.clear();
            screen.view = Some(ViewScreen::default());
            screen.take();
        }
    }

    /// Gives the screen back, with the lines that came meanwhile.
    pub fn close_view(&self) {
        let mut guard = self.lock();
        let screen = &mut *guard;
        let Some(ViewScreen { held, dropped, .. }) = screen.view.take() else { return };
        if !screen.suspended {
            screen.queue.control(GIVE_BACK);
        }
        if dropped > 0 {
            let note = format!("fan: {dropped} lines that came during the view are left out\n");
            screen.queue.lines_between(b"", note.as_bytes(), b"");
        }
        for lines in held {
            screen.queue.lines_between(b"", &lines, b"");
        }
    }

    /// Paints on the screen that was taken; false when it was not, as the terminal is behind or someone else's.
    pub fn paint_view(&self, update: &str) -> bool {
        let screen = self.lock();
        let is_free = screen.view.is_some() && !screen.suspended && screen.queue.pending() <= TOO_MUCH;
        if is_free {
            screen.queue.control(update.as_bytes());
        }
        is_free
    }

    /// Counts how often the whole screen was taken: what was painted on an earlier one is gone.
    pub fn view_number(&self) -> u64 {
        self.lock().taken
    }

    /// Takes the bars away.
    pub fn hide(&self) {
        let mut screen = self.lock();
        screen.bars.clear();
        screen.clear();
    }

    /// Takes the bars away and waits for the terminal to take everything, `patience` at most.
    pub fn clear(&self, patience: Duration) {
        self.hide();
        self.lock().queue.settle(patience);
    }

    /// Leaves the terminal to another program, without bars, until [`Self::resume`]: the process is about to be stopped.
    pub fn suspend(&self, patience: Duration) {
        let mut screen = self.lock();
        screen.suspended = true;
        screen.clear();
        if screen.view.is_some() {
            screen.queue.control(GIVE_BACK);
        }
        screen.queue.settle(patience);
    }

    /// Takes the terminal back. What stands on it is not known any more.
    pub fn resume(&self) {
        let mut screen = self.lock();
        screen.suspended = false;
        screen.drawn.clear();
        if screen.view.is_some() {
            screen.take();
        }
    }

    /// Takes the bars away and waits for the terminal to take everything, `patience` at most; nothing can
    /// be written after that. Returns whether it did.
    pub fn finish(&self, patience: Duration) -> bool {
        self.close_view();
        self.hide();
        self.lock().queue.finish(patience)
    }

    fn lock(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts lines so that none wraps.
fn cut(lines: &mut [String], window: Window) {
    for line in lines {
        // A tab jumps; a space does not.
        *line = clip(&line.replace('\t', " "), window.size.columns.saturating_sub(1)).to_owned();
    }
}

/// Cells of each line.
fn widths(lines: &[String]) -> Vec<usize> {
    lines.iter().map(|line| width(line)).collect()
}

impl Screen {
    /// What moves the cursor to the first line of the bars, which count as gone from then on.
    fn up_to_first_bar(&mut self, window: Window) -> String {
        let drawn = std::mem::take(&mut self.drawn);
        if drawn.is_empty() {
            return String::new();
        }
        let columns = window.size.columns.max(1);
        let rows_of = |cells: usize| if window.rewraps { cells.div_ceil(columns).max(1) } else { 1 };
        format!("\x1b[{}A\r", drawn.into_iter().map(rows_of).sum::<usize>())
    }

    /// Takes the whole screen, if it is ours.
    fn take(&mut self) {
        self.taken += 1;
        if (self.look)().ours {
            self.queue.control(TAKE);
        }
    }

    fn erase(&mut self, window: Window) -> String {
        let movement = self.up_to_first_bar(window);
        if movement.is_empty() { movement } else { movement + "\x1b[J" }
    }

    fn clear(&mut self) {
        if !self.drawn.is_empty() {
            let window = (self.look)();
            let update = self.erase(window);
            self.queue.control(update.as_bytes());
        }
    }
}

impl Write for Terminal {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut guard = self.lock();
        let screen = &mut *guard;
        if let Some(view) = &mut screen.view {
            view.hold(data);
            return Ok(data.len());
        }
        if screen.bars.is_empty() && screen.drawn.is_empty() {
            screen.queue.write_all(data)?;
            return Ok(data.len());
        }
        let window = (screen.look)();
        let before = screen.erase(window);
        let mut after = String::new();
        // Put back at once: bars that wait for the next `show` would flicker under steady output.
        let free = !screen.suspended && window.ours && screen.queue.pending() <= TOO_MUCH;
        if data.ends_with(b"\n") && free {
            cut(&mut screen.bars, window);
            for bar in &screen.bars {
                after.push_str(bar);
                after.push('\n');
            }
            screen.drawn = widths(&screen.bars);
        }
        screen.queue.lines_between(before.as_bytes(), data, after.as_bytes());
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use crate::report::queue::DroppingWriter;
    use crate::report::terminal::{Size, Terminal, Window};
    use crate::report::tests::samples::{Captured, Gate};

    const LONG: Duration = Duration::from_secs(60);

    const WINDOW: Window = Window { size: Size { columns: 80, rows: 24 }, ours: true, rewraps: true };

    fn terminal(below: Box<dyn Write + Send>) -> Terminal {
        Terminal::new(DroppingWriter::new(below, DroppingWriter::LIMIT).unwrap(), || WINDOW)
    }

    fn bars<const N: usize>(lines: [&str; N]) -> Vec<String> {
        lines.map(str::to_owned).to_vec()
    }

    fn shown(captured: &Captured) -> String {
        captured.text().escape_debug().to_string().replace("\\n", "\n").replace("\\u{1b}", "ESC")
    }

    /// A terminal whose window the test changes.
    fn changing() -> (Terminal, Captured, Arc<Mutex<Window>>) {
        let captured = Captured::default();
        let window = Arc::new(Mutex::new(WINDOW));
        let seen = Arc::clone(&window);
        let queue = DroppingWriter::new(Box::new(captured.clone()), DroppingWriter::LIMIT).unwrap();
        (Terminal::new(queue, move || *seen.lock().unwrap()), captured, window)
    }

    #[test]
    fn bars_that_a_narrower_window_wrapped_are_found_again() {
        for (rewraps, up) in [(true, 5), (false, 3)] {
            let (mut terminal, captured, window) = changing();
            terminal.show(vec!["x".repeat(60), "short".into(), "y".repeat(79)]);
            *window.lock().unwrap() = Window { size: Size { columns: 40, rows: 10 }, rewraps, ..WINDOW };
            terminal.write_all(b"line\n").unwrap();
            assert!(terminal.finish(LONG));
            let text = captured.text();
            let (_, after) = text.split_once("\x1b[J").unwrap();
            let put_back = format!("{}\nshort\n{}\n", "x".repeat(39), "y".repeat(39));
            assert_eq!(after, format!("\x1b[{up}A\r\x1b[Jline\n{put_back}\x1b[3A\r\x1b[J"));
        }
    }

    #[test]
    fn a_suspended_terminal_gets_no_bars_and_nothing_is_erased_after_it() {
        let (mut terminal, captured, _) = changing();
        terminal.show(bars(["bar"]));
        terminal.suspend(LONG);
        terminal.show(bars(["no bar"]));
        terminal.write_all(b"line\n").unwrap();
        terminal.resume();
        terminal.show(bars(["again"]));
        assert!(terminal.finish(LONG));
        insta::assert_snapshot!(shown(&captured), @r"
        barESC[K
        ESC[JESC[1A\rESC[Jline
        againESC[K
        ESC[JESC[1A\rESC[J
        ");
    }

    #[test]
    fn in_the_background_there_are_no_bars() {
        let (mut terminal, captured, window) = changing();
        terminal.show(bars(["bar"]));
        *window.lock().unwrap() = Window { ours: false, ..WINDOW };
        terminal.write_all(b"line 1\n").unwrap();
        terminal.show(bars(["no bar"]));
        terminal.write_all(b"line 2\n").unwrap();
        *window.lock().unwrap() = WINDOW;
        terminal.show(bars(["again"]));
        assert!(terminal.finish(LONG));
        insta::assert_snapshot!(shown(&captured), @r"
        barESC[K
        ESC[JESC[1A\rESC[Jline 1
        line 2
        againESC[K
        ESC[JESC[1A\rESC[J
        ");
    }

    #[test]
    fn lines_go_above_the_bars() {
        let captured = Captured::default();
        let mut terminal = terminal(Box::new(captured.clone()));
        terminal.show(bars(["bar 1", "bar 2"]));
        terminal.write_all(b"web1 | a\n").unwrap();
        terminal.show(bars(["bar 1", "bar 2"]));
        terminal.show(bars(["bar 3"]));
        assert!(terminal.finish(LONG));
        insta::assert_snapshot!(shown(&captured), @r"
        bar 1ESC[K
        bar 2ESC[K
        ESC[JESC[2A\rESC[Jweb1 | a
        bar 1
        bar 2
        ESC[2A\rbar 3ESC[K
        ESC[JESC[1A\rESC[J
        ");
    }

    #[test]
    fn a_stopped_terminal_gets_no_bars_and_blocks_nobody() {
        let gate = Gate::closed();
        let mut terminal = terminal(Box::new(gate.clone()));
        terminal.show(bars(["bar"]));
        gate.wait_until_entered();
        for _ in 0..2000 {
            terminal.write_all("x".repeat(99).as_bytes()).unwrap();
            terminal.write_all(b"\n").unwrap();
            terminal.show(bars(["another bar"]));
        }
        assert!(!terminal.finish(Duration::ZERO));
        gate.open();
        assert!(terminal.finish(LONG));
        // Drawn while little was waiting, then no more.
        assert!(gate.text().matches("bar").count() < 1500, "{}", gate.text().matches("bar").count());
        assert!(gate.text().ends_with('\n'));
    }
}
