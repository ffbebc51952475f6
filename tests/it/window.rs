//! A terminal window of a test: a real pseudo-terminal, and what a person would see on it. Knows the movements that
//! fan uses and fails at any other one; wraps long lines anew when it is resized, as most terminals do.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::{Fan, eventually};

/// A window with a program in it.
pub struct Window {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<Screen>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Window {
    /// Opens a window of so many columns and rows with a program in it, as the first of its session.
    pub fn open(fan: &Fan, (columns, rows): (usize, usize), program: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, winsize(columns, rows)).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, rustix::fs::Mode::empty()).unwrap();
        let stream = |slave: &OwnedFd| slave.try_clone().unwrap();
        let mut command = Command::new("setsid");
        command.arg("--ctty").args(program).current_dir(fan.work()).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("HOME", fan.home());
        command
            .env("BINARY", env!("CARGO_BIN_EXE_fan"))
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .env("PS1", "$ ");
        command.stdin(stream(&slave)).stdout(stream(&slave)).stderr(slave);
        let child = command.spawn().unwrap();
        // It holds the other end, which would keep the window open after the program.
        drop(command);
        let screen = Arc::new(Mutex::new(Screen::new(columns, rows)));
        let (seen, mut output) = (Arc::clone(&screen), File::from(master.try_clone().unwrap()));
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            // An error is the end: nobody is at the other end any more.
            while let Ok(size @ 1..) = output.read(&mut chunk) {
                lock(&seen).take(&chunk[..size]);
            }
        });
        Self { child, keyboard: File::from(master), screen, reader: Some(reader) }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Drags the window to another size.
    pub fn resize(&self, columns: usize, rows: usize) {
        let mut screen = lock(&self.screen);
        screen.resize(columns, rows);
        tcsetwinsize(&self.keyboard, winsize(columns, rows)).unwrap();
    }

    /// Waits for the screen to look so; gives what is on it.
    pub fn until(&self, what: &str, mut looks: impl FnMut(&str) -> bool) -> String {
        let mut last = String::new();
        let awaited = || {
            last = lock(&self.screen).visible();
            looks(&last).then(|| last.clone())
        };
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| eventually(what, awaited))) {
            Ok(shown) => shown,
            Err(_) => panic!("{what}; the screen:\n{}", lock(&self.screen).visible()),
        }
    }

    /// Waits until this is on the screen.
    pub fn until_shown(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// Waits for the program to end; gives its exit code and everything that is above, and on, the screen.
    pub fn end(mut self) -> (Option<i32>, String) {
        let status = eventually("the end", || self.child.try_wait().unwrap());
        self.reader.take().unwrap().join().expect("a movement that it does not know");
        (status.code(), lock(&self.screen).all())
    }
}

