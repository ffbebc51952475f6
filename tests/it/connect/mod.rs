//! From the first packet to a ready session: keys, passwords, agents, gateways, and servers of every kind.

mod auth;
mod channels;
mod dropbear;
mod gateways;
mod identities;
mod logins;
mod names;
pub mod servers;
