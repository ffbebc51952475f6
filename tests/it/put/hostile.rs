//! That the hostile SFTP server behind a real sshd is as hostile as it says: what crosses the wire, byte by byte.

use bytes::Bytes;
use fan::testing::ssh::sftp::wire::{
    Attrs, OpenFlags, Packets, Reply, SftpRequest, init, read_version, status,
};

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::output;

const FILE: Bytes = Bytes::from_static(b"\xfff");
const FOLDER: Bytes = Bytes::from_static(b"\xffd");

/// All that such a server says to these requests, in order.
fn said(mode: &str, requests: &[SftpRequest]) -> Vec<u8> {
    let sshd = Sshd::builder().subsystem(mode).start();
    let mut input = init().to_vec();
    for (id, request) in (1..).zip(requests) {
        input.extend_from_slice(&request.head(id));
    }
    let mut command = sshd.ssh(sshd.addresses()[0]);
    command.args(["-s", "sftp"]);
    let ran = output(command, &input);
    assert!(!ran.stdout.is_empty(), "{mode}: {}\n{}", ran.stderr, sshd.log());
    ran.stdout
}

/// The replies among them.
fn replies(mode: &str, requests: &[SftpRequest]) -> Vec<Reply> {
    let mut packets = Packets::default();
    packets.push(&said(mode, requests));
    assert_eq!(read_version(packets.next().unwrap().unwrap()), Ok((3, vec![])));
    let rest = std::iter::from_fn(|| packets.next().unwrap());
    (1..)
        .zip(rest)
        .map(|(id, packet)| {
            let (answered, reply) = Reply::read(packet).unwrap();
            assert_eq!(answered, id);
            reply
        })
        .collect()
}

fn listing(times: usize) -> Vec<SftpRequest> {
    let open = SftpRequest::Opendir { path: Bytes::from_static(b"d") };
    std::iter::once(open).chain((0..times).map(|_| SftpRequest::Readdir { handle: FOLDER })).collect()
}

fn reading(offsets: &[u64]) -> Vec<SftpRequest> {
    let path = Bytes::from_static(b"f");
    let open = SftpRequest::Open { path, flags: OpenFlags::READ, attrs: Attrs::default() };
    let read = |&offset: &u64| SftpRequest::Read { handle: FILE, offset, length: 100 };
    std::iter::once(open).chain(offsets.iter().map(read)).collect()
}

fn names(reply: &Reply) -> Vec<&[u8]> {
    let Reply::Names(names) = reply else { panic!("no names: {reply:?}") };
    names.iter().map(|entry| &entry.name[..]).collect()
}

#[test]
fn dots() {
    let told = replies("dots", &listing(2));
    assert_eq!(told[0], Reply::Handle(FOLDER));
    assert_eq!(names(&told[1]), [&b"../../x"[..], b"/etc/cron.d/x", b"a/b", b"", b".", b".."]);
    assert!(matches!(told[2], Reply::Status { code: status::EOF, .. }));
}

#[test]
fn endless() {
    let told = replies("endless", &listing(3));
    let all: std::collections::BTreeSet<_> = told[1..].iter().flat_map(names).collect();
    assert_eq!(all.len(), 300);
}

#[test]
fn emptyname() {
    assert_eq!(replies("emptyname", &listing(3))[1..], [const { Reply::Names(vec![]) }; 3]);
}

#[test]
fn zero() {
    let told = replies("zero", &reading(&[0, 4, 4]));
    let empty = Reply::Data(Bytes::new());
    assert_eq!(told[1..], [Reply::Data(Bytes::from_static(b"0123")), empty.clone(), empty]);
}

#[test]
fn more() {
    let requests = [SftpRequest::Fstat { handle: FILE }].into_iter().chain(reading(&[0, 1 << 40]));
    let told = replies("more", &requests.collect::<Vec<_>>());
    assert!(matches!(told[0], Reply::Attrs(Attrs { size: Some(10), permissions: Some(0o100_644), .. })));
    for reply in &told[2..] {
        assert!(matches!(reply, Reply::Data(data) if data.len() == 100), "{reply:?}");
    }
}

#[test]
fn hang() {
    assert!(replies("hang", &listing(1)).is_empty());
}

#[test]
fn huge() {
    let said = said("huge", &listing(0));
    assert_eq!(said[9..13], [0x7f, 0xff, 0xff, 0xff]);
}

#[test]
fn noise() {
    assert!(said("noise", &[]).starts_with(b"Welcome to this host!\n\0\0\0\x05\x02"));
}

#[test]
fn none() {
    let sshd = Sshd::builder().without_sftp().start();
    let mut command = sshd.ssh(sshd.addresses()[0]);
    command.args(["-s", "sftp"]);
    let ran = output(command, b"");
    assert!(ran.stderr.contains("subsystem request failed on channel 0"), "{}", ran.stderr);
}
