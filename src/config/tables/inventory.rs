//! The keys of inventories.

use crate::config::tables::shape::{Keys, Shape};

pub(in crate::config) const FILE: Keys = &[
    (
        "hosts",
        Shape::Either(&[
            Shape::Named(&Shape::Either(&[Shape::Defined("host"), Shape::Defined("nothing")])),
            Shape::List(&Shape::Text),
        ]),
        "the hosts: names, ranges and blocks of addresses, each with what is to be said about it; or a list of names",
    ),
    (
        "roles",
        Shape::Named(&Shape::Either(&[Shape::Defined("role"), Shape::List(&Shape::Text)])),
        "named groups of hosts",
    ),
    ("defaults", Shape::Defined("defaults"), "settings of every host"),
    ("vars", Shape::Vars, "variables of every host"),
    ("secrets", SECRETS, "secrets for tasks: names, and where each value is kept"),
];

/// What a role has besides settings.
pub(in crate::config) const ROLE: Keys = &[
    ("hosts", Shape::List(&Shape::Text), "who belongs to it: target expressions"),
    ("roles", Shape::List(&Shape::Text), "other roles whose hosts belong to it too"),
    ("vars", Shape::Vars, "variables of its hosts"),
    (
        "protect",
        Shape::Flag,
        "what would change its hosts asks for the role's name first; --confirm ROLE in CI",
    ),
];

/// What a host has besides settings.
pub(in crate::config) const HOST: Keys = &[("vars", Shape::Vars, "variables of this host")];

/// Where a secret is kept.
pub(in crate::config) const SOURCES: Keys = &[
    ("env", Shape::Text, "in this environment variable"),
    ("file", Shape::Text, "in the first line of this file"),
    ("command", Shape::Text, "in the first line that this command prints"),
    ("prompt", Shape::Text, "in your head: you are asked with this text"),
];

pub(in crate::config) const SECRETS: Shape = Shape::Named(&Shape::OneOf(SOURCES));

const PATHS: Shape = Shape::OneOrMany(&Shape::Text);

pub(in crate::config) const SETTINGS: Keys = &[
    ("address", Shape::Text, "host name or IP address: what is dialled. Without it, the host's name"),
    ("port", Shape::Integer(1, 65535), "TCP port"),
    ("user", Shape::Text, "login name"),
    ("identity", PATHS, "private key files, offered in this order"),
    ("identities_only", Shape::Flag, "offer only the keys of `identity`, also when the agent holds more"),
    ("agent", Shape::FlagOrText, "ask the SSH agent of SSH_AUTH_SOCK, none, or the one at this socket"),
    ("known_hosts", PATHS, "files of known host keys"),
    (
        "connect_timeout",
        Shape::Duration,
        "everything up to a ready connection: name lookup, TCP connect, greeting, keys and login",
    ),
    ("auth_timeout", Shape::Duration, "the login alone"),
    ("session_timeout", Shape::Duration, "opening a channel, and the answer to the start of a command: each"),
    ("command_timeout", Shape::Duration, "how long a command may take"),
    ("idle_timeout", Shape::Duration, "how long a command may be silent"),
    (
        "keepalive",
        Shape::Duration,
        "interval of keepalive requests; three without an answer end the connection",
    ),
    ("retries", Shape::Integer(0, 100), "repeats of a connection attempt after a temporary error"),
    ("shell", Shape::Text, "interpreter of scripts"),
    ("sudo", Shape::Map { keys: SUDO, required: &[] }, "how steps with `sudo` become somebody else on it"),
    ("env", Shape::Texts, "environment variables of every command"),
    ("transport", Shape::Words(&["ssh", "local"]), "over SSH, or on your own machine"),
    (
        "gateway",
        PATHS,
        "the hosts on the way (bastions, jump hosts), the nearest to you first; none goes straight",
    ),
    ("forward_agent", Shape::Flag, "give the host access to the SSH agent"),
    ("password", Shape::OneOf(SOURCES), "where the password for the login is kept"),
    ("certificate", PATHS, "certificates for the keys of `identity`"),
    ("host_key", PATHS, "the keys that the host may have: SHA256:... each, or the words of a .pub file"),
    (
        "host_keys",
        Shape::Words(&["strict", "ask", "accept-new"]),
        "what to do about a key that is not recorded",
    ),
    ("host_key_alias", Shape::Text, "the name that host keys are looked up under"),
    ("revoked_host_keys", PATHS, "files of keys that are refused whatever `known_hosts` says"),
    (
        "on_disconnect",
        Shape::Words(&["leave", "kill"]),
        "what becomes of a running command when the connection goes away",
    ),
];

/// How commands become somebody else.
pub(in crate::config) const SUDO: Keys = &[
    ("user", Shape::Text, "whom they become; root without it"),
    ("method", Shape::Words(&["sudo", "su", "doas"]), "the program that does it"),
    ("password", Shape::OneOf(SOURCES), "where its password is kept"),
];

/// The setting that belongs to one host.
pub(in crate::config) const OF_HOSTS: &str = "address";
