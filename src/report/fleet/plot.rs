//! Plots as SVG: the average as a line, smallest and largest as a band around it. A gap in time is a gap in the line.

use std::fmt::Write as _;

use crate::model::fleet::SeriesPoint;

/// Points of a plot: as many as can be told apart at its size.
const POINTS: u64 = 60;

/// Units of the drawing, which the page stretches.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 100.0;

/// Units of a point alone.
const DOT: f64 = 4.0;

/// Joins points until a plot can show them.
pub(super) fn thinned(points: &[SeriesPoint], since: u64, now: u64) -> Vec<SeriesPoint> {
    let span = (now.saturating_sub(since) / POINTS).max(1);
    let mut all: Vec<SeriesPoint> = Vec::new();
    // What a clock set wrong put into the future is not shown.
    for point in points.iter().filter(|point| (since..=now).contains(&point.at)) {
        let begin = since + (point.at - since) / span * span;
        match all.last_mut().filter(|last| last.at == begin) {
            Some(last) => {
                let (before, more) = (f64::from(last.count), f64::from(point.count));
                last.avg = (last.avg * before + point.avg * more) / (before + more).max(1.0);
                last.count = last.count.saturating_add(point.count);
                (last.min, last.max) = (last.min.min(point.min), last.max.max(point.max));
            }
            None => all.push(SeriesPoint { at: begin, ..*point }),
        }
    }
    all
}

/// Band and line as the `d` of two paths; none without points. The first minutes of a host are a point alone.
pub(super) fn paths(points: &[SeriesPoint], since: u64, now: u64, top: f64) -> Option<(String, String)> {
    if points.is_empty() || now <= since {
        return None;
    }
    let highest = points.iter().map(|point| point.max).fold(top, f64::max);
    let lowest = points.iter().map(|point| point.min).fold(0.0, f64::min);
    let height = if highest > lowest { highest - lowest } else { 1.0 };
    let place = |at: u64, number: f64| {
        // Also what was measured just now has room to be seen.
        let x = (float(at.saturating_sub(since)) / float(now - since) * WIDTH).min(WIDTH - DOT);
        let y = HEIGHT - 2.0 - (number - lowest) / height * (HEIGHT - 4.0);
        PlotPlace { x: whole(x), y: whole(y) }
    };
    let usual = (now - since) / POINTS;
    let mut pieces: Vec<Vec<SeriesPoint>> = Vec::new();
    for point in points {
        match pieces.last_mut() {
            Some(piece) if piece.last().is_some_and(|last| point.at - last.at <= usual * 3 + 7200) => {
                piece.push(*point);
            }
            Some(_) | None => pieces.push(vec![*point]),
        }
    }
    let (mut band, mut line) = (String::new(), String::new());
    for piece in &pieces {
        let of =
            |number: fn(&SeriesPoint) -> f64| piece.iter().map(move |point| place(point.at, number(point)));
        draw(&mut line, of(|point| point.avg));
        if piece.len() == 1 {
            // A point alone is a dot.
            let _ = write!(line, "h{}", whole(DOT));
        }
        draw(&mut band, of(|point| point.max).chain(of(|point| point.min).rev()));
        band.push('z');
    }
    Some((band, line))
}

/// A place in the drawing.
struct PlotPlace {
    x: i64,
    y: i64,
}

/// A line through places: the first as it is, the others by how far they are from the one before, which is short.
fn draw(path: &mut String, places: impl Iterator<Item = PlotPlace>) {
    let mut before: Option<PlotPlace> = None;
    for place in places {
        let _ = match &before {
            None => write!(path, "M{} {}", place.x, place.y),
            Some(before) => match (place.x - before.x, place.y - before.y) {
                (x, 0) => write!(path, "h{x}"),
                (x, y @ ..0) => write!(path, "l{x}{y}"),
                (x, y) => write!(path, "l{x} {y}"),
            },
        };
        before = Some(place);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "places in a picture")]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

#[expect(clippy::cast_precision_loss, reason = "places in a picture")]
fn float(number: u64) -> f64 {
    number as f64
}
