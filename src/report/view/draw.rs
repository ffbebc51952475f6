//! The page as cells: a head, the hosts or what one of them said, and what the keys do.

use std::time::Duration;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};

use crate::model::cells::{clip, shorten, width};
use crate::model::outcome::Status;
use crate::report::terminal::Size;
use crate::report::view::hosts::{At, ViewHost, ViewHosts};
use crate::report::view::pages::{HostPage, ViewAsked, ViewPages};
use crate::report::view::scrollback::{SaidFrom, SaidLine};
use crate::report::words::whole;

/// Lines that are not of the list: the head, the heads of the columns, the keys.
const AROUND: usize = 3;

/// Cells of a host's name, at most.
const NAME_MAX: usize = 32;

/// Cells of the columns for status and time.
const STATUS: usize = 11;
const TIME: usize = 6;

const HELP: [&str; 15] = [
    "hosts",
    "  up down page-up page-down g G   move",
    "  enter                           what the host said",
    "  /                               only hosts with these words in name, status, step or last line",
    "  s                               order: inventory, status, time, step",
    "  d                               only hosts that said something else than most",
    "  c                               cancel the host; the others go on",
    "  q v tab                         leave the view; the run goes on",
    "one host",
    "  up down page-up page-down g G   move; G or f follows the end",
    "  left right                      move sideways",
    "  / n N                           search, next line, line before",
    "  d                               what differs from most hosts in this step",
    "  q escape                        back to the hosts",
    "ctrl-c ctrl-z ctrl-l              stop the run, suspend fan, draw anew",
];

/// Rows that hosts or lines get in a window.
pub(super) fn rows(size: Size) -> usize {
    size.rows.saturating_sub(AROUND)
}

/// Draws the page.
pub(super) fn draw(size: Size, hosts: &ViewHosts, pages: &mut ViewPages, now: Duration) -> Buffer {
    let cells = |count: usize| u16::try_from(count).unwrap_or(u16::MAX).min(1000);
    let area = Rect::new(0, 0, cells(size.columns.max(1)), cells(size.rows.max(1)));
    let mut sheet = ViewSheet { buffer: Buffer::empty(area), size };
    pages.refresh(hosts);
    sheet.head(hosts, now);
    match (&pages.asked, pages.page.clone()) {
        (ViewAsked::Help, _) => {
            for (at, line) in HELP.iter().take(rows(size) + 1).enumerate() {
                sheet.put(at + 1, 0, line, Style::new());
            }
        }
        (_, Some(page)) => sheet.host(hosts, pages, &page, now),
        (_, None) => sheet.list(hosts, pages, now),
    }
    sheet.foot(hosts, pages);
    sheet.buffer
}

struct ViewSheet {
    buffer: Buffer,
    size: Size,
}

fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

fn colour_of(at: At) -> Style {
    match at {
        At::Ended(Status::Ok) => Style::new().fg(Color::Green),
        At::Ended(Status::Failed | Status::Unreachable | Status::Unknown) => Style::new().fg(Color::Red),
        At::Ended(Status::Cancelled | Status::Skipped) => Style::new().fg(Color::Yellow),
        At::Step(..) => Style::new(),
        At::Connecting | At::Waiting => dim(),
    }
}

impl ViewSheet {
    /// Puts a text there, cut where the window ends. What of it has no width is not put.
    fn put(&mut self, row: usize, column: usize, text: &str, style: Style) {
        if row >= self.size.rows || column >= self.size.columns {
            return;
        }
        let (Ok(x), Ok(y)) = (u16::try_from(column), u16::try_from(row)) else { return };
        if self.buffer.area.contains((x, y).into()) {
            self.buffer.set_stringn(x, y, text, self.size.columns - column, style);
        }
    }

    /// Sets a whole row in a style, behind its text.
    fn row_style(&mut self, row: usize, style: Style) {
        let (Ok(y), Ok(width)) = (u16::try_from(row), u16::try_from(self.size.columns)) else { return };
        self.buffer.set_style(Rect::new(0, y, width, 1), style);
    }

    fn head(&mut self, hosts: &ViewHosts, now: Duration) {
        let state = match (hosts.finished, hosts.stopping) {
            (true, _) => " · over",
            (false, Some(_)) => " · stopping",
            (false, None) => "",
        };
        let time = whole(now);
        let counts = format!("{} hosts · {}{state}", hosts.hosts.len(), hosts.counts());
        let room = self.size.columns.saturating_sub(width(&counts) + time.len() + 5).max(8);
        let title = shorten(&hosts.title, room);
        self.put(0, 0, &format!("{title} · {counts}"), Style::new().add_modifier(Modifier::BOLD));
        self.put(0, self.size.columns.saturating_sub(time.len() + 1), &format!(" {time}"), Style::new());
    }

    fn list(&mut self, hosts: &ViewHosts, pages: &mut ViewPages, now: Duration) {
        let listed = pages.listed(hosts);
        let rows = rows(self.size);
        let (top, at) = pages.window(&listed, rows);
        let shown: Vec<usize> = listed.iter().copied().skip(top).take(rows).collect();
        let names = hosts.hosts.iter().map(|host| width(&host.shown)).max().unwrap_or_default();
        let name = names.clamp(4, NAME_MAX.min(self.size.columns / 3).max(4));
        let steps = hosts.tasks.iter().enumerate();
        let steps = steps.flat_map(|(task, found)| (0..found.steps.len()).map(move |step| (task, step)));
        let longest = steps.take(200).map(|step| width(&hosts.label(step))).max().unwrap_or_default();
        let left = self.size.columns.saturating_sub(name + STATUS + TIME + 4);
        let step = longest.clamp(4, (left / 2).max(4));
        let columns =
            [0, name + 1, name + STATUS + 2, name + STATUS + TIME + 3, name + STATUS + TIME + step + 5];
        for (column, head) in columns.iter().zip(["host", "status", "  time", "step", "last line"]) {
            self.put(1, *column, head, dim());
        }
        for (row, host) in shown.iter().enumerate().filter_map(|(row, at)| Some((row, hosts.hosts.get(*at)?)))
        {
            self.host_row(hosts, host, row + 2, columns, now);
            if row + top == at {
                self.row_style(row + 2, Style::new().add_modifier(Modifier::REVERSED));
            }
        }
        if listed.is_empty() {
            self.put(2, 0, "no host is like that", dim());
        }
    }

