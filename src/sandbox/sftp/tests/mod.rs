//! SFTP of a throw-away host: its answers, and that it takes what a client may send.

mod faults;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use russh::ChannelStream;
use russh::client::{self, Handle};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::sandbox::behaviour::Behaviour;
use crate::sandbox::fleet::Sandbox;
use crate::sandbox::sftp::files::Files;
use crate::sandbox::tests::{KnownKeys, only, sandbox, session};
use crate::ssh::sftp::wire::{
    Attrs, LinkOrder, OpenFlags, Packets, Reply, SftpRequest, init, put_string, read_version, status,
    take_u64,
};

const ALL: u32 = 1 << 20;

/// A client without opinions.
struct PlainSftp {
    stream: ChannelStream<client::Msg>,
    packets: Packets,
    sent: u32,
    extensions: Vec<Bytes>,
    /// The connection, which lives as long as this.
    handle: Handle<KnownKeys>,
    sandbox: Sandbox,
}

impl PlainSftp {
    async fn with(behaviour: Behaviour) -> Self {
        let mut sftp = Self::silent(behaviour).await;
        sftp.stream.write_all(&init()).await.unwrap();
        let (version, extensions) = read_version(sftp.packet().await.unwrap()).unwrap();
        assert_eq!(version, 3);
        sftp.extensions = extensions;
        sftp
    }

    async fn silent(behaviour: Behaviour) -> Self {
        let sandbox = sandbox(behaviour).await;
        let handle = session(&sandbox, only(&sandbox)).await;
        let channel = handle.channel_open_session().await.unwrap();
        channel.request_subsystem(true, "sftp").await.unwrap();
        let stream = channel.into_stream();
        Self { stream, packets: Packets::default(), sent: 0, extensions: vec![], handle, sandbox }
    }

    fn home(&self) -> &Path {
        &only(&self.sandbox).home
    }

    /// The next packet; none at the end of the stream, or when what comes is not SFTP.
    async fn packet(&mut self) -> Option<Bytes> {
        let mut chunk = vec![0; 1 << 16];
        loop {
            if let Some(packet) = self.packets.next().ok()? {
                return Some(packet);
            }
            let size = self.stream.read(&mut chunk).await.ok().filter(|&size| size > 0)?;
            self.packets.push(&chunk[..size]);
        }
    }

    /// Sends a request; its number.
    async fn send(&mut self, request: &SftpRequest) -> u32 {
        self.sent += 1;
        self.stream.write_all(&request.head(self.sent)).await.unwrap();
        self.stream.write_all(&request.tail()).await.unwrap();
        self.sent
    }

    async fn reply(&mut self) -> Option<(u32, Reply)> {
        self.packet().await.map(|packet| Reply::read(packet).unwrap())
    }

    async fn ask(&mut self, request: &SftpRequest) -> Reply {
        let id = self.send(request).await;
        let (answered, reply) = self.reply().await.unwrap();
        assert_eq!(answered, id);
        reply
    }

    async fn open(&mut self, path: &str, flags: u32) -> Bytes {
        handle(self.ask(&open(path, flags)).await)
    }
}

