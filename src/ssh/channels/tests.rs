//! Who gets a channel when, of servers that give few.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::join_all;

use super::*;

/// A server that gives so many at a time.
#[derive(Clone)]
struct ChannelServer {
    most: usize,
    given: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

/// One of its channels.
struct GivenChannel(Arc<AtomicUsize>);

impl Drop for GivenChannel {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ChannelServer {
    fn giving(most: usize) -> Self {
        Self { most, given: Arc::default(), asked: Arc::default() }
    }

    async fn open(
        &self,
        channels: &Arc<Channels>,
        claim: ChannelClaim,
    ) -> Result<(GivenChannel, ChannelPlace), ExecError> {
        let ask = || {
            let server = self.clone();
            async move {
                server.asked.fetch_add(1, Ordering::SeqCst);
                // The answer takes a moment, in which others ask.
                tokio::time::sleep(Duration::from_millis(1)).await;
                if server.given.load(Ordering::SeqCst) == server.most {
                    let failure = Failure::new(Kind::ChannelRefused, "no");
                    return Err(ExecError { failure, may_have_started: false });
                }
                server.given.fetch_add(1, Ordering::SeqCst);
                Ok(GivenChannel(Arc::clone(&server.given)))
            }
        };
        channels.open(claim, ask).await
    }

