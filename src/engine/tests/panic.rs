//! A bug in the work for one host is that host's failure.

use crate::engine::tests::fake::{Command, Connect, Fake, Start};
use crate::engine::tests::{Ran, plan, raw, run};
use crate::model::outcome::{ExitCode, Kind, Status};

fn hold(ran: &Ran) {
    assert_eq!(ran.statuses(), [Status::Ok, Status::Unknown, Status::Ok]);
    assert_eq!(ran.kind("h1"), Some(Kind::Internal));
    // What it had started went with it.
    assert!(ran.host("h1").started && ran.host("h1").may_still_run);
    assert_eq!(ran.recap.exit_code(), ExitCode::Bug);
    insta::allow_duplicates! {
        insta::assert_snapshot!(ran.failure("h1").message(), @"fan's worker for this host failed; this is a bug");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_connecting_ends_one_host() {
    hold(&run(plan(3, vec![vec![raw("a")]]), Fake::new().connects("h1", [Connect::Panics])).await);
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_a_command_starts_ends_one_host() {
    let fake = Fake::new().runs("h1", [Command::exits(0, 0), Command::not_started(Start::Panics)]);
    hold(&run(plan(3, vec![vec![raw("a"), raw("b")]]), fake).await);
}
