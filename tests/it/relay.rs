//! A relay in front of a server: it counts the connections, and cuts those that it is told to cut.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Passes connections on for as long as the test's process lives.
pub struct Relay {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Relay {
    /// `cut` says after how many of the server's bytes a connection ends, by its number from 1.
    pub fn to(server: SocketAddr, cut: impl Fn(usize) -> Option<usize> + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Self { port: listener.local_addr().unwrap().port(), connections: Arc::default() };
        let connections = Arc::clone(&relay.connections);
        thread::spawn(move || {
            for client in listener.incoming() {
                let number = connections.fetch_add(1, Ordering::SeqCst) + 1;
                pass(client.unwrap(), server, cut(number));
            }
        });
        relay
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn pass(client: TcpStream, server: SocketAddr, cut: Option<usize>) {
    let Ok(server) = TcpStream::connect(server) else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let up = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || copy(up.0, up.1, usize::MAX));
    thread::spawn(move || copy(server, client, cut.unwrap_or(usize::MAX)));
}

/// Ends both when either does, or after so many bytes.
fn copy(mut from: TcpStream, mut to: TcpStream, mut left: usize) {
    let mut buffer = [0; 16 * 1024];
    while left > 0 {
        let most = left.min(buffer.len());
        let Ok(count @ 1..) = from.read(&mut buffer[..most]) else { break };
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
        left -= count;
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
