//! Where reports go: files, people by mail, web services. What of it stands on a command line, and what in `fan.yaml`.
//!
//! Pure: who is there, whether the server is, and what a secret is worth is found out elsewhere.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::name::check_report_name;
use crate::model::position::Located;
use crate::model::secret::{MASK, Secret, SecretSource};

/// The value of `--report`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportTo {
    /// A file; its extension says which kind of report.
    File(PathBuf),
    /// People, `mailto:`.
    Mail(MailTo),
    /// A web service, `https:`. Often whoever knows the address may write there, so it is kept as a secret.
    Web(Secret),
    /// An entry of `reports` in `fan.yaml`.
    Named(String),
}

impl ReportTo {
    /// Reads the value of an option.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a lowercase fragment that repeats no secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let starts = |scheme: &str| text.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
        if starts("mailto:") {
            return MailTo::parse(text).map(Self::Mail);
        }
        if starts("https://") || starts("http://") {
            return Ok(Self::Web(Secret::new(text)));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(format!("reports go to files, mailto: and https:, not to {scheme}:"));
        }
        if text.is_empty() {
            return Err("it names no file".to_owned());
        }
        // A report's file has an extension, and a name has none.
        Ok(if check_report_name(text).is_ok() {
            Self::Named(text.to_owned())
        } else {
            Self::File(PathBuf::from(text))
        })
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Mail(_) | Self::Web(_) | Self::Named(_) => None,
        }
    }
}

impl fmt::Display for ReportTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Mail(mail) => write!(f, "{mail}"),
            Self::Web(url) => f.write_str(&web_shown(url.reveal())),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// A web address as it is shown and written down: what follows the host may be a secret.
pub fn web_shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return MASK.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let hidden = if target.trim_matches('/').is_empty() { "" } else { MASK };
    format!("{scheme}://{host}/{hidden}")
}

/// Whether a web address was written down, and so is one no more.
pub fn is_hidden_web(url: &str) -> bool {
    url.ends_with(MASK)
}

/// Whom a mail is for (RFC 6068).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailTo {
    /// Those it is written to.
    pub to: Vec<String>,
    /// Those who get a copy that all see.
    pub cc: Vec<String>,
    /// Those who get a copy that nobody sees.
    pub bcc: Vec<String>,
    /// What stands above it, instead of what fan says.
    pub subject: Option<String>,
}

impl MailTo {
    /// Reads `mailto:a@example.com,b@example.com?cc=c@example.com`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a lowercase fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.get("mailto:".len()..).unwrap_or_default();
        let (to, fields) = rest.split_once('?').unwrap_or((rest, ""));
        let mut mail = Self { to: addresses(to)?, ..Self::default() };
        for field in fields.split('&').filter(|field| !field.is_empty()) {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            match name.to_ascii_lowercase().as_str() {
                "to" => mail.to.extend(addresses(value)?),
                "cc" => mail.cc.extend(addresses(value)?),
                "bcc" => mail.bcc.extend(addresses(value)?),
                "subject" => mail.subject = Some(subject(&decoded(value)?)?),
                _ => return Err(format!("{name:?} is not to, cc, bcc or subject")),
            }
        }
        if mail.to.is_empty() {
            return Err("it names nobody: mailto:ops@example.com".to_owned());
        }
        Ok(mail)
    }
}

impl fmt::Display for MailTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mailto:{}", self.to.join(","))
    }
}

fn addresses(list: &str) -> Result<Vec<String>, String> {
    let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| decoded(item).and_then(|address| check_mail_address(&address))).collect()
}

/// Bytes of an address (RFC 5321, section 4.5.3.1.3).
const ADDRESS_MAX: usize = 254;

/// Whether a text is the address of a mailbox, as far as its form tells.
///
/// # Errors
///
/// It is not: why, as a lowercase fragment.
pub fn check_mail_address(text: &str) -> Result<String, String> {
    let wrong = || Err(format!("{text:?} is not a mail address"));
    let Some((local, domain)) = text.rsplit_once('@') else { return wrong() };
    let bad = |c: char| c.is_whitespace() || c.is_control() || "<>()[]\\,;:\"@".contains(c);
    let is_none = |part: &str| part.is_empty() || part.contains(bad);
    if is_none(local) || is_none(domain) || !local.is_ascii() || text.len() > ADDRESS_MAX {
        return wrong();
    }
    Ok(text.to_owned())
}

/// What may stand above a mail: one line.
///
/// # Errors
///
/// It has control characters in it.
pub fn subject(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("a subject has no control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A text without its percent signs.
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => bytes.push(u8::try_from(high * 16 + low).unwrap_or_default()),
            _ => return Err(format!("{text:?}: two hexadecimal digits belong behind a \"%\"")),
        }
    }
    String::from_utf8(bytes).map_err(|_| format!("{text:?} is not UTF-8"))
}

/// When a report goes to people and services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Something is not as it should be.
    Failure,
    /// Something changed, or differs.
    Change,
    /// Whatever comes out.
    Always,
}

