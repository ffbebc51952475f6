//! Each fault of SFTP, as a client sees it.

use std::fs;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt;

use crate::sandbox::behaviour::Behaviour;
use crate::sandbox::sftp::fault::SftpFault;
use crate::sandbox::sftp::tests::{ALL, PlainSftp, code, data, handle, names, read, text, vendor, write};
use crate::sandbox::tests::{only, sandbox, session};
use crate::ssh::sftp::wire::{Attrs, Reply, SftpRequest, init, status};

/// A session with a host that has the file `a`, with the ten digits in it.
async fn with(fault: SftpFault) -> PlainSftp {
    let sftp = PlainSftp::with(Behaviour::Sftp(fault)).await;
    fs::write(sftp.home().join("a"), "0123456789").unwrap();
    sftp
}

/// What READ answers to an offset and a length, of the file `a`.
async fn reads(fault: SftpFault, asked: &[(u64, u32)]) -> Vec<Result<Bytes, u32>> {
    let mut sftp = with(fault).await;
    let opened = sftp.open("a", 0x01).await;
    let mut told = Vec::new();
    for &(offset, length) in asked {
        told.push(match sftp.ask(&read(&opened, offset, length)).await {
            Reply::Status { code, .. } => Err(code),
            reply => Ok(data(reply)),
        });
    }
    told
}

/// What READDIR answers, three times.
async fn lists(fault: SftpFault) -> Vec<Result<Vec<String>, u32>> {
    let mut sftp = with(fault).await;
    let opened = handle(sftp.ask(&SftpRequest::Opendir { path: text(".") }).await);
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(match sftp.ask(&SftpRequest::Readdir { handle: opened.clone() }).await {
            Reply::Status { code, .. } => Err(code),
            reply => Ok(names(reply)),
        });
    }
    told
}

fn stat(path: &str) -> SftpRequest {
    SftpRequest::Stat { path: text(path) }
}

fn mkdir(path: &str) -> SftpRequest {
    SftpRequest::Mkdir { path: text(path), attrs: Attrs::default() }
}

async fn size(sftp: &mut PlainSftp, request: &SftpRequest) -> Option<u64> {
    let Reply::Attrs(attrs) = sftp.ask(request).await else { panic!("no attributes") };
    attrs.size
}

#[tokio::test]
async fn a_host_without_sftp() {
    let sandbox = sandbox(Behaviour::Sftp(SftpFault::Missing)).await;
    let handle = session(&sandbox, only(&sandbox)).await;
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    assert!(matches!(channel.wait().await, Some(russh::ChannelMsg::Failure)));
}

#[tokio::test]
async fn what_is_no_packet() {
    let noise = SftpFault::Noise("Welcome to web1!\n".to_owned());
    let mut sftp = PlainSftp::silent(Behaviour::Sftp(noise)).await;
    assert!(sftp.packet().await.is_none());
    assert_eq!(sftp.packets.next(), Err(*b"Welc"));

    let mut sftp = with(SftpFault::HugeLength).await;
    sftp.send(&stat("a")).await;
    assert!(sftp.packet().await.is_none());
    assert_eq!(sftp.packets.next(), Err([0x7f, 0xff, 0xff, 0xff]));
}

#[tokio::test]
async fn answers_to_what_nobody_asked() {
    let mut sftp = with(SftpFault::WrongIds).await;
    let sent = sftp.send(&stat("a")).await;
    let (answered, _) = sftp.reply().await.unwrap();
    assert!(answered > sent, "{answered}");
}

#[tokio::test]
async fn answers_that_never_come() {
    let mut sftp = with(SftpFault::Hang { after: 2 }).await;
    sftp.ask(&stat("a")).await;
    assert_eq!(code(sftp.ask(&mkdir("done")).await), status::OK);
    sftp.send(&mkdir("not-done")).await;
    // The host works otherwise.
    let mut other = sftp.handle.channel_open_session().await.unwrap();
    other.exec(true, "ls").await.unwrap();
    while other.wait().await.is_some() {}
    assert!(futures::FutureExt::now_or_never(sftp.reply()).is_none());
    assert!(sftp.home().join("done").exists() && !sftp.home().join("not-done").exists());
}

/// Cut at a byte, a session has done exactly what came whole, and has not said so.
#[tokio::test]
async fn a_cut_at_a_byte() {
    let whole = init().len() + mkdir("a").head(1).len() + mkdir("b").head(2).len();
    for (missing, done) in [(0, true), (1, false)] {
        let after_bytes = (whole - missing) as u64;
        let mut sftp = PlainSftp::with(Behaviour::Sftp(SftpFault::Cut { after_bytes })).await;
        assert_eq!(code(sftp.ask(&mkdir("a")).await), status::OK);
        sftp.send(&mkdir("b")).await;
        assert!(sftp.reply().await.is_none());
        assert_eq!((sftp.home().join("a").exists(), sftp.home().join("b").exists()), (true, done));
        assert!(sftp.handle.channel_open_session().await.is_err());
    }
    let mut sftp = PlainSftp::silent(Behaviour::Sftp(SftpFault::Cut { after_bytes: 0 })).await;
    assert!(sftp.packet().await.is_none());
}

