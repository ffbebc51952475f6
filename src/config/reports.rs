//! `reports` and `smtp` of `fan.yaml`: where reports go besides files. Secrets are named there and never written down.

use std::path::Path;
use std::time::Duration;

use crate::config::fields::{Schema, expected, list, literal, map, quote, text, time_limit, word};
use crate::config::findings::Findings;
use crate::config::places::resolved;
use crate::config::secret;
use crate::config::tables::fan_file as tables;
use crate::config::yaml::{Node, YamlEntry};
use crate::model::addressee::{
    MailSecurity, MailServer, MailTo, NamedPlace, NamedReport, Occasion, ReportTo, TextOrSecret, WebService,
    check_mail_address,
};
use crate::model::name::{check_address, check_report_name, split_port};
use crate::model::position::Located;
use crate::model::secret::SecretSource;
use crate::model::secretive::is_secretive;
use crate::model::settings::TimeLimit;

const SMTP: Schema = Schema {
    known: &[tables::SMTP],
    synonyms: &[
        ("host", "server"),
        ("address", "server"),
        ("port", "server"),
        ("tls", "security"),
        ("encryption", "security"),
        ("sender", "from"),
        ("username", "user"),
        ("login", "user"),
        ("pass", "password"),
        ("cacert", "ca"),
    ],
};

const REPORT: Schema = Schema {
    known: &[tables::REPORT],
    synonyms: &[
        ("url", "to"),
        ("target", "to"),
        ("when", "on"),
        ("attachments", "attach"),
        ("files", "attach"),
        ("format", "template"),
        ("token", "bearer"),
        ("header", "headers"),
        ("cacert", "ca"),
    ],
};

/// Templates that fan brings along.
const SHIPPED: [&str; 3] = ["slack", "teams", "matrix"];

/// Reads an entry of `reports`: a text alone is its `to`.
pub(super) fn report(entry: &YamlEntry, base: &Path, findings: &mut Findings) -> Option<NamedReport> {
    if let Err(message) = check_report_name(&entry.key.text) {
        findings.error(&entry.key.position, message);
        return None;
    }
    if let Node::Scalar(_) = &entry.value {
        let to = to(&entry.value, base, findings)?;
        return Some(NamedReport { to: ReportEntry::default().place(to), on: Vec::new(), timeout: None });
    }
    let mut read = ReportEntry::default();
    let mut of_mail = Vec::new();
    let mut of_web = Vec::new();
    let (mut place, mut goes_somewhere) = (None, false);
    for entry in map(&entry.value, "mailto:..., https:..., or a map with \"to\"", "key", findings) {
        let (key, node) = (&*entry.key.text, &entry.value);
        match key {
            "to" => {
                goes_somewhere = true;
                place = to(node, base, findings);
            }
            "on" => {
                read.on =
                    words(node, key, findings, |node, findings| word(node, key, &Occasion::WORDS, findings))
            }
            "attach" => {
                of_mail.push(&entry.key);
                read.attach = Some(words(node, key, findings, |node, findings| {
                    let text = literal(node, key, findings)?;
                    Some(text.text.trim_start_matches('.').to_ascii_lowercase())
                }));
            }
            "template" => {
                of_web.push(&entry.key);
                read.template = literal(node, key, findings).map(|text| {
                    let shipped = SHIPPED.contains(&&*text.text);
                    let path = if shipped { text.text.to_string() } else { resolved(base, &text.text) };
                    Located::new(path, text.position.clone())
                });
            }
            "headers" => {
                of_web.push(&entry.key);
                read.headers = headers(node, base, findings);
            }
            "bearer" => {
                of_web.push(&entry.key);
                read.bearer = secret::source(node, key, base, findings);
            }
            "ca" => {
                of_web.push(&entry.key);
                read.ca = literal(node, key, findings).map(|text| resolved(base, &text.text));
            }
            "timeout" => read.timeout = deadline(node, key, findings),
            _ => REPORT.refuse(&entry.key, findings),
        }
    }
    let Some(place) = place else {
        if !goes_somewhere {
            findings.error_help(
                &entry.key.position,
                format!("report {} goes nowhere", quote(&entry.key.text)),
                "give it a \"to\": mailto:ops@example.com, or https://...",
            );
        }
        return None;
    };
    let (idle, kind) = match &place {
        ReportPlace::Mail(_) => (of_web, "a mail"),
        ReportPlace::Web(_) => (of_mail, "a web service"),
    };
    for key in idle {
        findings.error(&key.position, format!("{} has no meaning for {kind}", quote(&key.text)));
    }
    let (on, timeout) = (std::mem::take(&mut read.on), read.timeout);
    Some(NamedReport { to: read.place(place), on, timeout })
}

/// What an entry says besides its `to`.
#[derive(Default)]
struct ReportEntry {
    on: Vec<Occasion>,
    attach: Option<Vec<String>>,
    template: Option<Located<String>>,
    headers: Vec<(String, TextOrSecret)>,
    bearer: Option<SecretSource>,
    ca: Option<String>,
    timeout: Option<Duration>,
}

impl ReportEntry {
    fn place(self, to: ReportPlace) -> NamedPlace {
        match to {
            ReportPlace::Mail(to) => NamedPlace::Mail { to, attach: self.attach },
            ReportPlace::Web(url) => NamedPlace::Web(WebService {
                url,
                template: self.template,
                headers: self.headers,
                bearer: self.bearer,
                ca: self.ca,
            }),
        }
    }
}

/// A `to`.
enum ReportPlace {
    Mail(MailTo),
    Web(TextOrSecret),
}

