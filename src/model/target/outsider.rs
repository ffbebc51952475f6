//! Hosts that are in no inventory: `user@address:port` taken apart, and the host made from it.
//!
//! Refuses passwords and `ssh://` addresses (see [`crate::model::target::parse`]).

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::host_name::HostName;
use crate::model::inventory::{AD_HOC, Host};
use crate::model::name::{check_user_name, port_lookalike};
use crate::model::position::Position;
use crate::model::range::{PatternError, parse_ip, width, without_leading_zeros};
use crate::model::settings::{Origin, Settings, Sourced};

/// What an expression says about the login, besides the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OutsiderLogin {
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
}

impl OutsiderLogin {
    pub(super) fn is_empty(&self) -> bool {
        self.user.is_none() && self.port.is_none()
    }

    /// Writes it over the settings of a host.
    pub(super) fn apply(self, settings: &mut Settings) {
        if let Some(user) = self.user {
            settings.user = Some(Sourced::new(user, Origin::CommandLine(AD_HOC)));
        }
        if let Some(port) = self.port {
            settings.port = Some(Sourced::new(port, Origin::CommandLine(AD_HOC)));
        }
    }
}

/// The name under which a host of no inventory goes: what the user wrote, so that
/// `root@10.0.0.1` and `10.0.0.1:2222` are told apart, and can be written again.
pub(super) fn name_of(address: &str, login: &OutsiderLogin) -> String {
    let v6 = matches!(parse_ip(address), Some(IpAddr::V6(_)));
    let user = login.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    let port = login.port.map(|port| format!(":{port}")).unwrap_or_default();
    if v6 && (login.port.is_some() || port_lookalike(address).is_some()) {
        format!("{user}[{address}]{port}")
    } else {
        format!("{user}{address}{port}")
    }
}

/// Makes the host. `column` says where in the expression it was written. It gets no `address`: where its name leads
/// is for ssh_config to say, as it is for a host of the inventory.
pub(super) fn host(address: &str, login: OutsiderLogin, column: u32) -> Host {
    let name = HostName::from(name_of(address, &login).as_str());
    let mut settings = Settings::default();
    login.apply(&mut settings);
    Host { settings: Arc::new(settings), ..Host::new(name, Position::new(AD_HOC, 1, column)) }
}

/// Takes `[user@]address[:port]` apart; the address may hold ranges, or be a CIDR block.
///
/// Returns the column of the address too. Columns count from the start of `text`.
pub(super) fn take_apart(text: &str) -> Result<(OutsiderLogin, &str, u32), PatternError> {
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    if let Some(user) = user {
        check_user_name(user).map_err(|message| PatternError::at(1, message))?;
    }
    let start = user.map_or(1, |user| width(user).saturating_add(2));
    let (address, port) = address_and_port(rest).map_err(|error| error.within(start))?;
    if address.is_empty() {
        let message = if user.is_some() { "no address after \"@\"" } else { "no address before \":\"" };
        return Err(PatternError::at(start, message));
    }
    Ok((OutsiderLogin { user: user.map(str::to_owned), port }, address, start))
}

fn address_and_port(text: &str) -> Result<(&str, Option<u16>), PatternError> {
    if let Some((inside, after)) = text.strip_prefix('[').and_then(|inside| inside.split_once(']'))
        && inside.matches(':').count() > 1
    {
        if !matches!(parse_ip(inside), Some(IpAddr::V6(_))) {
            return Err(PatternError::at(2, format!("\"{inside}\" is not an IPv6 address")));
        }
        let column = width(inside).saturating_add(3);
        return match after.strip_prefix(':') {
            None if after.is_empty() => Ok((inside, None)),
            None => Err(PatternError::at(column, format!("\"{after}\" after an address"))
                .help(format!("write [{inside}] or [{inside}]:22"))),
            Some(digits) => {
                Ok((inside, Some(port(digits).map_err(|error| error.within(column.saturating_add(1)))?)))
            }
        };
    }
    let mut depth = 0_i32;
    let mut colons = text.char_indices().filter(|&(_, c)| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ':' && depth == 0
    });
    let (first, second) = (colons.next(), colons.next());
    match (first, second) {
        (None, _) => dotted(text).map(|()| (text, None)),
        (Some((at, _)), None) => {
            let (address, digits) = text.split_at(at);
            dotted(address)?;
            let column = width(address).saturating_add(2);
            let digits = digits.strip_prefix(':').unwrap_or(digits);
            Ok((address, Some(port(digits).map_err(|error| error.within(column))?)))
        }
        // More than one colon: IPv6 without brackets, so no port. Ranges and blocks are read when they expand.
        (Some(_), Some(_)) if text.contains(['[', '/']) => Ok((text, None)),
        (Some(_), Some(_)) => ipv6(text).map(|()| (text, None)),
    }
}

fn ipv6(text: &str) -> Result<(), PatternError> {
    let Some((address, last)) = text.rsplit_once(':') else { return Ok(()) };
    let digits = last.chars().all(|c| c.is_ascii_digit()) && !last.is_empty() && !address.ends_with(':');
    let good = parse_ip(text).is_some();
    if port_lookalike(text).is_some() || (!good && digits && parse_ip(address).is_some()) {
        let error = PatternError::at(1, format!("{text} may be an address, or an address and a port"));
        let whole = if good { format!(", or [{text}] without a port") } else { String::new() };
        return Err(error.help(format!("use [{address}]:{last}{whole}")));
    }
    if good { Ok(()) } else { Err(PatternError::at(1, format!("\"{text}\" is not an IPv6 address"))) }
}

fn dotted(text: &str) -> Result<(), PatternError> {
    match without_leading_zeros(text) {
        None => Ok(()),
        Some(plain) => {
            let message = format!("leading zero in {text}, which some programs read as octal");
            Err(PatternError::at(1, message).help(format!("write {plain}")))
        }
    }
}

fn port(digits: &str) -> Result<u16, PatternError> {
    if digits.is_empty() {
        return Err(PatternError::at(1, "no port after \":\""));
    }
    if !digits.chars().all(|c| c.is_ascii_digit()) {
        return Err(PatternError::at(1, format!("\"{digits}\" is not a port")));
    }
    match digits.parse::<u16>() {
        Ok(port) if port > 0 && !digits.starts_with('0') => Ok(port),
        Ok(port) if port > 0 => {
            Err(PatternError::at(1, format!("leading zero in port {digits}")).help(format!("write {port}")))
        }
        _ => Err(PatternError::at(1, format!("port must be 1-65535, got {digits}"))),
    }
}
