//! Where the user is in the view, and what keys do there. Owns no screen: it is asked what to show.

use crate::report::view::hosts::{At, ViewHosts};
use crate::report::view::keys::ViewKey;
use crate::report::view::majority::{ViewMajority, common_step};
use crate::report::view::scrollback::SaidLine;

/// What a key led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyWish {
    /// Nothing beyond the page.
    Stay,
    /// The view is left.
    Leave,
    /// The whole screen is drawn anew.
    Redraw,
    /// A host is to be cancelled.
    Cancel(usize),
}

/// The order of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// As in the inventory.
    #[default]
    Inventory,
    /// What needs a look first: failed, running, waiting, ok.
    Status,
    /// The longest first.
    Time,
    /// By what they are at.
    Step,
}

impl Order {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Status => "status",
            Self::Time => "time",
            Self::Step => "step",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Inventory => Self::Status,
            Self::Status => Self::Time,
            Self::Time => Self::Step,
            Self::Step => Self::Inventory,
        }
    }
}

/// What is asked in the last line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum ViewAsked {
    #[default]
    Nothing,
    /// Which hosts the list has.
    Filter,
    /// What is looked for in a host's output.
    Search,
    /// Whether to cancel a host.
    Cancel(usize),
    /// What the keys are.
    Help,
}

/// Which line is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Find {
    /// The next one from here on; where there is none, the last one before.
    First,
    Below,
    Above,
}

/// One host's page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HostPage {
    pub(super) host: usize,
    /// The first line that is shown, counted from the first that was ever said; none while the end is followed.
    pub(super) top: Option<u64>,
    /// The first column that is shown.
    pub(super) left: usize,
    /// What sets it apart is shown instead of what it said.
    pub(super) difference: bool,
}

/// The view as the user has set it.
#[derive(Debug, Default)]
pub(super) struct ViewPages {
    pub(super) page: Option<HostPage>,
    pub(super) asked: ViewAsked,
    pub(super) order: Order,
    pub(super) filter: String,
    pub(super) search: String,
    /// Only hosts that said something else than most.
    pub(super) odd: Option<ViewMajority>,
    /// What was compared last for the page of a host.
    pub(super) compared: Option<ViewMajority>,
    /// The host under the cursor.
    pub(super) cursor: usize,
    /// The first row of the list that is shown.
    pub(super) top: usize,
    /// A remark on what was asked for last.
    pub(super) remark: Option<String>,
    /// Whether hosts can be cancelled from here.
    pub(super) can_cancel: bool,
}

impl ViewPages {
    /// The hosts of the list, in its order.
    pub(super) fn listed(&self, hosts: &ViewHosts) -> Vec<usize> {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let is_wanted = |&at: &usize| {
            let Some(host) = hosts.hosts.get(at) else { return false };
            if self.odd.as_ref().is_some_and(|majority| !majority.odd.contains(&at)) {
                return false;
            }
            if words.is_empty() {
                return true;
            }
            let step = host.step.map(|step| hosts.label(step)).unwrap_or_default();
            let last = host.said.last().map(|line| &*line.text).unwrap_or_default();
            let text = format!("{} {} {step} {last}", host.shown, host.at.word()).to_lowercase();
            words.iter().all(|word| text.contains(word.as_str()))
        };
        let mut listed: Vec<usize> = (0..hosts.hosts.len()).filter(is_wanted).collect();
        let host = |at: &usize| hosts.hosts.get(*at);
        match self.order {
            Order::Inventory => {}
            Order::Status => listed.sort_by_key(|at| host(at).map(|host| host.at.rank())),
            Order::Time => {
                listed.sort_by_key(|at| host(at).map(|host| std::cmp::Reverse(host.time(hosts.clock))));
            }
            Order::Step => listed.sort_by_key(|at| host(at).map(|host| std::cmp::Reverse(host.step))),
        }
        listed
    }

    /// Compares anew what is shown of it, once it is out of date.
    pub(super) fn refresh(&mut self, hosts: &ViewHosts) {
        if let Some(odd) = self.odd.as_ref().filter(|odd| odd.is_stale(hosts)) {
            self.odd = Some(ViewMajority::of(hosts, odd.step));
        }
        let host =
            self.page.as_ref().filter(|page| page.difference).and_then(|page| hosts.hosts.get(page.host));
        let Some(step) = host.and_then(|host| host.step) else { return };
        let is_there = |majority: &ViewMajority| majority.step == step && !majority.is_stale(hosts);
        if !self.compared.as_ref().is_some_and(is_there) {
            self.compared = Some(ViewMajority::of(hosts, step));
        }
    }

