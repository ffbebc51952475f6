//! Handing something over to a server, again where that may help, within one deadline.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::model::duration;

/// Why something was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untaken {
    /// Why, as a lowercase fragment.
    pub why: String,
    /// What to do.
    pub hint: Option<&'static str>,
    /// It may be taken a little later: after this time, if the server says so.
    pub again: Retrying,
}

/// Whether it makes sense to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retrying {
    /// It would be the same.
    Never,
    /// After a while.
    Later,
    /// After this time.
    After(Duration),
}

impl Untaken {
    /// One that stays so.
    pub(super) fn for_good(why: impl Into<String>) -> Self {
        Self { why: why.into(), hint: None, again: Retrying::Never }
    }

    /// One that may pass.
    pub(super) fn for_now(why: impl Into<String>) -> Self {
        Self { why: why.into(), hint: None, again: Retrying::Later }
    }

    pub(super) fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

/// How far an attempt has come, for whoever gives it up: a fragment behind "no answer within 30s".
#[derive(Debug, Default)]
pub struct HandingOver(Mutex<&'static str>);

impl HandingOver {
    /// It waits for this now.
    pub(super) fn for_(&self, what: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    fn what(&self) -> &'static str {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often something is tried.
const TRIES: u32 = 3;

/// The first pause between two tries; the next one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);

/// Tries until it is taken, refused for good, or the time is over.
///
/// # Errors
///
/// It was not taken.
pub async fn persist<T, F: Future<Output = Result<T, Untaken>>>(
    limit: Duration,
    mut attempt: impl FnMut() -> F,
    waiting: &HandingOver,
) -> Result<T, Untaken> {
    let mut last: Option<Untaken> = None;
    let trying = async {
        let mut pause = PAUSE;
        for number in 1.. {
            let untaken = match attempt().await {
                Ok(taken) => return Ok(taken),
                Err(untaken) => untaken,
            };
            if untaken.again == Retrying::Never || number == TRIES {
                return Err(untaken);
            }
            let wait = match untaken.again {
                Retrying::After(wait) => wait,
                Retrying::Never | Retrying::Later => pause,
            };
            last = Some(untaken);
            waiting.for_("trying again");
            sleep(wait).await;
            pause *= 2;
        }
        Err(Untaken::for_good("it was never tried"))
    };
    match timeout(limit, trying).await {
        Ok(ended) => ended,
        Err(_) => {
            let over = format!("no answer within {} ({})", duration::show(limit), waiting.what());
            let why = last.map_or_else(|| over.clone(), |last| format!("{}; then {over}", last.why));
            Err(Untaken::for_good(why))
        }
    }
}
