//! What fan's own tests and benchmarks look at, by the paths that it has inside. It is no interface, and changes without
//! notice.

#![allow(missing_docs, reason = "each item says what it is where it is")]

pub mod event {
    pub use crate::event::{
        ConnectionFact, Event, Fact, GatewayFact, HostOutcome, LockAt, LockFact, RunFact, SCHEMA_VERSION,
        Section, StepAt, StepFact, StepOutcome, StepSummary, Stream, TaskFact, TaskSummary,
    };

    pub mod ledger {
        pub use crate::event::ledger::Ledger;
    }

    pub mod recap {
        pub use crate::event::recap::Recap;
    }
}

pub mod fleet {
    pub use crate::fleet::{FleetFile, Observed};
}

pub mod model {
    pub mod endpoint {
        pub use crate::model::endpoint::{Agent, Endpoint, NamedBy, Password};
    }

    pub mod facts {
        pub use crate::model::facts::Facts;
    }

    pub mod inventory {
        pub use crate::model::inventory::HostName;
    }

    pub mod outcome {
        pub use crate::model::outcome::{CancelReason, Exit, ExitCode, Failure, Kind, Status, StepStatus};
    }

    pub mod secret {
        pub use crate::model::secret::Secret;
    }
}

pub mod report {
    pub use crate::report::{Fold, FoldFrame, FoldOptions, Layout, Reporter, Style, read};

    pub mod file {
        pub use crate::report::file::{ReportKind, render};
    }

    pub mod record {
        pub use crate::report::record::Record;
    }
}

pub mod sandbox {
    pub use crate::sandbox::{Behaviour, Dialect, HostSpec, Sandbox, SandboxHost, SandboxLogin, SftpFault};
}

pub mod ssh {
    pub use crate::ssh::{Connector, Exec, ExecEvent, ExecRequest, Heard, Sent, Session, Stdin};

    pub mod agent {
        pub use crate::ssh::agent::AgentPatience;
    }

    pub mod client {
        pub use crate::ssh::client::SshConnector;
    }

    pub mod keys {
        pub use crate::ssh::keys::Keyring;
    }

    pub mod session {
        pub use crate::ssh::session::SshSession;
    }

    pub mod sftp {
        pub mod wire {
            pub use crate::ssh::sftp::wire::{
                Attrs, OpenFlags, Packets, Reply, SftpRequest, init, read_version, status,
            };
        }
    }
}

pub mod store {
    pub use crate::store::{Recipe, RunState, Runs, Way};
}
