//! `fan exec` and `fan ping`: commands on hosts, what they print, and how they end.

mod cut;
mod data;
mod durable;
mod endings;
mod faults;
mod jobs;
mod late;
mod lists;
mod openssh;
mod outliving;
mod output;
mod results;
mod script;
mod stdin;
mod stop;
mod stopping;
mod sudo;
mod terminal;
mod view;