    /// What sets the host of a page apart, as lines.
    pub(super) fn difference(&self, hosts: &ViewHosts, host: usize) -> Vec<String> {
        match self.compared.as_ref().filter(|_| hosts.hosts.get(host).is_some_and(|host| host.step.is_some()))
        {
            Some(majority) => majority.difference(hosts, host),
            None => vec!["no step has begun there".to_owned()],
        }
    }

    /// The part of the list that fits into so many rows, around the cursor; which of them that is.
    pub(super) fn window(&mut self, listed: &[usize], rows: usize) -> (usize, usize) {
        let rows = rows.max(1);
        let at = listed.iter().position(|&host| host == self.cursor).unwrap_or_default();
        if let Some(&host) = listed.get(at) {
            self.cursor = host;
        }
        let last = listed.len().saturating_sub(rows);
        self.top = self.top.clamp((at + 1).saturating_sub(rows), at).min(last);
        (self.top, at)
    }

    /// Does what a key is for; `rows` are those of the list or of the host's lines.
    pub(super) fn press(&mut self, key: ViewKey, hosts: &ViewHosts, rows: usize) -> KeyWish {
        self.remark = None;
        match (key, &self.asked) {
            (ViewKey::Ctrl('l'), _) => return KeyWish::Redraw,
            (_, ViewAsked::Filter | ViewAsked::Search) => {
                self.type_in(key, hosts, rows);
                return KeyWish::Stay;
            }
            (ViewKey::Char('y' | 'Y'), ViewAsked::Cancel(host)) => {
                let host = *host;
                self.asked = ViewAsked::Nothing;
                return KeyWish::Cancel(host);
            }
            (_, ViewAsked::Cancel(_) | ViewAsked::Help) => {
                self.asked = ViewAsked::Nothing;
                return KeyWish::Stay;
            }
            (ViewKey::Char('v') | ViewKey::Tab, ViewAsked::Nothing) => return KeyWish::Leave,
            (ViewKey::Char('?'), ViewAsked::Nothing) => self.asked = ViewAsked::Help,
            (ViewKey::Char('c'), ViewAsked::Nothing) => self.ask_cancel(hosts),
            (_, ViewAsked::Nothing) if self.page.is_some() => self.press_host(key, hosts, rows),
            (ViewKey::Char('q') | ViewKey::Escape, ViewAsked::Nothing) => {
                if key == ViewKey::Escape && (!self.filter.is_empty() || self.odd.is_some()) {
                    self.filter.clear();
                    self.odd = None;
                } else {
                    return KeyWish::Leave;
                }
            }
            (_, ViewAsked::Nothing) => self.press_list(key, hosts, rows),
        }
        KeyWish::Stay
    }

    fn ask_cancel(&mut self, hosts: &ViewHosts) {
        let host = self.page.as_ref().map_or(self.cursor, |page| page.host);
        let Some(found) = hosts.hosts.get(host) else { return };
        self.remark = match found.at {
            At::Ended(status) => Some(format!("{} has ended: {status}", found.shown)),
            _ if !self.can_cancel => {
                Some("this run is another fan's: hosts can be cancelled only where it was started".to_owned())
            }
            _ => None,
        };
        if self.remark.is_none() {
            self.asked = ViewAsked::Cancel(host);
        }
    }

    fn press_list(&mut self, key: ViewKey, hosts: &ViewHosts, rows: usize) {
        let listed = self.listed(hosts);
        let at = listed.iter().position(|&host| host == self.cursor).unwrap_or_default();
        let last = listed.len().saturating_sub(1);
        let to = match key {
            ViewKey::Up | ViewKey::Char('k') => at.saturating_sub(1),
            ViewKey::Down | ViewKey::Char('j') => at + 1,
            ViewKey::PageUp | ViewKey::Ctrl('b') => at.saturating_sub(rows),
            ViewKey::PageDown | ViewKey::Ctrl('f') | ViewKey::Char(' ') => at + rows,
            ViewKey::Home | ViewKey::Char('g') => 0,
            ViewKey::End | ViewKey::Char('G') => last,
            ViewKey::Enter | ViewKey::Right | ViewKey::Char('l') => {
                if let Some(&host) = listed.get(at) {
                    self.page = Some(HostPage { host, ..HostPage::default() });
                }
                at
            }
            ViewKey::Char('/') => {
                self.asked = ViewAsked::Filter;
                at
            }
            ViewKey::Char('s') => {
                self.order = self.order.next();
                return;
            }
            ViewKey::Char('d') => {
                self.toggle_odd(hosts);
                return;
            }
            _ => at,
        };
        if let Some(&host) = listed.get(to.min(last)) {
            self.cursor = host;
        }
    }

