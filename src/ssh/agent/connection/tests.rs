//! Agents that are there, and those that only look so.

use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::*;

const SHORT: Duration = Duration::from_millis(200);

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("agent")
    }

    async fn said(&self) -> String {
        let error = held(&self.socket(), SHORT).await.unwrap_err();
        error.to_string().replace(&self.socket().display().to_string(), "SOCK")
    }

    /// An agent that does `what` with each connection.
    fn agent<F: Future<Output = ()> + Send + 'static>(
        &self,
        what: impl Fn(UnixStream) -> F + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        let listener = UnixListener::bind(self.socket()).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(what(stream));
            }
        })
    }
}

#[tokio::test]
async fn what_is_no_agent_is_called_what_it_is() {
    let place = Place::new();
    assert_eq!(place.said().await, "there is no agent at SOCK");
    std::fs::write(place.socket(), "").unwrap();
    assert_eq!(place.said().await, "SOCK is not the socket of an agent");
    std::fs::remove_file(place.socket()).unwrap();
    drop(UnixListener::bind(place.socket()).unwrap());
    let said = place.said().await;
    assert!(said.starts_with("the agent at SOCK cannot be reached: "), "{said}");
}

#[tokio::test]
async fn an_agent_that_says_nothing_is_given_up() {
    let place = Place::new();
    let _agent = place.agent(|stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    });
    assert_eq!(place.said().await, "the agent at SOCK did not answer within 0.2 s");
}

#[tokio::test]
async fn an_agent_that_refuses_or_babbles_or_hangs_up_is_told_apart() {
    for (answer, expected) in [
        (&[0, 0, 0, 1, 5][..], "the agent at SOCK does not list its keys"),
        (&[0xff; 8], "the agent at SOCK broke off: an answer of 4294967295 bytes"),
        (&[], "the agent at SOCK broke off: it hung up"),
    ] {
        let place = Place::new();
        let agent = place.agent(move |mut stream| async move {
            let mut request = [0; 5];
            stream.read_exact(&mut request).await.unwrap();
            stream.write_all(answer).await.unwrap();
        });
        assert_eq!(place.said().await, expected);
        agent.abort();
    }
}
