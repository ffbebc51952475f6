//! The view as a reader of events: it is open or not, and draws on the terminal while it is.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use ratatui_core::buffer::Buffer;

use crate::event::{Event, Fact, StepFact};
use crate::model::inventory::HostName;
use crate::report::reporter::Reporter;
use crate::report::terminal::Terminal;
use crate::report::view::draw;
use crate::report::view::hosts::ViewHosts;
use crate::report::view::keys::ViewKey;
use crate::report::view::pages::{KeyWish, ViewPages};
use crate::report::view::paint::paint;

/// Frames are drawn this often at most.
const INTERVAL: Duration = Duration::from_millis(100);

/// How often keys are looked for when nothing else happens.
const LOOK: Duration = Duration::from_millis(20);

/// The user's hands: keys, and what they can do to the run.
pub trait Hands: Send {
    /// The keys that were pressed since.
    fn keys(&mut self) -> Vec<ViewKey>;

    /// Begins to listen for keys, or leaves them to somebody else.
    fn listen(&mut self, on: bool);

    /// Whether hosts can be cancelled.
    fn can_cancel(&self) -> bool;

    /// Cancels a host.
    fn cancel(&mut self, host: &HostName);

    /// Whether nothing is waited for any more, as the user wants the end.
    fn is_hurried(&self) -> bool;
}

/// When the view opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewOpening {
    /// When its key is pressed.
    OnKey,
    /// At once.
    AtOnce,
}

/// The view over a terminal.
pub struct LiveView {
    terminal: Terminal,
    hands: Box<dyn Hands>,
    colour: bool,
    hosts: ViewHosts,
    pages: ViewPages,
    opening: ViewOpening,
    /// It is on the screen, but for questions.
    open: bool,
    /// Questions that have the terminal now.
    questions: usize,
    /// Hosts are under way: until then, logins may ask for something.
    begun: bool,
    /// What is on the screen, with the number of the screen that it is on.
    drawn: Option<(Buffer, u64)>,
    drawn_at: Option<Instant>,
    /// Something has changed since.
    stale: bool,
    /// When the last event came.
    heard: Instant,
    /// No event comes any more.
    over: bool,
}

impl LiveView {
    /// A view that has not begun.
    pub fn new(terminal: Terminal, hands: Box<dyn Hands>, colour: bool, opening: ViewOpening) -> Self {
        let pages = ViewPages { can_cancel: hands.can_cancel(), ..ViewPages::default() };
        Self {
            terminal,
            hands,
            colour,
            hosts: ViewHosts::default(),
            pages,
            opening,
            open: false,
            questions: 0,
            begun: false,
            drawn: None,
            drawn_at: None,
            stale: false,
            heard: Instant::now(),
            over: false,
        }
    }

    /// Whether it is on the screen.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Opens it, unless a question has the terminal.
    fn open(&mut self) {
        self.open = true;
        if self.questions == 0 {
            self.terminal.open_view();
            (self.drawn, self.drawn_at, self.stale) = (None, None, true);
        }
    }

    fn leave(&mut self) {
        self.open = false;
        self.terminal.close_view();
    }

    /// The run's clock now.
    fn now(&self) -> Duration {
        let is_live = !self.over && !self.hosts.finished;
        self.hosts.clock + if is_live { self.heard.elapsed() } else { Duration::ZERO }
    }

    fn take_keys(&mut self) {
        for key in self.hands.keys() {
            if self.questions > 0 {
                continue;
            }
            if !self.open {
                if matches!(key, ViewKey::Char('v') | ViewKey::Tab) && !self.hosts.hosts.is_empty() {
                    self.open();
                }
                continue;
            }
            self.stale = true;
            let rows = draw::rows(self.terminal.window().size);
            match self.pages.press(key, &self.hosts, rows) {
                KeyWish::Stay => {}
                KeyWish::Redraw => self.drawn = None,
                KeyWish::Leave => self.leave(),
                KeyWish::Cancel(host) => {
                    if let Some(name) = self.hosts.cancel(host) {
                        self.hands.cancel(&name);
                    }
                }
            }
        }
    }

    fn draw_if_due(&mut self) {
        let window = self.terminal.window();
        if !self.open || self.questions > 0 || !window.ours {
            return;
        }
        let is_due = self.drawn_at.is_none_or(|drawn| drawn.elapsed() >= INTERVAL);
        if !(is_due || self.stale) {
            return;
        }
        self.drawn_at = Some(Instant::now());
        let now = self.now();
        let page = draw::draw(window.size, &self.hosts, &mut self.pages, now);
        let screen = self.terminal.view_number();
        let before = self.drawn.as_ref().filter(|(_, on)| *on == screen).map(|(buffer, _)| buffer);
        let painted = paint(before, &page, self.colour);
        // A terminal that is behind gets the difference later.
        if painted.is_empty() || self.terminal.paint_view(&painted) {
            self.drawn = Some((page, screen));
            self.stale = false;
        }
    }

    /// Stays until the user has left it: what was said is still looked at when the run is over.
    pub fn stay(&mut self) {
        self.over = true;
        self.stale = true;
        while self.open && !self.hands.is_hurried() {
            self.take_keys();
            self.draw_if_due();
            thread::sleep(LOOK);
        }
        if self.open {
            self.leave();
        }
        self.hands.listen(false);
    }
}

impl Reporter for LiveView {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let first = self.hosts.hosts.is_empty();
        self.hosts.apply(event);
        self.heard = Instant::now();
        if first && !self.hosts.hosts.is_empty() && self.opening == ViewOpening::AtOnce {
            self.open();
        }
        match &event.fact {
            Fact::Step(_, StepFact::QuestionAsked { .. }) => {
                self.questions += 1;
                if self.questions == 1 {
                    self.hands.listen(false);
                    self.terminal.close_view();
                }
            }
            Fact::Step(_, StepFact::QuestionAnswered) => {
                self.questions = self.questions.saturating_sub(1);
                if self.questions == 0 {
                    self.hands.listen(true);
                    if self.open {
                        self.open();
                    }
                }
            }
            Fact::Step(..) | Fact::HostFinished { .. } if !self.begun => {
                self.begun = true;
                self.hands.listen(true);
            }
            Fact::Run(_)
            | Fact::Task(..)
            | Fact::Lock(..)
            | Fact::Connection(..)
            | Fact::Gateway(..)
            | Fact::Step(..)
            | Fact::HostFinished { .. }
            | Fact::Record(_)
            | Fact::Unknown(_) => {
                if self.opening == ViewOpening::AtOnce && !self.begun && self.open {
                    self.begun = true;
                    self.hands.listen(true);
                }
            }
        }
        Ok(())
    }

    fn idle(&mut self) -> io::Result<()> {
        self.take_keys();
        self.draw_if_due();
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.stay();
        Ok(())
    }
}

impl Drop for LiveView {
    /// Whatever happens, the user gets the screen back.
    fn drop(&mut self) {
        if self.open {
            self.leave();
        }
    }
}