impl Occasion {
    /// All of them, with their words.
    pub const WORDS: [(&str, Self); 3] =
        [("failure", Self::Failure), ("change", Self::Change), ("always", Self::Always)];
}

/// An entry of `reports` in `fan.yaml`.
#[derive(Clone, Debug)]
pub struct NamedReport {
    /// To whom.
    pub to: NamedPlace,
    /// When; always if nothing is said.
    pub on: Vec<Occasion>,
    /// How long it may take; `None` for what is built in.
    pub timeout: Option<Duration>,
}

/// To whom an entry of `reports` goes.
#[derive(Clone, Debug)]
pub enum NamedPlace {
    /// To people.
    Mail {
        /// Who they are.
        to: MailTo,
        /// The kinds of reports that are attached, by their extensions; `None` for what is built in.
        attach: Option<Vec<String>>,
    },
    /// To a web service.
    Web(WebService),
}

/// A web service.
#[derive(Clone, Debug)]
pub struct WebService {
    /// Where it is.
    pub url: TextOrSecret,
    /// What it gets: slack, teams, matrix, or the path of a template; the JSON report if nothing is said.
    pub template: Option<Located<String>>,
    /// More headers.
    pub headers: Vec<(String, TextOrSecret)>,
    /// What stands behind `Authorization: Bearer`.
    pub bearer: Option<SecretSource>,
    /// Certificates of authorities (PEM) that are believed instead of the machine's.
    pub ca: Option<String>,
}

/// A text, or where it is kept.
#[derive(Clone, Debug)]
pub enum TextOrSecret {
    /// It stands there.
    Text(String),
    /// It is kept elsewhere.
    Secret(SecretSource),
}

/// The `smtp` of `fan.yaml`: who takes mail.
#[derive(Clone, Debug)]
pub struct MailServer {
    /// Its name or address.
    pub host: String,
    /// Its port; `None` for the usual one.
    pub port: Option<u16>,
    /// How it is spoken to; `None` for the usual way of its port.
    pub security: Option<MailSecurity>,
    /// Who writes.
    pub from: String,
    /// Who logs in.
    pub user: Option<String>,
    /// With which password.
    pub password: Option<SecretSource>,
    /// Certificates of authorities (PEM) that are believed instead of the machine's.
    pub ca: Option<String>,
    /// How long it may take; `None` for what is built in.
    pub timeout: Option<Duration>,
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// TLS after a word in the clear, which has to be granted.
    StartTls,
    /// TLS from the first byte on.
    Tls,
    /// No TLS.
    None,
}

impl MailSecurity {
    /// All of them, with their words.
    pub const WORDS: [(&str, Self); 3] =
        [("starttls", Self::StartTls), ("tls", Self::Tls), ("none", Self::None)];

    /// The port where it is usual.
    pub fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_goes_where_its_text_says() {
        let parsed = |text: &str| ReportTo::parse(text).unwrap();
        assert_eq!(parsed("ops"), ReportTo::Named("ops".to_owned()));
        assert_eq!(parsed("out/ops"), ReportTo::File("out/ops".into()));
        assert_eq!(parsed("ops.html"), ReportTo::File("ops.html".into()));
        assert!(matches!(parsed("HTTPS://a/b"), ReportTo::Web(_)));
        for bad in ["", "smtp://a", "slack://x", "mailto:", "mailto:ops", "mailto:a@b?x=y"] {
            assert!(ReportTo::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mailto_names_people_and_nothing_slips_into_a_header() {
        let mail =
            MailTo::parse("mailto:a@x.org,b%2Bc@y.org?cc=d@z.org&bcc=e@z.org&subject=To%20do").unwrap();
        assert_eq!(
            (mail.to, mail.cc),
            (vec!["a@x.org".to_owned(), "b+c@y.org".to_owned()], vec!["d@z.org".to_owned()])
        );
        assert_eq!((mail.bcc, mail.subject.as_deref()), (vec!["e@z.org".to_owned()], Some("To do")));
        for bad in [
            "mailto:a@x.org%0d%0aBcc:%20b@x.org",
            "mailto:a@x.org?subject=x%0aBcc:%20b@x.org",
            "mailto:<a@x.org>",
            "mailto:a b@x.org",
            "mailto:a@b@x.org",
            "mailto:@x.org",
            "mailto:a@",
            "mailto:a@x.org%2",
            "mailto:%ff@x.org",
        ] {
            assert!(MailTo::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn of_a_web_address_only_the_host_is_shown() {
        for (url, shown) in [
            ("https://hooks.example.com/services/T1/B2/secret", "https://hooks.example.com/********"),
            ("https://user:secret@example.com:8443/x", "https://example.com:8443/********"),
            ("https://example.com?token=secret", "https://example.com/********"),
            ("https://example.com", "https://example.com/"),
        ] {
            assert_eq!(ReportTo::parse(url).unwrap().to_string(), shown);
            assert_eq!(is_hidden_web(shown), shown.ends_with('*'));
        }
    }
}
