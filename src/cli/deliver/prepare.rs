//! Looks at everyone that a report goes to before anything is contacted: who is in fan.yaml, whether the mail server is named,
//! whether templates and certificates can be read; then reads the secrets.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::system::uname;

use crate::cli::defaults::FanFiles;
use crate::cli::deliver::parcel::{MailPost, Post, PostPlace, PostWay, ServicePost};
use crate::cli::error::{CliError, talk};
use crate::cli::prompt::PromptTerminal;
use crate::cli::runtime::runtime;
use crate::cli::secrets;
use crate::model::addressee::{
    MailSecurity, MailServer, MailTo, NamedPlace, ReportTo, TextOrSecret, WebService, is_hidden_web,
    web_shown,
};
use crate::model::position::{Diagnostic, Located, Position};
use crate::model::secret::{Secret, SecretSource, SecretSources};
use crate::model::suggest::did_you_mean;
use crate::report::letter::ChatTemplate;
use crate::web::{MailLogin, SmtpServer, Url, WebTrust, WebWay, check_header};

/// How long delivery may take where nothing is said.
const LIMIT: Duration = Duration::from_secs(30);

/// Bytes of a template.
const TEMPLATE_MAX: u64 = 1024 * 1024;

/// What a mail has with it where nothing is said.
const ATTACHED: &str = "html";

/// Takes files from people and services, and gets everything ready that those need. `of_files` looks at the files; `flag` is
/// what stands before a target in messages, and `kinds` are the extensions of the reports that there are.
///
/// # Errors
///
/// Everything that is wrong with them; or a secret is not there.
pub(in crate::cli) fn prepare<T>(
    to: &[ReportTo],
    flag: &str,
    kinds: &[&str],
    of_files: impl FnOnce(&[PathBuf]) -> Result<T, CliError>,
) -> Result<(T, Post), CliError> {
    let mut files = Vec::new();
    let mut others = Vec::new();
    for target in to {
        match target {
            ReportTo::File(path) => files.push(path.clone()),
            ReportTo::Mail(_) | ReportTo::Web(_) | ReportTo::Named(_) => others.push(target),
        }
    }
    let files = of_files(&files);
    if others.is_empty() {
        return Ok((files?, Post::default()));
    }
    let fan_files = FanFiles::read()?;
    let mut draft = Draft {
        flag,
        kinds,
        files: &fan_files,
        places: Vec::new(),
        secrets: SecretSources::new(),
        problems: Vec::new(),
    };
    for (at, target) in others.iter().enumerate() {
        if others.iter().take(at).any(|other| other == target) {
            draft.problems.push(Diagnostic::bare(format!("{flag}{target} is given twice")));
        } else {
            draft.add(target);
        }
    }
    match files {
        Ok(files) => Ok((files, draft.ready()?)),
        Err(CliError::Input(mut problems)) => {
            problems.extend(draft.problems);
            Err(CliError::Input(problems))
        }
        Err(error) => Err(error),
    }
}

/// Whom a report goes to, as far as that is known without secrets.
struct Draft<'a> {
    flag: &'a str,
    kinds: &'a [&'a str],
    files: &'a FanFiles,
    places: Vec<DraftPlace>,
    secrets: SecretSources,
    problems: Vec<Diagnostic>,
}

struct DraftPlace {
    place: PostPlace,
    /// Secrets that it needs, by their names.
    url: Option<String>,
    bearer: Option<String>,
    headers: Vec<(String, String)>,
}

