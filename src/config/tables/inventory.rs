//! The keys of inventories.

use crate::config::tables::shape::{Shape, ShapeKeys};

pub(in crate::config) const FILE: ShapeKeys = &[
    (
        "hosts",
        Shape::Either(&[
            Shape::Named(&Shape::Either(&[Shape::Defined("host"), Shape::Defined("nothing")])),
            Shape::List(&Shape::Text),
        ]),
        "the hosts: names, ranges and address blocks, each with its settings; or a list of names",
    ),
    (
        "roles",
        Shape::Named(&Shape::Either(&[Shape::Defined("role"), Shape::List(&Shape::Text)])),
        "named groups of hosts",
    ),
    (
        "sources",
        Shape::List(&Shape::Either(&[Shape::Text, Shape::OneOfBeside(SOURCE, SOURCE_MORE)])),
        "other sources of hosts, on top of which this file stands",
    ),
    ("defaults", Shape::Defined("defaults"), "settings of every host"),
    (
        "default_targets",
        Shape::List(&Shape::Text),
        "hosts, as target expressions, for tasks and commands that name none",
    ),
    ("vars", Shape::Vars, "variables of every host"),
    ("secrets", SECRETS, "secrets for tasks: name, and where its value comes from"),
];

/// What a source of hosts is, and its path relative to the file.
pub(in crate::config) const SOURCE: ShapeKeys = &[
    ("fan", Shape::Text, "another inventory of fan's"),
    ("ansible", Shape::Text, "an inventory of Ansible's: INI or YAML, or a folder"),
    ("exec", Shape::Text, "a program that prints the JSON of Ansible's --list"),
    ("hosts", Shape::Text, "a list of hosts, as pssh and clush have it"),
    ("ssh", Shape::Text, "the hosts that an ssh_config names"),
    ("json", Shape::Text, "the JSON of Ansible's --list, in a file"),
    ("clush", Shape::Text, "groups of clush: groups.conf, a YAML file or a folder"),
];

/// What stands beside it.
pub(in crate::config) const SOURCE_MORE: ShapeKeys = &[(
    "cache",
    Shape::Duration,
    "how old the last answer of `exec` may be before the program is asked again",
)];

/// What a role has besides settings.
pub(in crate::config) const ROLE: ShapeKeys = &[
    ("hosts", Shape::List(&Shape::Text), "its members, as target expressions"),
    ("roles", Shape::List(&Shape::Text), "other roles whose hosts it includes"),
    ("vars", Shape::Vars, "variables of its hosts"),
    ("protect", Shape::Flag, "ask for the role's name before changing its hosts; --confirm ROLE in CI"),
];

/// What a host has besides settings.
pub(in crate::config) const HOST: ShapeKeys = &[("vars", Shape::Vars, "variables of this host")];

/// Where a secret is kept.
pub(in crate::config) const SOURCES: ShapeKeys = &[
    ("env", Shape::Text, "in this environment variable"),
    ("file", Shape::Text, "in the first line of this file"),
    ("command", Shape::Text, "in the first line that this command prints"),
    ("prompt", Shape::Text, "typed in: fan prompts with this text"),
];

pub(in crate::config) const SECRETS: Shape = Shape::Named(&Shape::OneOf(SOURCES));

const PATHS: Shape = Shape::OneOrMany(&Shape::Text);

pub(in crate::config) const SETTINGS: ShapeKeys = &[
    ("address", Shape::Text, "host name or IP address to connect to; default: the host's name"),
    ("port", Shape::Integer(1, 65535), "TCP port"),
    ("user", Shape::Text, "login name"),
    ("identity", PATHS, "private key files, offered in this order"),
    ("identities_only", Shape::Flag, "offer only the keys of `identity`, even if the agent holds more"),
    ("agent", Shape::FlagOrText, "use the SSH agent of SSH_AUTH_SOCK, no agent, or the one at this socket"),
    ("known_hosts", PATHS, "files of known host keys"),
    (
        "connect_timeout",
        Shape::Duration,
        "limit for everything up to a ready connection: name lookup, TCP, greeting, key exchange, login",
    ),
    ("auth_timeout", Shape::Duration, "the login alone"),
    (
        "session_timeout",
        Shape::Duration,
        "limit for opening a channel, and for the reply to the start of a command",
    ),
    ("command_timeout", Shape::Duration, "time limit of a command"),
    ("idle_timeout", Shape::Duration, "how long a command may print nothing"),
    (
        "keepalive",
        Shape::Duration,
        "interval of keepalive requests; three unanswered ones end the connection",
    ),
    ("retries", Shape::Integer(0, 100), "retries of a connection after a temporary error"),
    ("shell", Shape::Text, "interpreter of scripts"),
    ("sudo", Shape::Map { keys: SUDO, required: &[] }, "how steps with `sudo` become another user"),
    ("env", Shape::Texts, "environment variables of every command"),
    ("transport", Shape::Words(&["ssh", "local"]), "over SSH, or on this machine"),
    ("gateway", PATHS, "gateways (bastions, jump hosts), nearest first; none connects directly"),
    ("proxy_command", Shape::Text, "a local command to connect through instead, as ssh's ProxyCommand"),
    ("forward_agent", Shape::Flag, "give the host access to the SSH agent"),
    ("password", Shape::OneOf(SOURCES), "where the login password comes from"),
    ("certificate", PATHS, "certificates for the keys of `identity`"),
    ("host_key", PATHS, "accepted host keys: SHA256:... or the content of a .pub file"),
    ("host_keys", Shape::Words(&["strict", "ask", "accept-new"]), "what to do about an unknown host key"),
    ("host_key_alias", Shape::Text, "name to look host keys up under"),
    ("revoked_host_keys", PATHS, "files of revoked keys, refused whatever `known_hosts` says"),
    ("durable", Shape::Flag, "whether commands outlive the connection"),
    ("reattach", Shape::Duration, "how long to try to come back to a durable command"),
    (
        "on_disconnect",
        Shape::Words(&["leave", "kill"]),
        "what happens to a running command when the connection is lost",
    ),
];

/// How commands become another user.
pub(in crate::config) const SUDO: ShapeKeys = &[
    ("user", Shape::Text, "the user to become; root by default"),
    ("method", Shape::Words(&["sudo", "su", "doas"]), "sudo, su or doas"),
    ("password", Shape::OneOf(SOURCES), "where the password for it comes from"),
];

/// The setting that belongs to one host.
pub(in crate::config) const OF_HOSTS: &str = "address";
