//! Which program a server is, by its identification line (RFC 4253 section 4.2), and what is known of its ways.

/// The program at the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Software {
    /// OpenSSH.
    OpenSsh,
    /// Dropbear.
    Dropbear,
    /// TinySSH.
    TinySsh,
    /// The throw-away hosts of fan itself.
    Sandbox,
    /// No server: this machine.
    Here,
    /// Nothing is known of it.
    #[default]
    Other,
}

impl Software {
    /// Reads it off the identification line.
    pub(super) fn of(identification: &[u8]) -> Self {
        let known: [(&[u8], Self); 4] = [
            (b"SSH-2.0-OpenSSH_", Self::OpenSsh),
            (b"SSH-2.0-dropbear", Self::Dropbear),
            (b"SSH-2.0-tinyssh", Self::TinySsh),
            (b"SSH-2.0-fan_", Self::Sandbox),
        ];
        let found = known.into_iter().find(|(begin, _)| identification.starts_with(begin));
        found.map_or(Self::Other, |(_, software)| software)
    }

    /// Whether the end of a command's output proves that all processes of a stopped command have ended: it passes signals
    /// on to the whole process group, and closes the channel when nobody holds the output any more.
    ///
    /// OpenSSH does both (session.c, channels.c). Dropbear signals the shell, and closes with it.
    pub fn closes_last(self) -> bool {
        match self {
            Self::OpenSsh | Self::Sandbox | Self::Here => true,
            Self::Dropbear | Self::TinySsh | Self::Other => false,
        }
    }

    /// Whether a second session beside the first is known to do that one no harm. TinySSH has one for each connection.
    pub fn bears_another_session(self) -> bool {
        match self {
            Self::OpenSsh | Self::Sandbox => true,
            Self::Dropbear | Self::TinySsh | Self::Here | Self::Other => false,
        }
    }

    /// Whether it hands a command to the account's login shell. Of other servers (network gear, programs with a server
    /// of their own) nobody knows what runs a command there, so there is no shell to look for.
    pub fn runs_login_shells(self) -> bool {
        match self {
            Self::OpenSsh | Self::Dropbear | Self::TinySsh | Self::Sandbox => true,
            Self::Here | Self::Other => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ssh::software::Software;

    #[test]
    fn servers_are_told_by_their_identification() {
        for (line, software) in [
            ("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", Software::OpenSsh),
            ("SSH-2.0-dropbear_2022.83\r\n", Software::Dropbear),
            ("SSH-2.0-tinyssh_noversion\r\n", Software::TinySsh),
            ("SSH-2.0-fan_0.1.0\r\n", Software::Sandbox),
            ("SSH-2.0-Cisco-1.25\r\n", Software::Other),
            ("", Software::Other),
        ] {
            assert_eq!(Software::of(line.as_bytes()), software, "{line}");
        }
    }
}