impl Draft<'_> {
    fn add(&mut self, target: &ReportTo) {
        let shown = target.to_string();
        match target {
            ReportTo::File(_) => {}
            ReportTo::Mail(mail) => {
                let attach = self.kinds.iter().filter(|kind| **kind == ATTACHED).map(|&kind| kind.to_owned());
                let attach = attach.collect();
                self.mail(mail, attach, PlaceFacts::of(shown));
            }
            ReportTo::Web(url) if is_hidden_web(url.reveal()) => {
                talk(&format!(
                    "warning: --report {shown}: such an address is not recorded, so nothing is sent there (give it again \
                     with --report, or a name in fan.yaml)"
                ));
            }
            ReportTo::Web(url) => {
                let service = WebService {
                    url: TextOrSecret::Text(url.reveal().to_owned()),
                    template: None,
                    headers: Vec::new(),
                    bearer: None,
                    ca: None,
                };
                self.web(&service, PlaceFacts { again: "URL".to_owned(), ..PlaceFacts::of(shown) });
            }
            ReportTo::Named(name) => self.named(name),
        }
    }

    fn named(&mut self, name: &str) {
        let Some(report) = self.files.report(name) else {
            let problem = Diagnostic::bare(format!("{}{name}: fan.yaml has no such report", self.flag));
            let names = self.files.reports();
            let extensions = self.kinds.iter().map(|kind| format!(".{kind}")).collect::<Vec<_>>().join(" ");
            self.problems.push(match (did_you_mean(name, names.iter().copied()), names.as_slice()) {
                (Some(near), _) => problem.help(format!("did you mean \"{near}\"?")),
                (None, []) => problem.help(format!("a file has an extension: {extensions}")),
                (None, names) => problem
                    .help(format!("there are {}; a file has an extension: {extensions}", names.join(", "))),
            });
            return;
        };
        let facts = PlaceFacts {
            shown: name.to_owned(),
            again: name.to_owned(),
            position: Some(report.position.clone()),
            name: format!("reports.{name}"),
        };
        let (on, timeout) = (report.value.on.clone(), report.value.timeout);
        let before = self.places.len();
        match report.value.to.clone() {
            NamedPlace::Mail { to, attach } => {
                let attach = attach.unwrap_or_else(|| {
                    self.kinds.iter().filter(|kind| **kind == ATTACHED).map(|&kind| kind.to_owned()).collect()
                });
                let facts = PlaceFacts { shown: format!("{name} ({to})"), ..facts };
                for kind in attach.iter().filter(|kind| !self.kinds.contains(&kind.as_str())) {
                    let message = format!("report \"{name}\": there is no report of the kind .{kind} here");
                    let known =
                        self.kinds.iter().map(|kind| format!(".{kind}")).collect::<Vec<_>>().join(" ");
                    self.problem(&facts, message, format!("attach some of {known}"));
                }
                self.mail(&to, attach, facts);
            }
            NamedPlace::Web(service) => self.web(&service, facts),
        }
        for added in self.places.iter_mut().skip(before) {
            added.place.on.clone_from(&on);
            added.place.limit = timeout.unwrap_or(added.place.limit);
        }
    }

    fn problem(&mut self, facts: &PlaceFacts, message: String, help: impl Into<String>) {
        let problem = match &facts.position {
            Some(position) => Diagnostic::at(position, message),
            None => Diagnostic::bare(message),
        };
        self.problems.push(problem.help(help));
    }

    fn mail(&mut self, to: &MailTo, attach: Vec<String>, facts: PlaceFacts) {
        let Some(smtp) = self.files.smtp() else {
            let message = format!("{}{}: no mail server is named", self.flag, facts.shown);
            self.problem(
                &facts,
                message,
                "name one in fan.yaml: smtp: {server: smtp.example.com, from: fan@example.com}",
            );
            return;
        };
        let facts = PlaceFacts { name: "smtp".to_owned(), position: Some(smtp.position.clone()), ..facts };
        let server = &smtp.value;
        let security = security(server);
        if security == MailSecurity::None && server.password.is_some() && !is_here(&server.host) {
            let message = "\"smtp\" has a password, and without TLS everyone on the way could read it";
            self.problem(
                &facts,
                message.to_owned(),
                "security: starttls or tls; or leave user and password out",
            );
            return;
        }
        let trust = match security {
            MailSecurity::None => Some(WebTrust::anyone()),
            MailSecurity::StartTls | MailSecurity::Tls => self.trust(server.ca.as_deref(), &facts),
        };
        let Some(trust) = trust else { return };
        if let Some(password) = &server.password {
            self.secret("smtp.password", password, &facts);
        }
        let domain = server.from.rsplit('@').next().unwrap_or_default();
        let own = uname().nodename().to_string_lossy().into_owned();
        let hello = if own.contains('.') && own.is_ascii() { own } else { domain.to_owned() };
        let smtp = SmtpServer {
            host: server.host.clone(),
            port: server.port.unwrap_or_else(|| security.port()),
            security,
            login: server.user.clone().map(|user| MailLogin { user, password: Secret::new("") }),
            hello,
        };
        let server_post = MailPost { server: smtp, trust, from: server.from.clone() };
        let limit = server.timeout.unwrap_or(LIMIT);
        let way = PostWay::Mail { server: Arc::new(server_post), to: to.clone(), attach };
        self.place(facts, limit, way);
    }

    fn web(&mut self, service: &WebService, facts: PlaceFacts) {
        let Some(trust) = self.trust(service.ca.as_deref(), &facts) else { return };
        let mut way = WebWay::Post;
        let template = match &service.template {
            None => None,
            Some(named) => match template(&named.value) {
                Ok(template) => {
                    if named.value == MATRIX {
                        way = WebWay::Put;
                    }
                    Some(template)
                }
                Err(why) => {
                    let help =
                        "docs/delivery.md has what a template can use; slack, teams and matrix are fan's own";
                    self.problems.push(Diagnostic::at(&named.position, format!("template {why}")).help(help));
                    return;
                }
            },
        };
        let mut headers = Vec::new();
        let mut of_secrets = Vec::new();
        for (name, value) in &service.headers {
            let checked = match value {
                TextOrSecret::Text(text) => check_header(name, text),
                TextOrSecret::Secret(_) => check_header(name, ""),
            };
            if let Err(why) = checked {
                self.problem(&facts, format!("headers: {why}"), "headers: {X-Team: ops}");
            }
            match value {
                TextOrSecret::Text(text) => headers.push((name.clone(), text.clone())),
                TextOrSecret::Secret(source) => {
                    let secret = format!("{}.headers.{name}", facts.name);
                    self.secret(&secret, source, &facts);
                    of_secrets.push((name.clone(), secret));
                }
            }
        }
        let bearer = service.bearer.as_ref().map(|source| {
            let name = format!("{}.bearer", facts.name);
            self.secret(&name, source, &facts);
            name
        });
        let (url, of_url) = match &service.url {
            TextOrSecret::Text(url) => {
                if let Err(why) = checked_url(url) {
                    let message = format!("{}{}: {why}", self.flag, facts.shown);
                    self.problem(&facts, message, "it is https://..., or http: to this machine");
                }
                (url.clone(), None)
            }
            TextOrSecret::Secret(source) => {
                let name = format!("{}.to", facts.name);
                self.secret(&name, source, &facts);
                (String::new(), Some(name))
            }
        };
        let shown = match url.as_str() {
            "" => facts.shown.clone(),
            url if facts.shown != web_shown(url) => format!("{} ({})", facts.shown, web_shown(url)),
            _ => facts.shown.clone(),
        };
        let way = PostWay::Web(Box::new(ServicePost { url, way, headers, template, trust }));
        self.place(PlaceFacts { shown, ..facts }, LIMIT, way);
        if let Some(place) = self.places.last_mut() {
            (place.url, place.bearer, place.headers) = (of_url, bearer, of_secrets);
        }
    }

    fn place(&mut self, facts: PlaceFacts, limit: Duration, way: PostWay) {
        let PlaceFacts { shown, again, .. } = facts;
        let place = PostPlace { shown, again, on: Vec::new(), limit, way, secrets: Vec::new() };
        self.places.push(DraftPlace { place, url: None, bearer: None, headers: Vec::new() });
    }

    fn trust(&mut self, ca: Option<&str>, facts: &PlaceFacts) -> Option<WebTrust> {
        let trust = match ca {
            Some(ca) => WebTrust::load(Some(Path::new(ca))),
            None => WebTrust::of_machine(),
        };
        match trust {
            Ok(trust) => Some(trust),
            Err(why) => {
                let what = if ca.is_some() { "ca: " } else { "" };
                self.problem(
                    facts,
                    format!("{what}{why}"),
                    "ca: FILE names certificates of authorities (PEM), and SSL_CERT_FILE too",
                );
                None
            }
        }
    }

    fn secret(&mut self, name: &str, source: &SecretSource, facts: &PlaceFacts) {
        let position = facts.position.clone().unwrap_or_else(|| Position::new("fan.yaml", 1, 1));
        self.secrets.insert(name.to_owned(), Located::new(source.clone(), position));
    }

    /// Reads the secrets, once nothing else is wrong.
    fn ready(self) -> Result<Post, CliError> {
        if !self.problems.is_empty() {
            return Err(CliError::Input(self.problems));
        }
        let secrets = if self.secrets.is_empty() {
            Vec::new()
        } else {
            runtime()?.block_on_then_leave(secrets::read(&self.secrets, &mut PromptTerminal))?
        };
        let value = |name: &str| {
            let found = secrets.iter().find(|(known, _)| known == name);
            found.map(|(_, secret)| secret.clone()).unwrap_or_else(|| Secret::new(""))
        };
        let mut problems = Vec::new();
        let mut places = Vec::new();
        for DraftPlace { mut place, url, bearer, headers } in self.places {
            match &mut place.way {
                PostWay::Mail { server, .. } => {
                    if let Some(login) = Arc::get_mut(server).and_then(|post| post.server.login.as_mut()) {
                        login.password = value("smtp.password");
                        place.secrets.push(login.password.clone());
                    }
                }
                PostWay::Web(service) => {
                    if let Some(name) = url {
                        service.url = value(&name).reveal().trim().to_owned();
                        place.secrets.push(value(&name));
                        if let Err(why) = checked_url(&service.url) {
                            problems.push(Diagnostic::bare(format!("secret \"{name}\": {why}")));
                        }
                    }
                    let all = headers
                        .into_iter()
                        .map(|(header, name)| (header, value(&name).reveal().to_owned(), name));
                    let bearer = bearer.map(|name| {
                        ("Authorization".to_owned(), format!("Bearer {}", value(&name).reveal().trim()), name)
                    });
                    for (header, text, name) in all.chain(bearer) {
                        place.secrets.push(value(&name));
                        if check_header(&header, &text).is_err() {
                            let why = "it has control characters, or others that no header can have";
                            problems.push(Diagnostic::bare(format!("secret \"{name}\": {why}")));
                        }
                        service.headers.push((header, text));
                    }
                }
            }
            places.push(place);
        }
        if problems.is_empty() { Ok(Post { places }) } else { Err(CliError::Input(problems)) }
    }
}