    fn given(&self) -> usize {
        self.given.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_the_server_gives_wait_for_those_that_end() {
    for most in 1..12 {
        let (server, channels) = (ChannelServer::giving(most), Arc::new(Channels::default()));
        let work = (0..40).map(|_| async {
            let held = server.open(&channels, ChannelClaim::Alone).await.unwrap();
            tokio::time::sleep(Duration::from_secs(30)).await;
            drop(held);
        });
        join_all(work).await;
        assert_eq!(server.given(), 0);
        // Those that wait ask from time to time, one at a time, and do not storm the server.
        assert!(server.asked.load(Ordering::SeqCst) < 40 + 40 + 60 * 40 / most, "{most}");
    }
}

/// Transfers take a channel for the files and one for a shell. However few there are, all of them end, and where
/// two are given at all most get both.
#[tokio::test(start_paused = true)]
async fn who_wants_a_second_one_does_not_wait_for_ever() {
    for most in 1..12 {
        let (server, channels) = (ChannelServer::giving(most), Arc::new(Channels::default()));
        let work = (0..40).map(|_| async {
            let holder = ChannelHolder::unique();
            let first = server.open(&channels, ChannelClaim::Keep(holder)).await.unwrap();
            let second = server.open(&channels, ChannelClaim::Keep(holder)).await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            let had = second.is_ok();
            drop((first, second));
            had
        });
        let both = join_all(work).await.into_iter().filter(|had| *had).count();
        assert!(if most == 1 { both == 0 } else { both >= 20 }, "{both} of 40 at {most}");
        assert_eq!(server.given(), 0);
    }
}

/// One that keeps a channel and takes others in turn does not count as stuck while those are in use.
#[tokio::test(start_paused = true)]
async fn short_ones_of_one_holder_go_on() {
    let (server, channels) = (ChannelServer::giving(3), Arc::new(Channels::default()));
    let holder = ChannelHolder::unique();
    let kept = server.open(&channels, ChannelClaim::Keep(holder)).await.unwrap();
    let work = (0..16).map(|_| async {
        let held = server.open(&channels, ChannelClaim::Use(holder)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(held);
    });
    join_all(work).await;
    drop(kept);
}

#[tokio::test(start_paused = true)]
async fn who_can_do_without_never_waits() {
    let (server, channels) = (ChannelServer::giving(2), Arc::new(Channels::default()));
    let first = server.open(&channels, ChannelClaim::Alone).await.unwrap();
    let second = server.open(&channels, ChannelClaim::Extra).await.unwrap();
    assert!(server.open(&channels, ChannelClaim::Extra).await.is_err());
    let asked = server.asked.load(Ordering::SeqCst);
    assert!(server.open(&channels, ChannelClaim::Extra).await.is_err());
    assert_eq!(server.asked.load(Ordering::SeqCst), asked, "the limit is known");
    drop((first, second));
    server.open(&channels, ChannelClaim::Extra).await.unwrap();
}

/// A refusal is final when none of ours is open: at once from a server that gave none yet, after a second from
/// one that may still count what ended.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_final_when_none_is_open() {
    let (server, channels) = (ChannelServer::giving(0), Arc::new(Channels::default()));
    let all = join_all((0..5).map(|_| server.open(&channels, ChannelClaim::Alone))).await;
    assert!(all.iter().all(Result::is_err));
    // Each may have had another one to wait for, once.
    assert!((5..=20).contains(&server.asked.load(Ordering::SeqCst)));

    let mut server = ChannelServer::giving(1);
    let channels = Arc::new(Channels::default());
    drop(server.open(&channels, ChannelClaim::Alone).await.unwrap());
    server.most = 0;
    let before = tokio::time::Instant::now();
    assert!(server.open(&channels, ChannelClaim::Alone).await.is_err());
    assert!((Duration::from_secs(1)..Duration::from_secs(2)).contains(&before.elapsed()));
}

/// A server that counts an ended channel for some seconds more teaches a limit that is too low; it is found out.
#[tokio::test(start_paused = true)]
async fn a_limit_that_was_read_too_low_is_raised() {
    let (server, channels) = (ChannelServer::giving(4), Arc::new(Channels::default()));
    let kept = server.open(&channels, ChannelClaim::Alone).await.unwrap();
    server.given.fetch_add(3, Ordering::SeqCst);
    let mut late = Box::pin(server.open(&channels, ChannelClaim::Alone));
    assert!(tokio::time::timeout(Duration::from_secs(9), &mut late).await.is_err());
    server.given.fetch_sub(3, Ordering::SeqCst);
    let late = tokio::time::timeout(Duration::from_secs(1), late).await.unwrap().unwrap();
    drop((kept, late));
}

/// Whoever goes away in the middle leaves nothing behind, neither a turn nor a channel.
#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_given_back() {
    let (server, channels) = (ChannelServer::giving(1), Arc::new(Channels::default()));
    // It is asked for and not waited for.
    let mut asking = Box::pin(server.open(&channels, ChannelClaim::Alone));
    assert!((&mut asking).now_or_never().is_none());
    drop(asking);
    let held = server.open(&channels, ChannelClaim::Alone).await.unwrap();
    let mut first = Box::pin(server.open(&channels, ChannelClaim::Alone));
    let second = server.open(&channels, ChannelClaim::Alone);
    assert!(tokio::time::timeout(Duration::from_millis(10), &mut first).await.is_err());
    channels.wanted().await;
    drop(first);
    drop(held);
    drop(second.await.unwrap());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let state = channels.state();
    assert_eq!((state.open, state.asked, state.waiting.len(), state.kept.len()), (0, 0, 0, 0));
    assert_eq!(server.given(), 0);
}

/// A lock is held to the end: who is refused beside it is not to wait for that.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_what_lasts() {
    let (server, channels) = (ChannelServer::giving(1), Arc::new(Channels::default()));
    let lock = server.open(&channels, ChannelClaim::Lasting).await.unwrap();
    assert!(server.open(&channels, ChannelClaim::Alone).await.is_err());
    assert!(server.open(&channels, ChannelClaim::Keep(ChannelHolder::unique())).await.is_err());
    drop(lock);
    let server = ChannelServer::giving(2);
    let lock = server.open(&channels, ChannelClaim::Lasting).await.unwrap();
    let work = (0..5).map(|_| async {
        let held = server.open(&channels, ChannelClaim::Alone).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(held);
    });
    join_all(work).await;
    drop(lock);
}