/// One that met a movement it does not know is looked at all the same.
fn lock(screen: &Mutex<Screen>) -> MutexGuard<'_, Screen> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn winsize(columns: usize, rows: usize) -> Winsize {
    Winsize {
        ws_col: u16::try_from(columns).unwrap(),
        ws_row: u16::try_from(rows).unwrap(),
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// What stands in a window, and above it.
pub struct Screen {
    columns: usize,
    height: usize,
    rows: Vec<Row>,
    /// The row at the top of the window.
    top: usize,
    row: usize,
    column: usize,
    /// The beginning of a character or a movement.
    rest: Vec<u8>,
}

#[derive(Clone, Default)]
struct Row {
    cells: Vec<char>,
    /// Its line goes on in the next row.
    goes_on: bool,
}

impl Screen {
    pub fn new(columns: usize, height: usize) -> Self {
        Self { columns, height, rows: vec![Row::default()], top: 0, row: 0, column: 0, rest: Vec::new() }
    }

    /// Shows what a program wrote.
    pub fn take(&mut self, output: &[u8]) {
        self.rest.extend_from_slice(output);
        let rest = std::mem::take(&mut self.rest);
        let whole = match std::str::from_utf8(&rest) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap(),
        };
        let mut at = 0;
        while let Some(c) = whole[at..].chars().next() {
            if c == '\x1b' {
                let Some(length) = whole[at..].find(|c: char| c.is_ascii_alphabetic()) else { break };
                self.movement(&whole[at + 1..=at + length]);
                at += length + 1;
                continue;
            }
            at += c.len_utf8();
            match c {
                '\r' => self.column = 0,
                '\n' => self.down(),
                c => {
                    assert!(!c.is_control(), "a terminal was sent {c:?} in {whole:?}");
                    self.put(c);
                }
            }
        }
        self.rest = rest[at..].to_vec();
    }

    fn put(&mut self, c: char) {
        if self.column >= self.columns {
            self.rows[self.row].goes_on = true;
            self.column = 0;
            self.down();
        }
        let cells = &mut self.rows[self.row].cells;
        cells.resize(cells.len().max(self.column + 1), ' ');
        cells[self.column] = c;
        self.column += 1;
    }

    fn down(&mut self) {
        self.row += 1;
        self.rows.resize(self.rows.len().max(self.row + 1), Row::default());
        self.top = self.top.max((self.row + 1).saturating_sub(self.height));
    }

    fn movement(&mut self, movement: &str) {
        let (parameters, action) = movement.split_at(movement.len() - 1);
        match (parameters, action) {
            (up, "A") => {
                let up: usize = up.trim_start_matches('[').parse().unwrap();
                self.row = self.row.saturating_sub(up).max(self.top);
            }
            ("[", "J") => {
                self.rows.truncate(self.row + 1);
                self.clear_row();
            }
            ("[", "K") => self.clear_row(),
            (_, "m") => {}
            other => panic!("a terminal was sent {other:?}"),
        }
    }

    fn clear_row(&mut self) {
        let row = &mut self.rows[self.row];
        row.cells.truncate(self.column);
        row.goes_on = false;
    }

    /// Changes the size: lines are wrapped anew, the cursor stays where it is in its line.
    fn resize(&mut self, columns: usize, height: usize) {
        let mut rows = Vec::new();
        let mut cursor = (0, 0);
        let mut line: Vec<char> = Vec::new();
        for (at, row) in self.rows.iter().enumerate() {
            if at == self.row {
                let place = line.len() + self.column;
                cursor = (rows.len() + place / columns, place % columns);
            }
            line.extend(&row.cells);
            if row.goes_on {
                line.resize(line.len().next_multiple_of(self.columns), ' ');
                continue;
            }
            let count = line.len().div_ceil(columns).max(1);
            for part in 0..count {
                let cells = line.iter().skip(part * columns).take(columns).copied().collect();
                rows.push(Row { cells, goes_on: part + 1 < count });
            }
            line.clear();
        }
        (self.columns, self.height, self.rows) = (columns, height, rows);
        (self.row, self.column) = cursor;
        self.rows.resize(self.rows.len().max(self.row + 1), Row::default());
        self.top = (self.row + 1).saturating_sub(height);
    }

    fn visible(&self) -> String {
        text(&self.rows[self.top..])
    }

    /// All that was ever scrolled up, too.
    pub fn all(&self) -> String {
        text(&self.rows)
    }
}

fn text(rows: &[Row]) -> String {
    let lines = rows.iter().map(|row| row.cells.iter().collect::<String>().trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

#[test]
fn lines_wrap_and_are_wrapped_anew() {
    let mut screen = Screen::new(10, 3);
    screen.take("one\r\n0123456789abc\r\nbar 1\r\nbar 2\r\n".as_bytes());
    assert_eq!(screen.visible(), "bar 1\nbar 2");
    assert_eq!(screen.all(), "one\n0123456789\nabc\nbar 1\nbar 2");
    screen.take("\x1b[2A\rnew\x1b[K\r\nline\x1b[K\r\n\x1b[J".as_bytes());
    assert_eq!(screen.all(), "one\n0123456789\nabc\nnew\nline");
    screen.resize(5, 4);
    assert_eq!(screen.all(), "one\n01234\n56789\nabc\nnew\nline");
    screen.resize(20, 4);
    screen.take("\x1b[9A\r\x1b[J".as_bytes());
    // No movement leads out of the window.
    assert_eq!(screen.all(), "one");
}