/// The files of a host without a host.
fn files() -> (TempDir, Files) {
    let home = tempfile::tempdir().unwrap();
    let files = Files::new(home.path().canonicalize().unwrap());
    (home, files)
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn link_to(target: &str, link: &str) -> SftpRequest {
    SftpRequest::Symlink { target: text(target), link: text(link), order: LinkOrder::TargetFirst }
}

fn open(path: &str, flags: u32) -> SftpRequest {
    SftpRequest::Open { path: text(path), flags: OpenFlags(flags), attrs: Attrs::default() }
}

fn read(handle: &Bytes, offset: u64, length: u32) -> SftpRequest {
    SftpRequest::Read { handle: handle.clone(), offset, length }
}

fn write(handle: &Bytes, offset: u64, data: impl Into<Bytes>) -> SftpRequest {
    SftpRequest::Write { handle: handle.clone(), offset, data: data.into() }
}

fn vendor(name: &str, fields: &[&[u8]]) -> SftpRequest {
    let mut all = BytesMut::new();
    fields.iter().for_each(|field| put_string(&mut all, field));
    SftpRequest::Extended { name: text(name), fields: all.freeze() }
}

fn handle(reply: Reply) -> Bytes {
    let Reply::Handle(handle) = reply else { panic!("no handle: {reply:?}") };
    handle
}

fn code(reply: Reply) -> u32 {
    let Reply::Status { code, .. } = reply else { panic!("no status: {reply:?}") };
    code
}

fn data(reply: Reply) -> Bytes {
    let Reply::Data(data) = reply else { panic!("no data: {reply:?}") };
    data
}

fn names(reply: Reply) -> Vec<String> {
    let Reply::Names(names) = reply else { panic!("no names: {reply:?}") };
    names.iter().map(|entry| String::from_utf8(entry.name.to_vec()).unwrap()).collect()
}

#[test]
fn what_cannot_be_done_has_openssh_s_codes() {
    let (home, mut files) = files();
    fs::write(home.path().join("file"), "x").unwrap();
    fs::create_dir(home.path().join("full")).unwrap();
    fs::write(home.path().join("full/x"), "x").unwrap();
    let long = "n".repeat(300);
    let paths = |from: &str, to: &str| SftpRequest::Rename { from: text(from), to: text(to) };
    let cases = [
        (open("none", 1), status::NO_SUCH_FILE),
        (open("file/below", 1), status::NO_SUCH_FILE),
        (open("", 1), status::NO_SUCH_FILE),
        (open(&long, 1), status::BAD_MESSAGE),
        (open("a\0b", 1), status::BAD_MESSAGE),
        (open("file", OpenFlags::CREATE_NEW.0), status::FAILURE),
        (open("full", 2), status::FAILURE),
        (SftpRequest::Opendir { path: text("file") }, status::NO_SUCH_FILE),
        (SftpRequest::Rmdir { path: text("full") }, status::FAILURE),
        (SftpRequest::Remove { path: text("full") }, status::FAILURE),
        (SftpRequest::Mkdir { path: text("full"), attrs: Attrs::default() }, status::FAILURE),
        (SftpRequest::Readlink { path: text("file") }, status::BAD_MESSAGE),
        (SftpRequest::Stat { path: text("none") }, status::NO_SUCH_FILE),
        (link_to("x", "file"), status::FAILURE),
        (paths("none", "new"), status::NO_SUCH_FILE),
        (paths("file", "full/x"), status::FAILURE),
        (SftpRequest::Close { handle: text("none") }, status::NO_SUCH_FILE),
        (read(&text("none"), 0, 1), status::FAILURE),
        (SftpRequest::Readdir { handle: text("none") }, status::FAILURE),
        (vendor("copy-data", &[]), status::OP_UNSUPPORTED),
        (vendor("fsync@openssh.com", &[]), status::BAD_MESSAGE),
    ];
    for (request, expected) in cases {
        assert_eq!(code(files.answer(&request)), expected, "{request:?}");
    }
    assert_eq!(fs::read(home.path().join("full/x")).unwrap(), b"x");
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(home.path().join("file"), fs::Permissions::from_mode(0o000)).unwrap();
        assert_eq!(code(files.answer(&open("file", 1))), status::PERMISSION_DENIED);
    }
}

