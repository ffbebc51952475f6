//! The table of servers.

use crate::connect::servers::start::{self, Server};

/// A kind of server.
pub struct Kind {
    /// As the page calls it.
    pub name: &'static str,
    /// The Debian packages that it is in.
    pub packages: &'static str,
    /// What is particular to it, or to how it was set up.
    pub about: &'static str,
    /// Starts one; says why it cannot be started here.
    pub start: fn() -> Result<Server, String>,
}

/// All of them. A new one is a line here and a function in `start`.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "OpenSSH",
        packages: "openssh-server",
        about: "The measure of all others.",
        start: start::openssh,
    },
    Kind {
        name: "OpenSSH, SFTP only",
        packages: "openssh-server",
        about: "`ForceCommand internal-sftp`: whatever command is asked for, SFTP is started. So are accounts set up \
                that are to move files and nothing else.",
        start: start::openssh_sftp_only,
    },
    Kind {
        name: "OpenSSH, one session",
        packages: "openssh-server",
        about: "`MaxSessions 1`: one command, or one SFTP, on a connection at a time.",
        start: start::openssh_one_session,
    },
    Kind {
        name: "Dropbear",
        packages: "dropbear-bin, openssh-sftp-server",
        about: "It starts the SFTP server of OpenSSH where that is installed.",
        start: start::dropbear,
    },
    Kind {
        name: "Dropbear without SFTP",
        packages: "dropbear-bin",
        about: "As on routers and other small devices.",
        start: start::dropbear_without_sftp,
    },
    Kind {
        name: "TinySSH",
        packages: "tinysshd",
        about: "It has one cipher, chacha20-poly1305. Before 2024 it lacks the strict key exchange without which that \
                cipher is not safe (CVE-2023-48795), and fan does not talk to it.",
        start: start::tinyssh,
    },
    Kind {
        name: "proftpd (mod_sftp)",
        packages: "proftpd-core, proftpd-mod-crypto",
        about: "It serves files and no commands. When a command is asked for beside SFTP it ends the connection: fan \
                connects once more, and asks for none from then on.",
        start: start::proftpd,
    },
    Kind {
        name: "asyncssh",
        packages: "python3-asyncssh",
        about: "It reads requests for links as the draft of SFTP has them, not as OpenSSH does.",
        start: start::asyncssh,
    },
    Kind {
        name: "paramiko",
        packages: "python3-paramiko",
        about: "A library: who builds a server of it writes its commands and files. The one that was tried sets no \
                attributes of open files, renames only to where nothing is, gives folders the mode that was asked for \
                whatever the umask, and tells no signals.",
        start: start::paramiko,
    },
    Kind {
        name: "conch (Twisted)",
        packages: "python3-twisted",
        about: "It sets no attributes of open files, and makes relative links point at the home.",
        start: start::conch,
    },
];