/// Who someone is, for messages.
struct PlaceFacts {
    shown: String,
    again: String,
    position: Option<Position>,
    /// Where it stands in fan.yaml.
    name: String,
}

impl PlaceFacts {
    fn of(shown: String) -> Self {
        Self { again: shown.clone(), shown, position: None, name: "report".to_owned() }
    }
}

/// The template for rooms of Matrix, where each message has a name of its own.
const MATRIX: &str = "matrix";

fn template(named: &str) -> Result<ChatTemplate, String> {
    if let Some(shipped) = ChatTemplate::shipped(named) {
        return Ok(shipped);
    }
    let length = std::fs::metadata(named).map_err(|error| format!("{named}: {error}"))?.len();
    if length > TEMPLATE_MAX {
        return Err(format!("{named}: it is larger than {TEMPLATE_MAX} bytes"));
    }
    let source = std::fs::read_to_string(named).map_err(|error| format!("{named}: {error}"))?;
    ChatTemplate::of(source, named).map_err(|why| format!("{named}: {why}"))
}

/// Whether reports may go to an address; says why not without repeating it.
fn checked_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|_| "it is no https: address".to_owned())?;
    if url.tls || is_here(&url.host) {
        return Ok(());
    }
    Err("http: lets everyone on the way read the report".to_owned())
}

/// Whether a name means this machine.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn security(server: &MailServer) -> MailSecurity {
    let usual = |port| MailSecurity::WORDS.iter().map(|&(_, way)| way).find(|way| way.port() == port);
    match (server.security, server.port) {
        (Some(security), _) => security,
        (None, Some(port)) if usual(port) == Some(MailSecurity::Tls) => MailSecurity::Tls,
        (None, _) => MailSecurity::StartTls,
    }
}