#[tokio::test]
async fn answers_in_another_order() {
    let mut sftp = with(SftpFault::Reorder).await;
    let opened = sftp.open("a", 0x01).await;
    let mut both = BytesMut::new();
    for offset in 0..2 {
        sftp.sent += 1;
        both.extend_from_slice(&read(&opened, offset, 1).head(sftp.sent));
    }
    sftp.stream.write_all(&both).await.unwrap();
    let (second, first) = (sftp.reply().await.unwrap(), sftp.reply().await.unwrap());
    assert_eq!(second, (sftp.sent, Reply::Data(text("1"))));
    assert_eq!(first, (sftp.sent - 1, Reply::Data(text("0"))));
    // One alone is answered too, and so is one at the end of the file.
    assert_eq!(data(sftp.ask(&read(&opened, 5, ALL)).await), "56789");
    assert_eq!(code(sftp.ask(&read(&opened, 10, ALL)).await), status::EOF);
}

#[tokio::test]
async fn a_server_without_extensions() {
    let mut sftp = with(SftpFault::NoExtensions).await;
    assert!(sftp.extensions.is_empty());
    let renamed = sftp.ask(&vendor("posix-rename@openssh.com", &[b"a", b"b"])).await;
    assert_eq!(code(renamed), status::OP_UNSUPPORTED);
    let renamed = sftp.ask(&SftpRequest::Rename { from: text("a"), to: text("b") }).await;
    assert_eq!(code(renamed), status::OK);
}

#[tokio::test]
async fn listings_of_what_is_not_there() {
    let bad = ["../../x", "/etc/cron.d/x", "a/b", "", ".", "a\0b"];
    let told = lists(SftpFault::Names(bad.iter().map(|name| name.as_bytes().to_vec()).collect())).await;
    let verbatim = bad.map(str::to_owned).to_vec();
    assert_eq!(told, [Ok(verbatim), Err(status::EOF), Err(status::EOF)]);

    assert_eq!(lists(SftpFault::EmptyNames).await, [Ok(vec![]), Ok(vec![]), Ok(vec![])]);

    let endless: Vec<String> =
        lists(SftpFault::EndlessNames).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!((endless.len(), &endless[0][..], &endless[299][..]), (300, "endless-0", "endless-299"));
}

#[tokio::test]
async fn reads_that_lie() {
    let empty = Bytes::new;
    let told = reads(SftpFault::ZeroData, &[(0, 4), (4, 4), (10, 4)]).await;
    assert_eq!(told, [Ok(text("0123")), Ok(empty()), Ok(empty())]);
    let told = reads(SftpFault::MoreData, &[(8, 4), (10, 3), (1 << 40, 1)]).await;
    assert_eq!(told, [Ok(text("89++")), Ok(text("+++")), Ok(text("+"))]);
    let told = reads(SftpFault::ShortFile { size: 6 }, &[(0, 4), (4, 4), (6, 4), (7, 4)]).await;
    assert_eq!(told, [Ok(text("0123")), Ok(text("45")), Err(status::EOF), Err(status::EOF)]);
    let told = reads(SftpFault::LongReply, &[(0, 4), (8, 4), (10, 4)]).await;
    assert_eq!(told, [Ok(text("0123+")), Ok(text("89+++")), Err(status::EOF)]);
}

#[tokio::test]
async fn sizes_that_lie() {
    let mut sftp = with(SftpFault::SizeLies { by: -3 }).await;
    let opened = sftp.open("a", 0x01).await;
    assert_eq!(size(&mut sftp, &stat("a")).await, Some(7));
    assert_eq!(size(&mut sftp, &SftpRequest::Lstat { path: text("a") }).await, Some(7));
    assert_eq!(size(&mut sftp, &SftpRequest::Fstat { handle: opened }).await, Some(7));
    let folder = fs::metadata(sftp.home()).unwrap().len();
    assert_eq!(size(&mut sftp, &stat(".")).await, Some(folder));
}

#[tokio::test]
async fn writes_that_fail_or_lie() {
    let mut sftp = with(SftpFault::DiskFull { after: 6 }).await;
    let opened = sftp.open("new", 0x02 | 0x08).await;
    assert_eq!(code(sftp.ask(&write(&opened, 0, "abcd")).await), status::OK);
    let full = sftp.ask(&write(&opened, 4, "efgh")).await;
    assert_eq!(full, Reply::Status { code: status::FAILURE, message: text("No space left on device") });
    assert_eq!(code(sftp.ask(&write(&opened, 4, "ef")).await), status::OK);
    assert_eq!(code(sftp.ask(&write(&opened, 6, "g")).await), status::FAILURE);
    assert_eq!(fs::read(sftp.home().join("new")).unwrap(), b"abcdef");

    let mut sftp = with(SftpFault::FlipByte { at: 5 }).await;
    let opened = sftp.open("new", 0x02 | 0x08).await;
    for (offset, piece) in [(0, "abcd"), (4, "efgh")] {
        assert_eq!(code(sftp.ask(&write(&opened, offset, piece)).await), status::OK);
    }
    assert_eq!(fs::read(sftp.home().join("new")).unwrap(), b"abcde\x99gh");
}

#[tokio::test]
async fn renames_that_fail() {
    let mut sftp = with(SftpFault::RenameFails).await;
    let plain = SftpRequest::Rename { from: text("a"), to: text("b") };
    for request in [plain, vendor("posix-rename@openssh.com", &[b"a", b"b"])] {
        assert_eq!(code(sftp.ask(&request).await), status::FAILURE);
    }
    assert_eq!(code(sftp.ask(&vendor("hardlink@openssh.com", &[b"a", b"b"])).await), status::OK);

    let mut sftp = with(SftpFault::NoRename).await;
    assert!(sftp.extensions.is_empty());
    let plain = SftpRequest::Rename { from: text("a"), to: text("b") };
    assert_eq!(code(sftp.ask(&plain).await), status::FAILURE);
    assert_eq!(code(sftp.ask(&SftpRequest::Remove { path: text("a") }).await), status::OK);
}
