//! The keys of fan.yaml.

use crate::config::tables::inventory::SOURCES;
use crate::config::tables::shape::{Shape, ShapeKeys};

/// At the top.
pub(in crate::config) const FILE: ShapeKeys = &[
    ("defaults", Shape::Any, "defaults of options, by their names; those of one command below its name"),
    ("profiles", Shape::Any, "named sets of defaults, for --profile"),
    ("aliases", Shape::Any, "commands of your own: a name, and the words that it stands for"),
    ("reports", Shape::Any, "people and services that reports go to, by the names that --report takes"),
    ("smtp", Shape::Any, "the mail server for --report mailto:..."),
];

/// Of `smtp`.
pub(in crate::config) const SMTP: ShapeKeys = &[
    ("server", Shape::Text, "name or address of the mail server, with :PORT where it is not the usual one"),
    ("security", Shape::Text, "starttls (port 587), tls (port 465) or none (port 25)"),
    ("from", Shape::Text, "the address that mails come from; by default `user`"),
    ("user", Shape::Text, "the name to log in with; nobody logs in without one"),
    ("password", Shape::OneOf(SOURCES), "where its password is kept"),
    ("ca", Shape::Text, "certificates of authorities (PEM) that are believed instead of the machine's"),
    ("timeout", Shape::Duration, "how long the mail server may take, 30s"),
];

/// Of an entry of `reports`.
pub(in crate::config) const REPORT: ShapeKeys = &[
    ("to", Shape::Any, "mailto:..., https:..., or where such an address is kept"),
    ("on", Shape::OneOrMany(&Shape::Text), "when: failure, change, always (by default)"),
    (
        "attach",
        Shape::OneOrMany(&Shape::Text),
        "reports that a mail has with it, by their extensions: html (by default)",
    ),
    (
        "template",
        Shape::Text,
        "what a service gets instead of the JSON report: slack, teams, matrix, or a file",
    ),
    ("headers", Shape::Named(&Shape::Any), "more headers of a request: texts, or where they are kept"),
    ("bearer", Shape::OneOf(SOURCES), "where the token behind `Authorization: Bearer` is kept"),
    ("ca", Shape::Text, "certificates of authorities (PEM) that are believed instead of the machine's"),
    ("timeout", Shape::Duration, "how long delivery may take, 30s"),
];
