//! When a disk will be full, by a straight line through the averages of its last four weeks' days. There is a forecast
//! only where the line means something: enough days, a rise that goes on, and little noise around it.

use crate::model::facts::Facts;
use crate::model::facts::types::Mount;
use crate::model::fleet::numbers::{SeriesKind, SeriesName, followed};
use crate::model::fleet::types::{Numbers, SeriesPoint};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Days that are looked at.
const WINDOW: u64 = 28;

/// Days with measurements that a line needs.
const DAYS_MIN: usize = 7;

/// The share of the ups and downs that the line has to explain (R²).
const FIT_MIN: f64 = 0.8;

/// Of the whole slope, what each half of the days has to show: a jump is no trend.
const HALF_MIN: f64 = 0.25;

/// Days beyond which nobody can tell.
const HORIZON: f64 = 365.0;

/// What can be told of a disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Forecast {
    /// It is full in so many days, growing by so many bytes a day.
    FullIn {
        /// Days from now.
        days: f64,
        /// Bytes a day.
        per_day: f64,
    },
    /// It grows, and is not full within a year.
    Beyond {
        /// Bytes a day.
        per_day: f64,
    },
    /// Nothing.
    None(NoForecast),
}

/// Why there is no forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoForecast {
    /// Fewer than seven days with measurements.
    TooFewDays,
    /// It does not grow.
    NotGrowing,
    /// It goes up and down, or jumped.
    Unsteady,
}

impl NoForecast {
    /// The reason in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooFewDays => "fewer than 7 days of measurements",
            Self::NotGrowing => "does not grow",
            Self::Unsteady => "too unsteady",
        }
    }
}

/// A disk of a host, and when it will be full.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskForecast {
    /// Where it is mounted.
    pub path: String,
    /// Bytes in all.
    pub size: u64,
    /// Bytes in use.
    pub used: u64,
    /// Bytes that users may still put in.
    pub available: u64,
    /// When it will be full.
    pub forecast: Forecast,
}

impl DiskForecast {
    /// Percent of what users could fill that they have filled, as `df` counts.
    pub fn percent(&self) -> f64 {
        let all = self.used.saturating_add(self.available);
        if all == 0 { 0.0 } else { float(self.used) / float(all) * 100.0 }
    }

    /// Days until it is full, where that can be told.
    pub fn days(&self) -> Option<f64> {
        match self.forecast {
            Forecast::FullIn { days, .. } => Some(days),
            Forecast::Beyond { .. } | Forecast::None(_) => None,
        }
    }
}

/// The disks of a host with their forecasts. `daily` holds the averages of days.
pub fn disks(facts: &Facts, daily: &Numbers, now: u64) -> Vec<DiskForecast> {
    let disk = |mount: &Mount| {
        let (size, used) = (mount.size?, mount.used?);
        let available = mount.available.unwrap_or(size.saturating_sub(used));
        let name = SeriesName::part(SeriesKind::Disk, &mount.path);
        let points = daily.get(&name).map(Vec::as_slice).unwrap_or_default();
        Some(DiskForecast {
            path: mount.path.clone(),
            size,
            used,
            available,
            forecast: forecast(points, available, now),
        })
    };
    followed(facts).filter_map(disk).collect()
}

/// When so many bytes are used up, by the days of the last four weeks.
pub fn forecast(daily: &[SeriesPoint], available: u64, now: u64) -> Forecast {
    // A day that a clock set wrong put into the future is not looked at.
    let recent = |point: &&SeriesPoint| point.at <= now && now - point.at < WINDOW * DAY;
    let days: Vec<(f64, f64)> =
        daily.iter().filter(recent).map(|point| (float(point.at) / float(DAY), point.avg)).collect();
    if days.len() < DAYS_MIN {
        return Forecast::None(NoForecast::TooFewDays);
    }
    let Some((per_day, fit)) = line(&days) else { return Forecast::None(NoForecast::TooFewDays) };
    // Less than a byte a day is the noise of the numbers.
    if per_day < 1.0 {
        return Forecast::None(NoForecast::NotGrowing);
    }
    let (first, second) = days.split_at(days.len() / 2);
    let goes_on = |half: &[(f64, f64)]| line(half).is_some_and(|(slope, _)| slope >= per_day * HALF_MIN);
    if fit < FIT_MIN || !goes_on(first) || !goes_on(second) {
        return Forecast::None(NoForecast::Unsteady);
    }
    let days = float(available) / per_day;
    if days > HORIZON { Forecast::Beyond { per_day } } else { Forecast::FullIn { days, per_day } }
}

/// The slope of the line with the least squares, and how much of the variance it explains; none for points of one moment.
fn line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "a count of days")]
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in points {
        let (dx, dy) = (x - x_mean, y - y_mean);
        (xx, xy, yy) = (xx + dx * dx, xy + dx * dy, yy + dy * dy);
    }
    if points.len() < 2 || xx <= 0.0 {
        return None;
    }
    let fit = if yy > 0.0 { xy * xy / (xx * yy) } else { 0.0 };
    Some((xy / xx, fit))
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn float(number: u64) -> f64 {
    number as f64
}
