//! One conversation over SFTP, as a server.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};

use crate::sandbox::sftp::fault::{Desk, SftpFault, is_rename};
use crate::sandbox::sftp::files::{EXTENSIONS, Files};
use crate::sandbox::spool::Spool;
use crate::sandbox::wire::Switch;
use crate::ssh::sftp::wire::{Malformed, Packets, Reply, SftpRequest, is_init, version};

/// How long [`SftpFault::Reorder`] waits for the second of two READ requests.
const PAIR: Duration = Duration::from_millis(20);

/// The exit status of a server that was spoken to in something else than SFTP.
const CONFUSED: u32 = 255;

/// Why a session ends before the client ends it.
enum Broken {
    /// What came is not SFTP, or is not in its order.
    Confused,
    /// The channel or the disk is gone.
    Gone,
}

/// One SFTP session.
struct Conversation<'a> {
    spool: &'a Spool,
    replies: &'a ChannelWriteHalf<Msg>,
    /// Cuts the connection.
    switch: Switch,
    fault: Option<SftpFault>,
    packets: Packets,
    /// Bytes that may still come before the connection is cut, if it is.
    left: Option<u64>,
    /// The reply that another one overtakes.
    held: Option<(u32, Reply)>,
}

/// Serves SFTP on a channel, until the client ends the session or closes the channel.
pub(in crate::sandbox) async fn serve(
    channel: Channel<Msg>,
    client: Handle,
    home: PathBuf,
    switch: Switch,
    fault: Option<SftpFault>,
) {
    let (requests, replies) = channel.split();
    let spool = Spool::new(home.clone());
    let desk = Desk::new(Files::new(home), fault.clone());
    let left = if let Some(SftpFault::Cut { after_bytes }) = fault { Some(after_bytes) } else { None };
    let mut conversation = Conversation {
        spool: &spool,
        replies: &replies,
        switch,
        fault,
        packets: Packets::default(),
        left,
        held: None,
    };
    let answers = async {
        let status = match conversation.run(desk).await {
            Ok(()) => 0,
            Err(Broken::Confused | Broken::Gone) => CONFUSED,
        };
        // These fail when the connection is gone: then there is nobody to tell.
        let _ = client.exit_status_request(replies.id(), status).await;
        let _ = client.eof(replies.id()).await;
        let _ = client.close(replies.id()).await;
    };
    // What comes is taken in while an answer waits for its window or for the disk: see `spool`.
    tokio::select! {
        () = answers => {}
        () = take_in(requests, &spool) => {}
    }
}

/// Takes in what the client sends, until it closes the channel or is gone.
async fn take_in(mut requests: ChannelReadHalf, spool: &Spool) {
    while let Some(message) = requests.wait().await {
        match message {
            ChannelMsg::Data { data } => match spool.push(data) {
                Ok(()) => {}
                Err(_) => return, // the disk is full
            },
            ChannelMsg::Eof => spool.finish(),
            ChannelMsg::Close => return,
            _ => {} // requests that the connection answered, window changes
        }
    }
}

impl Conversation<'_> {
    /// Answers requests until the client says that no more come.
    async fn run(&mut self, mut desk: Desk) -> Result<(), Broken> {
        if let Some(SftpFault::Noise(text)) = &self.fault {
            self.send(Bytes::copy_from_slice(text.as_bytes())).await?;
        }
        let Some(first) = self.packet().await? else { return Ok(()) };
        if !is_init(&first) {
            return Err(Broken::Confused);
        }
        let bare = match &self.fault {
            Some(SftpFault::NoExtensions | SftpFault::NoRename) => true,
            Some(SftpFault::Differs(dialects)) => dialects.iter().any(|dialect| dialect.is_bare()),
            Some(_) | None => false,
        };
        self.send(version(if bare { &[] } else { EXTENSIONS })).await?;
        let mut answered = 0;
        while let Some(packet) = self.packet().await? {
            match SftpRequest::read(packet) {
                Ok((id, request)) => {
                    if self.fault == Some(SftpFault::Hang { after: answered }) {
                        std::future::pending::<()>().await;
                    }
                    let hangs = self.fault == Some(SftpFault::HangRename) && is_rename(&request);
                    let reply;
                    (desk, reply) = answer(desk, request).await?;
                    if hangs {
                        std::future::pending::<()>().await;
                    }
                    self.reply(id, reply).await?;
                    answered += 1;
                }
                // As sftp-server does, which only writes it to its log.
                Err(Malformed::Type(_)) => {}
                Err(Malformed::Short | Malformed::Names(_)) => return Err(Broken::Confused),
            }
        }
        self.release().await
    }

    async fn packet(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            if let Some(packet) = self.packets.next().map_err(|_| Broken::Confused)? {
                return Ok(Some(packet));
            }
            if self.left == Some(0) {
                self.switch.cut();
                std::future::pending::<()>().await;
            }
            let next = self.spool.next();
            let next = if self.held.is_none() {
                next.await
            } else if let Ok(next) = tokio::time::timeout(PAIR, next).await {
                next
            } else {
                self.release().await?;
                continue;
            };
            match next.map_err(|_: io::Error| Broken::Gone)? {
                Some(bytes) => self.take(&bytes),
                None => return Ok(None),
            }
        }
    }

    /// Takes bytes in, up to where the connection is cut.
    fn take(&mut self, bytes: &[u8]) {
        let Some(left) = &mut self.left else { return self.packets.push(bytes) };
        let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= taken as u64;
        self.packets.push(bytes.get(..taken).unwrap_or_default());
    }

    async fn reply(&mut self, id: u32, reply: Reply) -> Result<(), Broken> {
        if self.fault == Some(SftpFault::HugeLength) {
            return self.send(Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 0])).await;
        }
        let id = if self.fault == Some(SftpFault::WrongIds) { !id } else { id };
        let pairs = self.fault == Some(SftpFault::Reorder) && matches!(reply, Reply::Data(_));
        match self.held.take() {
            None if pairs => self.held = Some((id, reply)),
            None => self.tell(id, &reply).await?,
            Some((before, held)) if pairs => {
                self.tell(id, &reply).await?;
                self.tell(before, &held).await?;
            }
            Some((before, held)) => {
                self.tell(before, &held).await?;
                self.tell(id, &reply).await?;
            }
        }
        Ok(())
    }

    /// Sends the reply that was held back, if any.
    async fn release(&mut self) -> Result<(), Broken> {
        match self.held.take() {
            Some((id, reply)) => self.tell(id, &reply).await,
            None => Ok(()),
        }
    }

    async fn tell(&self, id: u32, reply: &Reply) -> Result<(), Broken> {
        self.send(reply.head(id)).await?;
        self.send(reply.tail()).await
    }

    /// Sends bytes, no faster than the window of the channel lets them.
    async fn send(&self, bytes: Bytes) -> Result<(), Broken> {
        if self.left == Some(0) {
            return Ok(()); // lost with the connection
        }
        self.replies.data_bytes(bytes).await.map_err(|_: russh::Error| Broken::Gone)
    }
}

/// Answers a request on a thread where files may block. The desk goes along and comes back: one request at a time.
async fn answer(mut desk: Desk, request: SftpRequest) -> Result<(Desk, Reply), Broken> {
    let work = tokio::task::spawn_blocking(move || {
        let reply = desk.answer(&request);
        (desk, reply)
    });
    work.await.map_err(|_: tokio::task::JoinError| Broken::Gone)
}
