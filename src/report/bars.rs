//! indicatif as the maker of frames: the rows of a progress display as text, with its rates, times left and sizes.
//!
//! Nothing here writes to a terminal or moves a cursor: [`Terminal`] paints the frames, so that a stopped terminal stops
//! nobody and lines cannot be torn.
//!
//! [`Terminal`]: crate::report::terminal::Terminal

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{
    BinaryBytes, HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
    TermLike,
};

use crate::report::words::whole;

/// Cells of the totals' bar.
const BAR: usize = 24;

/// A row of a frame.
pub(super) struct Row {
    bar: ProgressBar,
    template: String,
}

impl Row {
    /// Hosts at work: their names in a column of that many cells, for how long they have been at it, and what they do.
    pub(super) fn hosts(names: String, cells: usize, time: Duration, doing: &str) -> Self {
        let bar = ProgressBar::hidden();
        bar.set_elapsed(time);
        bar.set_prefix(names);
        bar.set_message(doing.to_owned());
        Self { bar, template: format!("  {{prefix:{cells}}}  {{time:>6}}  {{wide_msg}}") }
    }

    /// A remark on the rows above.
    pub(super) fn remark(text: String) -> Self {
        let bar = ProgressBar::hidden();
        bar.set_message(text);
        Self { bar, template: "{wide_msg}".to_owned() }
    }

    /// How many hosts have ended, as a bar behind a text where the window has room for it.
    pub(super) fn totals(text: String, ended: u64, hosts: u64, room: bool, hint: &str) -> Self {
        let bar = ProgressBar::hidden();
        bar.set_length(hosts);
        bar.set_position(ended);
        bar.set_message(text);
        let template = if room { format!("{{msg}}  [{{bar:{BAR}}}]{hint}") } else { "{wide_msg}".to_owned() };
        Self { bar, template }
    }

    /// Cells that the bar of the totals takes, with its brackets and the space before it.
    pub(super) const BAR_CELLS: usize = BAR + 4;
}

/// How far files have come, with the rate at which they come.
pub(super) struct Transfer(ProgressBar);

impl Transfer {
    /// A transfer that is first heard of when this much is done: the rate is of what comes after.
    pub(super) fn new(done: u64, total: u64) -> Self {
        let bar = ProgressBar::hidden();
        bar.set_length(total);
        bar.set_position(done);
        bar.tick();
        bar.reset_eta();
        Self(bar)
    }

    /// It has come this far.
    pub(super) fn advance(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// Bytes that are done.
    pub(super) fn done(&self) -> u64 {
        self.0.position()
    }

    /// Bytes in all.
    pub(super) fn total(&self) -> u64 {
        self.0.length().unwrap_or_default()
    }

    /// `45 % of 27.10 MiB, 10.20 MiB/s, 3s left`.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.0.tick();
        self.0.update(|state| moved(state, &mut text));
        text
    }
}

/// `45 % of 27.10 MiB`.
pub(super) fn share(done: u64, total: u64) -> String {
    let share = done.saturating_mul(100).checked_div(total).unwrap_or(100).min(100);
    format!("{share} % of {}", BinaryBytes(total))
}

fn moved(state: &ProgressState, to: &mut dyn std::fmt::Write) {
    let (done, total) = (state.pos(), state.len().unwrap_or_default());
    let rate = state.per_sec();
    let written = to.write_str(&share(done, total)).and_then(|()| {
        if rate < 1.0 {
            return Ok(());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for people")]
        let rate = BinaryBytes(rate as u64);
        write!(to, ", {rate}/s")?;
        if done < total { write!(to, ", {:#} left", HumanDuration(state.eta())) } else { Ok(()) }
    });
    written.expect("writing to memory cannot fail");
}

/// The rows as lines of at most this many cells.
pub(super) fn frame(rows: &[Row], columns: usize) -> Vec<String> {
    let paper = Paper::new(columns);
    // indicatif leaves out frames that come too fast, and draws all rows at once when it is made to.
    let multi =
        MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(Box::new(paper.clone()), 1));
    for row in rows {
        let style =
            ProgressStyle::with_template(&row.template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let style = style.progress_chars("= ").with_key(
            "time",
            |state: &ProgressState, to: &mut dyn std::fmt::Write| {
                to.write_str(&whole(state.elapsed())).expect("writing to memory cannot fail");
            },
        );
        multi.add(row.bar.clone()).set_style(style);
        row.bar.tick();
    }
    if let Some(last) = rows.last() {
        last.bar.force_draw();
    }
    let lines = paper.take();
    for row in rows {
        row.bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    lines
}

/// What indicatif takes for a terminal. It fills each line to its width and goes on without a line end.
#[derive(Clone, Debug)]
struct Paper {
    columns: u16,
    sheet: Arc<Mutex<BarSheet>>,
}

#[derive(Debug, Default)]
struct BarSheet {
    /// What is being written.
    rows: Vec<String>,
    /// The last whole frame.
    frame: Vec<String>,
}

impl Paper {
    fn new(columns: usize) -> Self {
        let columns = u16::try_from(columns).unwrap_or(u16::MAX).max(1);
        Self { columns, sheet: Arc::default() }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.sheet().frame)
    }

    fn sheet(&self) -> std::sync::MutexGuard<'_, BarSheet> {
        self.sheet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TermLike for Paper {
    fn width(&self) -> u16 {
        self.columns
    }

    /// As many as there are: how many fit is decided before.
    fn height(&self) -> u16 {
        u16::MAX
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        // A row, then spaces up to its end, then the next one.
        if !text.trim().is_empty() {
            self.sheet().rows.push(text.trim_end().to_owned());
        }
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut sheet = self.sheet();
        sheet.frame = std::mem::take(&mut sheet.rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::report::bars::{Row, Transfer, frame};

    #[test]
    fn rows_are_filled_and_cut_by_cells() {
        let host = |name: &str, doing: &str| Row::hosts(name.to_owned(), 6, Duration::from_secs(95), doing);
        let rows = [
            host("web1", "deploy 1/2  unpack"),
            host("漢字", "a title that is far too long"),
            Row::remark("  and 3 more".into()),
        ];
        assert_eq!(
            frame(&rows, 32),
            ["  web1     1m35s  deploy 1/2  un", "  漢字     1m35s  a title that i", "  and 3 more"]
        );
    }

    #[test]
    fn totals_have_a_bar_where_there_is_room() {
        let totals = |room| frame(&[Row::totals("running 3 / 4".into(), 1, 4, room, "  v: view")], 60);
        assert_eq!(totals(true), ["running 3 / 4  [======                  ]  v: view"]);
        assert_eq!(totals(false), ["running 3 / 4"]);
    }

    #[test]
    fn a_transfer_tells_its_share_and_its_size() {
        let transfer = Transfer::new(0, 28_416_410);
        assert_eq!(transfer.text(), "0 % of 27.10 MiB");
        transfer.advance(14_208_205, 28_416_410);
        let text = transfer.text();
        assert!(
            text.starts_with("50 % of 27.10 MiB, ") && text.contains("iB/s, ") && text.ends_with(" left"),
            "{text}"
        );
        transfer.advance(28_416_410, 28_416_410);
        assert!(!transfer.text().contains("left"), "{}", transfer.text());
    }
}