#[test]
fn flags_permissions_and_offsets() {
    let (home, mut files) = files();
    let mode = |name: &str| fs::metadata(home.path().join(name)).unwrap().mode() & 0o7777;
    let attrs = Attrs { permissions: Some(0o100_600), ..Attrs::default() };
    let new = handle(files.answer(&SftpRequest::Open {
        path: text("a"),
        flags: OpenFlags(0x02 | 0x08 | 0x20),
        attrs,
    }));
    assert_eq!(mode("a"), 0o600);
    assert_eq!(code(files.answer(&write(&new, 4, "late"))), status::OK);
    assert_eq!(code(files.answer(&write(&new, 0, "soon"))), status::OK);
    assert_eq!(code(files.answer(&read(&new, 0, 1))), status::NO_SUCH_FILE); // EBADF: not open for reading
    assert_eq!(code(files.answer(&SftpRequest::Close { handle: new })), status::OK);

    let appended = handle(files.answer(&open("a", 0x01 | 0x02 | 0x04)));
    assert_eq!(code(files.answer(&write(&appended, 0, "+"))), status::OK);
    assert_eq!(data(files.answer(&read(&appended, 0, ALL))), "soonlate+");
    assert_eq!(data(files.answer(&read(&appended, 8, ALL))), "+");
    assert_eq!(code(files.answer(&read(&appended, 9, ALL))), status::EOF);
    assert_eq!(data(files.answer(&read(&appended, 9, 0))), "");
    assert_eq!(code(files.answer(&read(&appended, u64::MAX, 1))), status::BAD_MESSAGE);

    handle(files.answer(&open("a", 0x02 | 0x08 | 0x10)));
    assert_eq!(data_len(&home, "a"), 0);
    // A pipe without a writer holds nobody up.
    rustix::fs::mknodat(
        rustix::fs::CWD,
        home.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    handle(files.answer(&open("pipe", 1)));
}

fn data_len(home: &TempDir, name: &str) -> u64 {
    fs::metadata(home.path().join(name)).unwrap().len()
}

#[test]
fn attributes_are_told_and_set() {
    let (home, mut files) = files();
    let path = home.path().join("a");
    fs::write(&path, "12345").unwrap();
    std::os::unix::fs::symlink("a", home.path().join("link")).unwrap();
    let owner = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let set = Attrs {
        size: Some(3),
        owner: Some(owner),
        permissions: Some(0o100_640),
        times: Some((1_000_000_000, 1_500_000_000)),
    };
    assert_eq!(code(files.answer(&SftpRequest::Setstat { path: text("link"), attrs: set })), status::OK);
    assert_eq!(files.answer(&SftpRequest::Stat { path: text("link") }), Reply::Attrs(set));
    let Reply::Attrs(link) = files.answer(&SftpRequest::Lstat { path: text("link") }) else { panic!() };
    assert_eq!(link.permissions.unwrap() & 0o170_000, 0o120_000);

    let opened = handle(files.answer(&open("a", 0x02)));
    let grown = Attrs { size: Some(1 << 33), permissions: Some(0o4_700), ..Attrs::default() };
    let request = SftpRequest::Fsetstat { handle: opened.clone(), attrs: grown };
    assert_eq!(code(files.answer(&request)), status::OK);
    let Reply::Attrs(found) = files.answer(&SftpRequest::Fstat { handle: opened }) else { panic!() };
    assert_eq!((found.size, found.permissions), (Some(1 << 33), Some(0o104_700)));

    // One that fails does not keep the others from being set.
    let both = Attrs { size: Some(1), times: Some((5, 6)), ..Attrs::default() };
    fs::create_dir(home.path().join("folder")).unwrap();
    assert_eq!(
        code(files.answer(&SftpRequest::Setstat { path: text("folder"), attrs: both })),
        status::FAILURE
    );
    assert_eq!(fs::metadata(home.path().join("folder")).unwrap().mtime(), 6);

    let mut fields = BytesMut::new();
    put_string(&mut fields, b"link");
    fields.put_u32(0x08); // times
    fields.put_u32(7);
    fields.put_u32(8);
    let name = text("lsetstat@openssh.com");
    assert_eq!(code(files.answer(&SftpRequest::Extended { name, fields: fields.freeze() })), status::OK);
    assert_eq!(fs::symlink_metadata(home.path().join("link")).unwrap().mtime(), 8);
    assert_eq!(fs::metadata(&path).unwrap().mtime(), i64::from(found.times.unwrap().1));
}

#[test]
fn names_come_by_the_hundred() {
    let (home, mut files) = files();
    for number in 0..150 {
        fs::write(home.path().join(format!("f{number}")), "").unwrap();
    }
    let folder = handle(files.answer(&SftpRequest::Opendir { path: text(".") }));
    let next = SftpRequest::Readdir { handle: folder };
    let mut seen = names(files.answer(&next));
    assert_eq!((seen.len(), &seen[0][..], &seen[1][..]), (100, ".", ".."));
    seen.extend(names(files.answer(&next)));
    assert_eq!(seen.len(), 152);
    assert_eq!(code(files.answer(&next)), status::EOF);
    let folder = handle(files.answer(&SftpRequest::Opendir { path: text(".") }));
    let Reply::Names(entries) = files.answer(&SftpRequest::Readdir { handle: folder }) else { panic!() };
    assert!(entries[0].long.starts_with(b"drwx"), "{:?}", entries[0].long);
}

#[test]
fn extensions_and_links() {
    let (home, mut files) = files();
    let at = |name: &str| home.path().join(name);
    fs::write(at("a"), "new").unwrap();
    fs::write(at("b"), "old").unwrap();
    assert_eq!(code(files.answer(&vendor("posix-rename@openssh.com", &[b"a", b"b"]))), status::OK);
    assert_eq!((fs::read(at("b")).unwrap(), at("a").exists()), (b"new".to_vec(), false));
    assert_eq!(code(files.answer(&vendor("hardlink@openssh.com", &[b"b", b"c"]))), status::OK);
    assert_eq!(fs::metadata(at("c")).unwrap().nlink(), 2);
    let opened = handle(files.answer(&open("b", 0x02)));
    assert_eq!(code(files.answer(&vendor("fsync@openssh.com", &[&opened]))), status::OK);
    let Reply::Extended(mut limits) = files.answer(&vendor("limits@openssh.com", &[])) else { panic!() };
    let limits: Vec<u64> = std::iter::from_fn(|| take_u64(&mut limits).ok()).collect();
    assert_eq!(limits, [262_144, 261_120, 261_120, 1000]);

    assert_eq!(code(files.answer(&link_to("b", "link"))), status::OK);
    assert_eq!(names(files.answer(&SftpRequest::Readlink { path: text("link") })), ["b"]);
    let home = home.path().canonicalize().unwrap();
    std::os::unix::fs::symlink("./later", home.join("dangling")).unwrap();
    std::os::unix::fs::symlink("loop", home.join("loop")).unwrap();
    for (path, real) in [
        ("", ""),
        (".", ""),
        ("link", "b"),
        ("none", "none"),
        ("./b//..", ""),
        ("b/", "b"),
        ("dangling", "later"),
    ] {
        let real = if real.is_empty() { home.clone() } else { home.join(real) };
        let told = names(files.answer(&SftpRequest::Realpath { path: text(path) }));
        assert_eq!(told, [real.to_str().unwrap()], "{path}");
    }
    for path in ["none/below", "none/", "loop"] {
        let nowhere = files.answer(&SftpRequest::Realpath { path: text(path) });
        assert_eq!(code(nowhere), status::NO_SUCH_FILE, "{path}");
    }
    assert_eq!(names(files.answer(&SftpRequest::Realpath { path: text("/") })), ["/"]);
}

#[tokio::test]
async fn many_files_are_open_at_once() {
    let mut sftp = PlainSftp::with(Behaviour::Normal).await;
    assert_eq!(sftp.extensions.len(), 5);
    let mut handles = Vec::new();
    for number in 0..300_u32 {
        let opened = sftp.open(&format!("f{number}"), 0x01 | 0x02 | 0x08).await;
        assert!(std::str::from_utf8(&opened).is_err());
        handles.push(opened);
    }
    for (number, opened) in handles.iter().enumerate() {
        assert_eq!(code(sftp.ask(&write(opened, 0, number.to_string())).await), status::OK);
    }
    for (number, opened) in handles.iter().enumerate() {
        assert_eq!(data(sftp.ask(&read(opened, 0, ALL)).await), number.to_string());
    }
    assert_eq!(fs::read(sftp.home().join("f299")).unwrap(), b"299");
    // There is an end to it.
    for number in 300..1000 {
        sftp.open(&format!("f{}", number % 300), 0x01).await;
    }
    assert_eq!(code(sftp.ask(&open("f0", 0x01)).await), status::FAILURE);
}

/// More than every window and buffer on the way together: a side that waits for the other would wait for ever.
#[tokio::test]
async fn requests_are_taken_in_while_answers_wait() {
    const SIZE: u32 = 200_000;
    let mut sftp = PlainSftp::with(Behaviour::Normal).await;
    let opened = sftp.open("big", 0x01 | 0x02 | 0x08).await;
    let chunk = Bytes::from(vec![7; SIZE as usize]);
    let count = 80_u32;
    let mut requests = BytesMut::new();
    for number in 0..count {
        let offset = u64::from(number * SIZE);
        for request in [write(&opened, offset, chunk.clone()), read(&opened, offset, SIZE)] {
            sftp.sent += 1;
            requests.put_slice(&request.head(sftp.sent));
            requests.put_slice(&request.tail());
        }
    }
    let (mut reader, mut writer) = tokio::io::split(sftp.stream);
    let send = async { writer.write_all(&requests).await.unwrap() };
    let receive = async {
        for id in sftp.sent - 2 * count + 1..=sftp.sent {
            let mut length = [0; 4];
            reader.read_exact(&mut length).await.unwrap();
            let mut packet = BytesMut::zeroed(u32::from_be_bytes(length) as usize);
            reader.read_exact(&mut packet).await.unwrap();
            let (answered, reply) = Reply::read(packet.freeze()).unwrap();
            assert_eq!(answered, id);
            match reply {
                Reply::Status { code, .. } => assert_eq!(code, status::OK),
                reply => assert!(data(reply) == chunk),
            }
        }
    };
    futures::join!(send, receive);
}

#[tokio::test]
async fn what_is_not_sftp_ends_the_session() {
    let early = open("a", 0x01).head(1);
    let cut = Bytes::from_static(&[0, 0, 0, 5, 1, 0, 0, 0, 3, 0, 0, 0, 5, 3, 0, 0, 0, 1]);
    for sent in [early, cut, Bytes::from_static(b"hello"), Bytes::from_static(&[0, 0, 0, 0])] {
        let mut sftp = PlainSftp::silent(Behaviour::Normal).await;
        sftp.stream.write_all(&sent).await.unwrap();
        while let Some(packet) = sftp.packet().await {
            read_version(packet).unwrap();
        }
    }
    // A request of a kind that nobody knows is left without an answer, as by a real host.
    let mut sftp = PlainSftp::with(Behaviour::Normal).await;
    sftp.stream.write_all(&[0, 0, 0, 5, 99, 0, 0, 0, 0]).await.unwrap();
    assert_eq!(code(sftp.ask(&SftpRequest::Stat { path: text("none") }).await), status::NO_SUCH_FILE);
    sftp.stream.shutdown().await.unwrap();
    assert!(sftp.packet().await.is_none());
}