fn to(node: &Node, base: &Path, findings: &mut Findings) -> Option<ReportPlace> {
    if let Node::Map(_) = node {
        return secret::source(node, "to", base, findings)
            .map(|url| ReportPlace::Web(TextOrSecret::Secret(url)));
    }
    let scalar = literal(node, "to", findings)?;
    let problem = match ReportTo::parse(&scalar.text) {
        Ok(ReportTo::Mail(mail)) => return Some(ReportPlace::Mail(mail)),
        Ok(ReportTo::Web(url)) => return Some(ReportPlace::Web(TextOrSecret::Text(url.reveal().to_owned()))),
        Ok(ReportTo::File(_) | ReportTo::Named(_)) => "\"to\" begins with mailto: or https:".to_owned(),
        Err(why) => format!("\"to\": {why}"),
    };
    let help = "files are given as they are: --report out.html, or defaults: {report: [out.html]}";
    findings.error_help(&scalar.position, problem, help);
    None
}

fn headers(node: &Node, base: &Path, findings: &mut Findings) -> Vec<(String, TextOrSecret)> {
    let mut headers = Vec::new();
    for entry in map(node, "a map of headers", "header", findings) {
        let name = entry.key.text.to_string();
        let value = match &entry.value {
            Node::Map(_) => secret::source(&entry.value, &name, base, findings).map(TextOrSecret::Secret),
            // What a secret stands behind is not to be in the file.
            Node::Scalar(_) if is_secretive(&name) => {
                secret::source(&entry.value, &name, base, findings).map(TextOrSecret::Secret)
            }
            Node::Scalar(_) => {
                text(&entry.value, &name, findings).map(|text| TextOrSecret::Text(text.text.to_string()))
            }
            Node::List(_) | Node::Broken(_) => {
                expected(&entry.value, "a text, or where it is kept", None, findings);
                None
            }
        };
        headers.extend(value.map(|value| (name, value)));
    }
    headers
}

/// One word or a list of them.
fn words<T>(
    node: &Node,
    field: &str,
    findings: &mut Findings,
    read: impl Fn(&Node, &mut Findings) -> Option<T>,
) -> Vec<T> {
    let nodes = match node {
        Node::Scalar(_) => std::slice::from_ref(node),
        Node::List(_) | Node::Map(_) | Node::Broken(_) => {
            list(node, &format!("a list for \"{field}\""), findings)
        }
    };
    nodes.iter().filter_map(|node| read(node, findings)).collect()
}

fn deadline(node: &Node, field: &str, findings: &mut Findings) -> Option<Duration> {
    match time_limit(node, field, findings)? {
        TimeLimit::After(limit) => Some(limit),
        TimeLimit::None => {
            let message = format!("{field} cannot be none: nobody would wait for a server that says nothing");
            findings.error_help(node.position(), message, "write a duration, for example 30s");
            None
        }
    }
}

/// Reads `smtp`.
pub(super) fn server(node: &Node, base: &Path, findings: &mut Findings) -> Option<MailServer> {
    let (mut host, mut port, mut security) = (None, None, None);
    let (mut from, mut user, mut password) = (None, None, None);
    let (mut ca, mut timeout) = (None, None);
    let before = findings.any();
    for entry in map(node, "a map with \"server\" and \"from\"", "key", findings) {
        let (key, node) = (&*entry.key.text, &entry.value);
        match key {
            "server" => {
                if let Some(scalar) = literal(node, key, findings) {
                    match place(&scalar.text) {
                        Ok(found) => (host, port) = (Some(found.0), found.1),
                        Err(why) => findings.error(&scalar.position, why),
                    }
                }
            }
            "security" => security = word(node, key, &MailSecurity::WORDS, findings),
            "from" => {
                let scalar = literal(node, key, findings);
                from = scalar.and_then(|scalar| {
                    let checked = check_mail_address(&scalar.text);
                    checked.map_err(|why| findings.error(&scalar.position, why)).ok()
                });
            }
            "user" => user = literal(node, key, findings).map(|user| user.text.to_string()),
            "password" => password = secret::source(node, key, base, findings),
            "ca" => ca = literal(node, key, findings).map(|ca| resolved(base, &ca.text)),
            "timeout" => timeout = deadline(node, key, findings),
            _ => SMTP.refuse(&entry.key, findings),
        }
    }
    if findings.any() && !before {
        return None;
    }
    let Some(host) = host else {
        findings.error_help(node.position(), "\"smtp\" names no server", "server: smtp.example.com");
        return None;
    };
    let sender = || user.clone().filter(|user| check_mail_address(user).is_ok());
    let Some(from) = from.or_else(sender) else {
        findings.error_help(
            node.position(),
            "\"smtp\" does not say who writes",
            "from: fan@example.com; the server may accept some addresses only",
        );
        return None;
    };
    if user.is_some() != password.is_some() {
        let (has, lacks) = if user.is_some() { ("user", "password") } else { ("password", "user") };
        findings.error_help(
            node.position(),
            format!("\"smtp\" has a {has} and no {lacks}"),
            "user: NAME and password: {env: NAME} log in together",
        );
        return None;
    }
    Some(MailServer { host, port, security, from, user, password, ca, timeout })
}

/// `smtp.example.com:587`, `[::1]:25`.
fn place(text: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = split_port(text);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    check_address(host)?;
    let port = match port {
        None => None,
        Some(port) => match port.parse() {
            Ok(port) if port != 0 => Some(port),
            Ok(_) | Err(_) => return Err(format!("port {port:?} is none")),
        },
    };
    Ok((host.to_owned(), port))
}
