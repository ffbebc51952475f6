//! A mail as it is sent: headers that nothing can slip into, a text, the same as HTML, files.

use lettre::address::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};

use crate::web::url::ascii;

/// A mail.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    /// Who writes.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
    /// Who gets a copy that all see.
    pub cc: Vec<String>,
    /// Who gets a copy that nobody sees.
    pub bcc: Vec<String>,
    /// What stands above it.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// Files.
    pub attachments: Vec<MailAttachment>,
}

/// A file of a mail.
#[derive(Clone, Debug)]
pub struct MailAttachment {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: &'static str,
    /// What is in it.
    pub data: Vec<u8>,
}

/// A mail that only has to be handed over.
#[derive(Clone, Debug)]
pub struct WrittenMail {
    pub(super) from: Address,
    pub(super) to: Vec<Address>,
    pub(super) data: Vec<u8>,
}

/// Characters of a subject: what comes behind them no list of mails shows.
const SUBJECT_MAX: usize = 200;

impl Mail {
    /// Writes it; `id` is what no other mail has.
    ///
    /// # Errors
    ///
    /// An address is none: why, as a lowercase fragment.
    pub fn written(self, id: &str) -> Result<WrittenMail, String> {
        let from = address(&self.from)?;
        let each = |list: &[String]| list.iter().map(|text| address(text)).collect::<Result<Vec<_>, _>>();
        let (to, cc, bcc) = (each(&self.to)?, each(&self.cc)?, each(&self.bcc)?);
        let mut builder = Message::builder()
            .from(Mailbox::new(Some("fan".to_owned()), from.clone()))
            .subject(one_line(&self.subject))
            .message_id(Some(format!("<{id}@{}>", from.domain())));
        // Nobody's absence is told to a program (RFC 3834).
        builder = builder.raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
        for address in &to {
            builder = builder.to(Mailbox::new(None, address.clone()));
        }
        for address in &cc {
            builder = builder.cc(Mailbox::new(None, address.clone()));
        }
        let body = MultiPart::alternative_plain_html(self.text, self.html);
        let body = if self.attachments.is_empty() {
            body
        } else {
            let mut mixed = MultiPart::mixed().multipart(body);
            for attachment in self.attachments {
                mixed = mixed.singlepart(attached(attachment)?);
            }
            mixed
        };
        let message = builder.multipart(body).map_err(|error| error.to_string())?;
        let mut everyone: Vec<Address> = Vec::new();
        for address in to.into_iter().chain(cc).chain(bcc) {
            if !everyone.contains(&address) {
                everyone.push(address);
            }
        }
        Ok(WrittenMail { from, to: everyone, data: message.formatted() })
    }
}

/// An address with its domain in ASCII.
fn address(text: &str) -> Result<Address, String> {
    let wrong = || format!("{text:?} is not a mail address");
    let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
    Address::new(local, ascii(domain)?).map_err(|_| wrong())
}

fn attached(attachment: MailAttachment) -> Result<SinglePart, String> {
    let kind = ContentType::parse(attachment.kind).map_err(|error| error.to_string())?;
    Ok(Attachment::new(attachment.name).body(attachment.data, kind))
}

/// A text as it can stand above a mail: without what would end the line.
fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match clean.char_indices().nth(SUBJECT_MAX) {
        Some((end, _)) => format!("{}...", clean.get(..end).unwrap_or_default()),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(subject: &str) -> String {
        let mail = Mail {
            from: "fan@bücher.example".to_owned(),
            to: vec!["ops@example.com".to_owned()],
            bcc: vec!["boss@example.com".to_owned(), "ops@example.com".to_owned()],
            subject: subject.to_owned(),
            text: "text\n".to_owned(),
            html: "<p>text</p>".to_owned(),
            ..Mail::default()
        };
        let written = mail.written("1").unwrap();
        assert_eq!(written.to.len(), 2, "everyone once");
        let text = String::from_utf8(written.data).unwrap();
        text.split_once("\r\n\r\n").unwrap().0.to_owned()
    }

    #[test]
    fn nothing_in_a_subject_becomes_a_header_of_its_own() {
        for subject in [
            "a\r\nBcc: x@y.z",
            "a\nX: y",
            "a\rX: y",
            "\u{85}X: y",
            "ä\r\nX: y",
            &"x".repeat(5000),
            &"ü".repeat(5000),
        ] {
            let headers = headers(subject);
            let names: Vec<&str> = headers
                .split("\r\n")
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split(':').next().unwrap())
                .collect();
            let mut sorted = names.clone();
            sorted.sort_unstable();
            let expected = [
                "Auto-Submitted",
                "Content-Type",
                "Date",
                "From",
                "MIME-Version",
                "Message-ID",
                "Subject",
                "To",
            ];
            assert_eq!(sorted, expected, "{headers}");
            assert!(headers.lines().all(|line| line.len() <= 998 && line.is_ascii()), "{headers}");
            assert!(!headers.contains("boss"), "{headers}");
            assert!(headers.contains("<1@xn--bcher-kva.example>"), "{headers}");
        }
    }
}