    fn toggle_odd(&mut self, hosts: &ViewHosts) {
        if self.odd.take().is_some() {
            return;
        }
        match common_step(hosts).map(|step| ViewMajority::of(hosts, step)) {
            Some(majority) if !majority.odd.is_empty() => self.odd = Some(majority),
            Some(majority) if majority.count == majority.of => {
                self.remark = Some(format!("all {} hosts said the same", majority.of));
            }
            Some(majority) => self.remark = Some(format!("there is no majority among {} hosts", majority.of)),
            None => self.remark = Some("no step has ended yet".to_owned()),
        }
    }

    fn press_host(&mut self, key: ViewKey, hosts: &ViewHosts, rows: usize) {
        let Some(page) = &mut self.page else { return };
        let Some(host) = hosts.hosts.get(page.host) else { return };
        let (first, count) = (host.said.gone(), u64::try_from(host.said.len()).unwrap_or(u64::MAX));
        let rows = u64::try_from(rows).unwrap_or(u64::MAX).max(1);
        let last = first + count.saturating_sub(rows);
        let top = page.top.unwrap_or(last).clamp(first, last);
        let to = |top: u64| if top >= last { None } else { Some(top.max(first)) };
        match key {
            ViewKey::Escape | ViewKey::Char('q') => {
                self.cursor = page.host;
                self.page = None;
            }
            ViewKey::Up | ViewKey::Char('k') => page.top = to(top.saturating_sub(1)),
            ViewKey::Down | ViewKey::Char('j') => page.top = to(top + 1),
            ViewKey::PageUp | ViewKey::Ctrl('b') => page.top = to(top.saturating_sub(rows)),
            ViewKey::PageDown | ViewKey::Ctrl('f') | ViewKey::Char(' ') => page.top = to(top + rows),
            ViewKey::Home | ViewKey::Char('g') => page.top = to(first),
            ViewKey::End | ViewKey::Char('G' | 'f') => page.top = None,
            ViewKey::Left | ViewKey::Char('h') => page.left = page.left.saturating_sub(20),
            ViewKey::Right | ViewKey::Char('l') => page.left += 20,
            ViewKey::Char('d') => page.difference = !page.difference,
            ViewKey::Char('/') => {
                self.search.clear();
                self.asked = ViewAsked::Search;
            }
            ViewKey::Char('n') => self.find(hosts, rows, Find::Below),
            ViewKey::Char('N') => self.find(hosts, rows, Find::Above),
            _ => {}
        }
    }

    /// Goes to the next line, or the one before, that has what is looked for.
    fn find(&mut self, hosts: &ViewHosts, rows: u64, which: Find) {
        let (Some(page), search) = (&mut self.page, self.search.to_lowercase()) else { return };
        let Some(host) = hosts.hosts.get(page.host).filter(|_| !search.is_empty()) else { return };
        let first = host.said.gone();
        let count = u64::try_from(host.said.len()).unwrap_or(u64::MAX);
        let top = page.top.unwrap_or(first + count.saturating_sub(rows)).max(first) - first;
        let has = |line: &SaidLine| line.text.to_lowercase().contains(&search);
        let found = host.said.lines().enumerate().filter(|(_, line)| has(line));
        let found: Vec<u64> = found.map(|(at, _)| u64::try_from(at).unwrap_or(u64::MAX)).collect();
        let above = || found.iter().copied().rfind(|&at| at < top);
        let at = match which {
            Find::First => found.iter().copied().find(|&at| at >= top).or_else(above),
            Find::Below => found.iter().copied().find(|&at| at > top),
            Find::Above => above(),
        };
        match at {
            Some(at) => page.top = Some(first + at),
            None => {
                let place = match which {
                    Find::First => "",
                    Find::Below => " below",
                    Find::Above => " above",
                };
                self.remark = Some(format!("no line{place} has {search:?}"));
            }
        }
    }

    fn type_in(&mut self, key: ViewKey, hosts: &ViewHosts, rows: usize) {
        let is_filter = self.asked == ViewAsked::Filter;
        let text = if is_filter { &mut self.filter } else { &mut self.search };
        match key {
            ViewKey::Char(c) => text.push(c),
            ViewKey::Backspace => drop(text.pop()),
            ViewKey::Ctrl('u') => text.clear(),
            ViewKey::Escape => {
                text.clear();
                self.asked = ViewAsked::Nothing;
            }
            ViewKey::Enter => {
                self.asked = ViewAsked::Nothing;
                if !is_filter {
                    let rows = u64::try_from(rows).unwrap_or(u64::MAX);
                    self.find(hosts, rows, Find::First);
                }
            }
            _ => {}
        }
    }
}
