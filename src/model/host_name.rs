//! The names of hosts and roles, as types.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::name;

/// The name of a host as the inventory and every report write it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostName(pub Arc<str>);

/// The name of a role.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoleName(pub Arc<str>);

macro_rules! name_type {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(Arc::from(name))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}
name_type!(HostName);
name_type!(RoleName);

impl HostName {
    /// The name that ssh would be given, and what is dialled where no setting says otherwise: a host of no inventory
    /// goes by all that was written, `root@web1:2222`, and is looked up as `web1`.
    pub fn place(&self) -> &str {
        name::place(&self.0)
    }
}