    fn host_row(
        &mut self,
        hosts: &ViewHosts,
        host: &ViewHost,
        row: usize,
        [_, status, time, step, last]: [usize; 5],
        now: Duration,
    ) {
        self.put(row, 0, &shorten(&host.shown, status.saturating_sub(1)), Style::new());
        let word = if host.cancelled { "cancelling" } else { host.at.word() };
        self.put(row, status, word, colour_of(host.at));
        if let Some(elapsed) = host.time(now) {
            self.put(row, time, &format!("{:>TIME$}", whole(elapsed)), Style::new());
        }
        let label = host.step.map(|step| hosts.label(step)).unwrap_or_default();
        self.put(row, step, &shorten(&label, last.saturating_sub(step + 2)), Style::new());
        if let Some(line) = host.said.last() {
            let style = if line.from == SaidFrom::Fan { dim() } else { Style::new() };
            self.put(row, last, &line.text, style);
        }
    }

    fn host(&mut self, hosts: &ViewHosts, pages: &ViewPages, page: &HostPage, now: Duration) {
        let Some(host) = hosts.hosts.get(page.host) else { return };
        let step = host.step.map(|step| format!(" · {}", hosts.label(step))).unwrap_or_default();
        let time = host.time(now).map(|time| format!(" · {}", whole(time))).unwrap_or_default();
        self.put(1, 0, &format!("{} · {}{time}{step}", host.shown, host.at.word()), colour_of(host.at));
        let rows = rows(self.size);
        if page.difference {
            let lines = pages.difference(hosts, page.host);
            for (row, line) in lines.iter().take(rows).enumerate() {
                let style = match line.chars().next().filter(|_| row > 0) {
                    Some('+') => Style::new().fg(Color::Green),
                    Some('-') => Style::new().fg(Color::Red),
                    _ => dim(),
                };
                self.put(row + 2, 0, from_column(line, page.left), style);
            }
            return;
        }
        let gone = host.said.gone();
        let last = host.said.len().saturating_sub(rows);
        let top = page
            .top
            .map_or(last, |top| usize::try_from(top.saturating_sub(gone)).unwrap_or(usize::MAX).min(last));
        let search = pages.search.to_lowercase();
        for row in 0..rows {
            let Some(line) = host.said.get(top + row) else { break };
            self.put(row + 2, 0, from_column(&line.text, page.left), style_of(line, &search));
        }
    }

    fn foot(&mut self, hosts: &ViewHosts, pages: &ViewPages) {
        let row = self.size.rows.saturating_sub(1);
        let name = |host: usize| hosts.hosts.get(host).map(|host| host.shown.to_string()).unwrap_or_default();
        let (text, style) = match (&pages.asked, &pages.remark, &pages.page) {
            (ViewAsked::Filter, ..) => (format!("only hosts with: {}_", pages.filter), Style::new()),
            (ViewAsked::Search, ..) => (format!("search: {}_", pages.search), Style::new()),
            (ViewAsked::Cancel(host), ..) => {
                let text = format!(
                    "cancel {}? What runs there is stopped, the other hosts go on (y/n)",
                    name(*host)
                );
                (text, Style::new().add_modifier(Modifier::BOLD))
            }
            (ViewAsked::Help, ..) => ("any key: back".to_owned(), dim()),
            (ViewAsked::Nothing, Some(remark), _) => {
                (remark.clone(), Style::new().add_modifier(Modifier::BOLD))
            }
            (ViewAsked::Nothing, None, Some(page)) => {
                let follows = if page.top.is_none() { "" } else { " · G end" };
                (format!("q back · / search · n next · d diff · c cancel{follows} · ? keys"), dim())
            }
            (ViewAsked::Nothing, None, None) => (list_foot(hosts, pages), dim()),
        };
        self.put(row, 0, &text, style);
    }
}

fn list_foot(hosts: &ViewHosts, pages: &ViewPages) -> String {
    let mut parts = Vec::new();
    if !pages.filter.is_empty() {
        parts.push(format!("only with {:?} (esc: all)", pages.filter));
    }
    if let Some(majority) = &pages.odd {
        let (odd, of) = (majority.odd.len(), majority.of);
        parts.push(format!("{odd} of {of} differ in {} (esc: all)", hosts.label(majority.step)));
    }
    parts.push(format!("s order: {}", pages.order.word()));
    parts.extend(["enter open", "/ filter", "d odd", "c cancel", "q leave", "? keys"].map(str::to_owned));
    parts.join(" · ")
}

fn style_of(line: &SaidLine, search: &str) -> Style {
    let style = match line.from {
        SaidFrom::Stdout => Style::new(),
        SaidFrom::Stderr => Style::new().fg(Color::Yellow),
        SaidFrom::Fan => dim(),
    };
    let found = !search.is_empty() && line.text.to_lowercase().contains(search);
    if found { style.add_modifier(Modifier::REVERSED) } else { style }
}

/// The text behind so many cells.
fn from_column(text: &str, cells: usize) -> &str {
    text.get(clip(text, cells).len()..).unwrap_or_default()
}
