//! `fan exec` and `fan ping`: commands on hosts, what they print, and how they end.

mod cut;
mod endings;
mod faults;
mod openssh;
mod output;
mod results;
mod stop;
mod stopping;
mod sudo;
mod terminal;
