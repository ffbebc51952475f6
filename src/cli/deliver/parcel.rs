//! What is sent to whom: a mail with its files, a request with its content.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::cli::clock;
use crate::model::addressee::{MailTo, Occasion};
use crate::model::secret::Secret;
use crate::report::letter::{ChatTemplate, Letter, letter_html, letter_text};
use crate::web::{Mail, MailAttachment, SmtpServer, Url, WebPost, WebTrust, WebWay, WrittenMail};

/// Everyone that a report goes to, with all that is needed for that.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Post {
    pub(super) places: Vec<PostPlace>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct PostPlace {
    /// Who it is, for messages.
    pub(super) shown: String,
    /// What a later command line has to say to write to the same.
    pub(super) again: String,
    /// When it is written to; always if nothing is said.
    pub(super) on: Vec<Occasion>,
    /// How long that may take.
    pub(super) limit: Duration,
    /// How.
    pub(super) way: PostWay,
    /// What nobody may read in what is said about it.
    pub(super) secrets: Vec<Secret>,
}

/// How someone is written to.
#[derive(Clone, Debug)]
pub(super) enum PostWay {
    Mail { server: Arc<MailPost>, to: MailTo, attach: Vec<String> },
    Web(Box<ServicePost>),
}

/// The mail server.
#[derive(Debug)]
pub(super) struct MailPost {
    pub(super) server: SmtpServer,
    pub(super) trust: WebTrust,
    pub(super) from: String,
}

/// A web service.
#[derive(Clone, Debug)]
pub(super) struct ServicePost {
    /// Its address; that of what is put gets a name at its end that no other has.
    pub(super) url: String,
    pub(super) way: WebWay,
    pub(super) headers: Vec<(String, String)>,
    /// The whole report as JSON without one.
    pub(super) template: Option<ChatTemplate>,
    pub(super) trust: WebTrust,
}

/// Something that only has to be sent.
#[derive(Debug)]
pub(in crate::cli) struct Parcel {
    pub(super) shown: String,
    pub(super) again: String,
    pub(super) limit: Duration,
    pub(super) secrets: Vec<Secret>,
    pub(super) content: ParcelContent,
}

#[derive(Debug)]
pub(super) enum ParcelContent {
    Mail {
        mail: WrittenMail,
        server: Arc<MailPost>,
    },
    Web {
        post: WebPost,
        trust: WebTrust,
    },
    /// It could not be made: why.
    Broken(String),
}

/// Bytes of files that a mail takes with it: many servers take 25 MB, and a third is added on the way.
const ATTACHED_MAX: usize = 15 * 1024 * 1024;

/// How a kind of report is named to mail programs.
fn media_type(extension: &str) -> &'static str {
    match extension {
        "html" => "text/html; charset=utf-8",
        "json" => "application/json",
        "xml" => "application/xml",
        "md" => "text/markdown; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "prom" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

impl Post {
    /// Whether nobody is written to.
    pub(in crate::cli) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What is sent about a report to those who want it; `of` gives the report in the form of an extension.
    pub(in crate::cli) fn parcels(
        &self,
        letter: &Letter,
        of: &dyn Fn(&str) -> Option<Vec<u8>>,
    ) -> Vec<Parcel> {
        let wanted = self.places.iter().filter(|place| letter.is_for(&place.on));
        wanted
            .map(|place| {
                let content = match &place.way {
                    PostWay::Mail { server, to, attach } => mail(letter, server, to, attach, of),
                    PostWay::Web(service) => request(letter, service, of),
                };
                Parcel {
                    shown: place.shown.clone(),
                    again: place.again.clone(),
                    limit: place.limit,
                    secrets: place.secrets.clone(),
                    content: content.unwrap_or_else(ParcelContent::Broken),
                }
            })
            .collect()
    }
}

fn mail(
    letter: &Letter,
    server: &Arc<MailPost>,
    to: &MailTo,
    attach: &[String],
    of: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<ParcelContent, String> {
    let mut letter = letter.clone();
    let mut attachments = Vec::new();
    let mut room = ATTACHED_MAX;
    for extension in attach {
        let Some(data) = of(extension) else { continue };
        let name = format!("report.{extension}");
        match room.checked_sub(data.len()) {
            Some(left) => {
                room = left;
                attachments.push(MailAttachment { name, kind: media_type(extension), data });
            }
            None => letter.facts.push(format!("{name} is too large for a mail")),
        }
    }
    let MailTo { to, cc, bcc, subject } = to.clone();
    let mail = Mail {
        from: server.from.clone(),
        to,
        cc,
        bcc,
        subject: subject.unwrap_or_else(|| letter.subject()),
        text: letter_text(&letter),
        html: letter_html(&letter),
        attachments,
    };
    Ok(ParcelContent::Mail { mail: mail.written(&clock::run_id())?, server: Arc::clone(server) })
}

fn request(
    letter: &Letter,
    service: &ServicePost,
    of: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<ParcelContent, String> {
    let json = of("json").unwrap_or_default();
    let (data, kind) = match &service.template {
        None => (json, "application/json"),
        Some(template) => {
            let report: Value = serde_json::from_slice(&json).unwrap_or_default();
            let written = template.render(letter, &report).map_err(|why| format!("its template: {why}"))?;
            (written.into_bytes(), template.kind())
        }
    };
    let url = match service.way {
        WebWay::Post => service.url.clone(),
        WebWay::Put => named(&service.url, &clock::run_id()),
    };
    let post = WebPost {
        // It was read before, without the name.
        url: Url::parse(&url).map_err(|_| "its address is none".to_owned())?,
        way: service.way,
        headers: service.headers.clone(),
        data: Bytes::from(data),
        kind,
    };
    Ok(ParcelContent::Web { post, trust: service.trust.clone() })
}

/// An address with a name at the end of its path.
fn named(url: &str, name: &str) -> String {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{name}{query}", path.trim_end_matches('/'))
}
