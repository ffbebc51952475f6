//! Handing a mail to a mail server: STARTTLS or TLS, a login, and who of the recipients is refused.
//!
//! SMTP is lettre's, over a connection that is made secure here: so certificates are judged, and told about, as those of web
//! servers are.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Starttls};
use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::model::addressee::MailSecurity;
use crate::model::secret::Secret;
use crate::model::text::{Sgr, sanitize};
use crate::web::mail::WrittenMail;
use crate::web::persist::{HandingOver, Retrying, Untaken, persist};
use crate::web::post::dialled;
use crate::web::tls::secured;
use crate::web::trust::WebTrust;
use crate::web::url::ascii;

/// A mail server.
#[derive(Clone, Debug)]
pub struct SmtpServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub security: MailSecurity,
    /// Who logs in.
    pub login: Option<MailLogin>,
    /// What this machine says that it is.
    pub hello: String,
}

/// Who logs in.
#[derive(Clone, Debug)]
pub struct MailLogin {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// How long a server that has the mail may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

/// Bytes of what a server says that are shown.
const SAID_MAX: usize = 300;

/// Hands a mail over, within this time. Gives the recipients that were refused, and why, when others were not.
///
/// # Errors
///
/// It was not taken for anybody.
pub async fn deliver(
    mail: &WrittenMail,
    server: &SmtpServer,
    trust: &WebTrust,
    limit: Duration,
) -> Result<Vec<(String, String)>, Untaken> {
    let waiting = HandingOver::default();
    persist(limit, || once(mail, server, trust, &waiting), &waiting).await
}

async fn once(
    mail: &WrittenMail,
    server: &SmtpServer,
    trust: &WebTrust,
    waiting: &HandingOver,
) -> Result<Vec<(String, String)>, Untaken> {
    let mut connection = connected(server, trust, waiting).await?;
    let result = handed_over(&mut connection, mail, server, waiting).await;
    // It has been taken or not: a goodbye changes nothing.
    let _ = timeout(GOODBYE, connection.quit()).await;
    result
}

async fn connected(
    server: &SmtpServer,
    trust: &WebTrust,
    waiting: &HandingOver,
) -> Result<AsyncSmtpConnection, Untaken> {
    let hello = ClientId::Domain(server.hello.clone());
    let host = ascii(&server.host).map_err(Untaken::for_good)?;
    let stream = dialled(&host, server.port, waiting).await?;
    let address = stream.peer_addr().map_err(|error| Untaken::for_now(error.to_string()))?;
    let secure = async |stream: TcpStream| {
        waiting.for_("beginning TLS");
        let secured = secured(stream, &host, trust).await.map(|(stream, _)| stream);
        secured.map_err(|silence| {
            let untaken = Untaken::for_good(silence.why);
            match silence.certificates.as_slice() {
                [] => untaken.hint("security in smtp of fan.yaml: starttls (587), tls (465), none (25)"),
                _ => untaken
                    .hint("ca: FILE in smtp of fan.yaml names the certificates of authorities to believe"),
            }
        })
    };
    match server.security {
        MailSecurity::None => {
            waiting.for_("waiting for its greeting");
            let stream = Box::new(MailStream::new(Carrier::Plain(stream), address));
            AsyncSmtpConnection::connect_with_transport(stream, &hello).await.map_err(|error| untaken(&error))
        }
        MailSecurity::Tls => {
            let stream = secure(stream).await?;
            waiting.for_("waiting for its greeting");
            let stream = Box::new(MailStream::new(Carrier::Secure(Box::new(stream)), address));
            AsyncSmtpConnection::connect_with_transport(stream, &hello).await.map_err(|error| untaken(&error))
        }
        MailSecurity::StartTls => {
            waiting.for_("waiting for its greeting");
            let lent = Arc::new(Mutex::new(Some(stream)));
            let plain = Box::new(MailStream::new(Carrier::Lent(Arc::clone(&lent)), address));
            let mut connection = AsyncSmtpConnection::connect_with_transport(plain, &hello)
                .await
                .map_err(|error| untaken(&error))?;
            if !connection.can_starttls() {
                let why = "it does not offer STARTTLS, and nothing is sent in the clear";
                return Err(Untaken::for_good(why).hint("security in smtp of fan.yaml: tls (465), or none"));
            }
            waiting.for_("asking for STARTTLS");
            connection.command(Starttls).await.map_err(|error| untaken(&error))?;
            // Whatever came in the clear goes with the old connection: it may be anybody's.
            drop(connection);
            let stream = lent.lock().unwrap_or_else(PoisonError::into_inner).take();
            let stream = stream.ok_or_else(|| Untaken::for_good("it closed the connection"))?;
            let stream = secure(stream).await?;
            waiting.for_("waiting for its answer under TLS");
            let stream = Box::new(MailStream::greeted(Carrier::Secure(Box::new(stream)), address));
            AsyncSmtpConnection::connect_with_transport(stream, &hello).await.map_err(|error| untaken(&error))
        }
    }
}

async fn handed_over(
    connection: &mut AsyncSmtpConnection,
    mail: &WrittenMail,
    server: &SmtpServer,
    waiting: &HandingOver,
) -> Result<Vec<(String, String)>, Untaken> {
    if let Some(login) = &server.login {
        waiting.for_("logging in");
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        if connection.server_info().get_auth_mechanism(&mechanisms).is_none() {
            return Err(Untaken::for_good("it takes no login by password")
                .hint("leave user and password out of smtp, or choose another security or port"));
        }
        let credentials = Credentials::new(login.user.clone(), login.password.reveal().to_owned());
        connection.auth(&mechanisms, &credentials).await.map_err(|error| {
            let untaken = untaken(&error);
            match error.status() {
                Some(_) => Untaken {
                    why: format!("it refused the login of {}: {}", login.user, untaken.why),
                    ..untaken
                }
                .hint("see user and password in smtp of fan.yaml"),
                None => untaken,
            }
        })?;
    }
    waiting.for_("naming the sender");
    connection.command(Mail::new(Some(mail.from.clone()), Vec::new())).await.map_err(|error| {
        let untaken = untaken(&error);
        match error.status() {
            Some(_) => {
                Untaken { why: format!("it refused the sender {}: {}", mail.from, untaken.why), ..untaken }
                    .hint("see from, user and password in smtp of fan.yaml")
            }
            None => untaken,
        }
    })?;
    waiting.for_("naming the recipients");
    let mut refused = Vec::new();
    let mut again = true;
    for recipient in &mail.to {
        match connection.command(Rcpt::new(recipient.clone(), Vec::new())).await {
            Ok(_) => {}
            Err(error) if error.status().is_some() => {
                again &= error.is_transient();
                refused.push((recipient.to_string(), said(&error)));
            }
            Err(error) => return Err(untaken(&error)),
        }
    }
    if refused.len() == mail.to.len() {
        let each: Vec<String> = refused.iter().map(|(who, why)| format!("it refused {who}: {why}")).collect();
        let untaken = Untaken::for_good(each.join("; "));
        return Err(Untaken { again: if again { Retrying::Later } else { Retrying::Never }, ..untaken });
    }
    waiting.for_("handing the mail over");
    connection.command(Data).await.map_err(|error| untaken(&error))?;
    waiting.for_("it had the mail, and did not say whether it took it");
    match connection.message(&mail.data).await {
        Ok(_) => Ok(refused),
        Err(error) if error.status().is_some() => {
            let untaken = untaken(&error);
            Err(Untaken { why: format!("it refused the mail: {}", untaken.why), ..untaken })
        }
        // It may have it: sent again, it would come twice.
        Err(error) => Err(Untaken { again: Retrying::Never, ..untaken(&error) }),
    }
}

/// What an error of the conversation means.
fn untaken(error: &Error) -> Untaken {
    if error.status().is_some() {
        let untaken = Untaken::for_good(said(error));
        return if error.is_transient() { Untaken { again: Retrying::Later, ..untaken } } else { untaken };
    }
    let source = error.source();
    let io = source.and_then(|source| source.downcast_ref::<io::Error>());
    match io {
        Some(io) if io.kind() == io::ErrorKind::InvalidData => Untaken::for_good("what it says is not SMTP"),
        Some(_) => Untaken::for_now("it closed the connection"),
        // lettre has no kind for an answer that is cut off.
        None if source.is_some_and(|source| source.to_string() == "incomplete response") => {
            Untaken::for_now("it closed the connection")
        }
        None if error.is_response() => Untaken::for_good("what it says is not SMTP")
            .hint("security in smtp of fan.yaml: starttls (587), tls (465), none (25)"),
        None => Untaken::for_good(source.map_or_else(|| error.to_string(), ToString::to_string)),
    }
}

/// What the server said: `550 5.1.1 no such user`.
fn said(error: &Error) -> String {
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    let text: String = text.lines().collect::<Vec<_>>().join(" ").chars().take(SAID_MAX).collect();
    format!("{code} {}", sanitize(text.trim().as_bytes(), Sgr::Escape)).trim_end().to_owned()
}

/// What a conversation goes over.
enum Carrier {
    Plain(TcpStream),
    /// Until TLS begins on it.
    Lent(Arc<Mutex<Option<TcpStream>>>),
    Secure(Box<TlsStream<TcpStream>>),
}

/// A connection to a mail server.
struct MailStream {
    carrier: Carrier,
    address: SocketAddr,
    /// What it said before, in the clear.
    greeting: &'static [u8],
}

impl MailStream {
    fn new(carrier: Carrier, address: SocketAddr) -> Self {
        Self { carrier, address, greeting: b"" }
    }

    /// One whose server has greeted already: it does not do so again when TLS begins (RFC 3207, section 4).
    fn greeted(carrier: Carrier, address: SocketAddr) -> Self {
        Self { carrier, address, greeting: b"220 .\r\n" }
    }

    /// Does something with what is below.
    fn with<T>(
        &mut self,
        run: impl FnOnce(Pin<&mut (dyn BothWays + '_)>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.carrier {
            Carrier::Plain(stream) => run(Pin::new(stream)),
            Carrier::Secure(stream) => run(Pin::new(&mut **stream)),
            Carrier::Lent(stream) => match stream.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                Some(stream) => run(Pin::new(stream)),
                None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            },
        }
    }
}

/// Both ways.
trait BothWays: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> BothWays for S {}

impl fmt::Debug for MailStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailStream").field("address", &self.address).finish_non_exhaustive()
    }
}

impl AsyncTokioStream for MailStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl AsyncRead for MailStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.greeting.is_empty() {
            let (now, later) = self.greeting.split_at(self.greeting.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.greeting = later;
            return Poll::Ready(Ok(()));
        }
        self.with(|stream| stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for MailStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(context, data))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(context))
    }
}
