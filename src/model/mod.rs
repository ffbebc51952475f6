//! Floor 0: what fan talks about. Pure types and functions over std and serde: no I/O, no clock, no
//! environment, no async. Everything above shares these words.

pub mod action;
pub mod call;
pub mod cells;
pub mod count;
pub mod duration;
pub mod endpoint;
pub mod facts;
pub mod files;
pub mod given;
pub mod handed;
pub mod host_key;
pub mod host_name;
pub mod inventory;
pub mod lock;
pub mod name;
pub mod outcome;
pub mod position;
pub mod privilege;
pub mod range;
pub mod redact;
pub mod secret;
pub(crate) mod secretive;
pub mod settings;
pub mod shard;
pub mod shell;
pub mod suggest;
pub mod target;
pub mod task;
pub mod template;
pub mod text;
pub mod time;
pub mod tree;
pub mod value;
pub(crate) mod words;
pub mod written;
