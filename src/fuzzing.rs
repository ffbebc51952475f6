//! What the targets of `fuzz/` look at, by the paths that it has inside; compiled for them only.

#![allow(missing_docs, reason = "each item says what it is where it is")]

pub mod config {
    pub use crate::config::{SourceOptions, SourceSpec, load_inventory_text, load_sources, load_tasks_text};

    pub mod ssh_config {
        pub use crate::config::ssh_config::{Local, Sources, SshConfig};
    }
}

pub mod event {
    pub use crate::event::{Event, Fact, StepFact};

    pub mod ledger {
        pub use crate::event::ledger::{Kept, Ledger};
    }

    pub mod line {
        pub use crate::event::line::{read, write};
    }

    pub mod recap {
        pub use crate::event::recap::Recap;
    }
}

pub mod model {
    pub mod facts {
        pub use crate::model::facts::parse;
    }

    pub mod range {
        pub use crate::model::range::{count, expand, fold};
    }

    pub mod redact {
        pub use crate::model::redact::{MIN_SECRET, Redactor};
    }

    pub mod secret {
        pub use crate::model::secret::Secret;
    }

    pub mod settings {
        pub use crate::model::settings::Settings;
    }

    pub mod target {
        pub use crate::model::target::{select, select_within};
    }

    pub mod template {
        pub use crate::model::template::{
            Builtins, Layer, Scope, Syntax, Templates, check, doubtful, names, paths, place,
        };
    }

    pub mod text {
        pub use crate::model::text::{Sgr, is_hidden, neutralize_ci, sanitize};
    }
}

pub mod ssh {
    pub mod agent {
        pub mod door {
            pub use crate::ssh::agent::door::{identities, messages};
        }
    }

    pub mod keys {
        pub use crate::ssh::keys::Keyring;
    }

    pub mod known_hosts {
        pub use crate::ssh::known_hosts::{KnownHosts, Verdict};
    }

    pub mod sftp {
        pub mod wire {
            pub use crate::ssh::sftp::wire::{Packets, Reply, SftpRequest, read_version};
        }
    }
}

pub mod store {
    pub use crate::store::{Journal, Recipe, Runs, Way};
}

pub mod web {
    pub use crate::web::{Certificate, Url, targets};
}
