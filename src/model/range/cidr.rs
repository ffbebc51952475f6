//! CIDR blocks: `10.0.3.0/29`, `fd00::/120`: their hosts, their count, and which addresses lie in them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::range::error::PatternError;

/// A block of addresses without host bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CidrBlock {
    network: IpAddr,
    prefix: u32,
}

/// Reads an IP address; an IPv6 zone (`fe80::1%eth0`) is checked for its form and left out.
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    match text.split_once('%') {
        None => text.parse().ok(),
        Some((address, zone)) => {
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let address = address.parse::<Ipv6Addr>().ok()?;
            (!zone.is_empty() && zone.len() <= 32 && zone.chars().all(good)).then_some(IpAddr::V6(address))
        }
    }
}

/// Writes a dotted address without the leading zeros that some programs read as octal.
///
/// `None` when it has none, or when it is no address without them either.
pub(crate) fn without_leading_zeros(text: &str) -> Option<String> {
    let plain: Vec<&str> = text
        .split('.')
        .map(|part| {
            let digits = part.trim_start_matches('0');
            if digits.is_empty() && !part.is_empty() { "0" } else { digits }
        })
        .collect();
    let plain = plain.join(".");
    (plain != text && plain.parse::<Ipv4Addr>().is_ok()).then_some(plain)
}

impl CidrBlock {
    /// Reads `address/prefix`.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (address, prefix) = text
            .split_once('/')
            .ok_or_else(|| PatternError::at(1, format!("\"{text}\" is not a CIDR block")))?;
        let after_slash = u32::try_from(address.chars().count()).unwrap_or(u32::MAX).saturating_add(2);
        let network: IpAddr = address.parse().map_err(|_| not_an_address(address, prefix))?;
        let bits = bits(network);
        let prefix = prefix_length(prefix, bits).map_err(|error| error.within(after_slash))?;
        let block = Self { network: masked(network, prefix), prefix };
        if block.network == network {
            return Ok(block);
        }
        Err(PatternError::at(1, format!("{text} has host bits set"))
            .help(format!("did you mean {}/{prefix}?", block.network)))
    }

    /// Says whether an address lies in the block, its network and broadcast addresses included.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.network.is_ipv4() && masked(address, self.prefix) == self.network
    }

    /// Counts the addresses that hosts can have: see [`Self::hosts`].
    pub fn host_count(&self) -> u128 {
        let free = bits(self.network).saturating_sub(self.prefix);
        // 2^128 does not fit; its largest neighbour is what is left after the router's address anyway.
        let all = 1_u128.checked_shl(free).unwrap_or(u128::MAX);
        match (free, self.network) {
            (0 | 1, _) => all,
            (128, _) => all,
            (_, IpAddr::V4(_)) => all.saturating_sub(2),
            (_, IpAddr::V6(_)) => all.saturating_sub(1),
        }
    }

    /// The addresses that hosts can have, ascending.
    ///
    /// Without the network and broadcast addresses of an IPv4 block (RFC 3021 exempts /31) and without the
    /// subnet-router address of an IPv6 block (RFC 4291 section 2.6.1; RFC 6164 exempts /127).
    pub fn hosts(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let v4 = self.network.is_ipv4();
        let skip = u128::from(bits(self.network).saturating_sub(self.prefix) > 1);
        let first = number(self.network).saturating_add(skip);
        let last = first.saturating_add(self.host_count().saturating_sub(1));
        (first..=last).map(move |number| address(number, v4))
    }
}

fn not_an_address(address: &str, prefix: &str) -> PatternError {
    let error = PatternError::at(1, format!("\"{address}\" is not an IP address"));
    if let Some(plain) = without_leading_zeros(address) {
        return PatternError::at(1, format!("leading zero in {address}, which some programs read as octal"))
            .help(format!("write {plain}/{prefix}"));
    }
    let parts: Vec<&str> = address.split('.').collect();
    let numeric = parts.iter().all(|part| part.parse::<u8>().is_ok());
    if numeric && parts.len() < 4 {
        let padding = ".0".repeat(4 - parts.len());
        return error.help(format!("write all four parts: {address}{padding}/{prefix}"));
    }
    error.help("a \"/\" stands only in a CIDR block such as 10.0.3.0/29")
}

fn prefix_length(text: &str, bits: u32) -> Result<u32, PatternError> {
    let error = |message: String| Err(PatternError::at(1, message));
    if text.parse::<Ipv4Addr>().is_ok() {
        return error(format!("\"{text}\" is a netmask"))
            .map_err(|e| e.help("write a prefix length such as /24"));
    }
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_digit()) {
        return error(format!("\"{text}\" is not a prefix length"));
    }
    if text.len() > 1 && text.starts_with('0') {
        return error(format!("leading zero in prefix length /{text}"));
    }
    match text.parse::<u32>() {
        Ok(prefix) if prefix <= bits => Ok(prefix),
        _ => error(format!("prefix length /{text} is over /{bits}")),
    }
}

fn bits(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn address(number: u128, v4: bool) -> IpAddr {
    match u32::try_from(number) {
        Ok(small) if v4 => IpAddr::V4(Ipv4Addr::from(small)),
        _ => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

fn masked(network: IpAddr, prefix: u32) -> IpAddr {
    let free = bits(network).saturating_sub(prefix);
    let mask = u128::MAX.checked_shl(free).unwrap_or(0);
    address(number(network) & mask, network.is_ipv4())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bad_block_is_explained() {
        let messages: Vec<String> = [
            "10.0.0.5/24",
            "fd00::5/64",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/24",
            "010.0.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/08",
            "10.0.0.0/-1",
            "10.0.0.0/x",
            "10.0.0.0/255.255.255.0",
            "10.0.0.256/8",
            "web/8",
            "../x",
            "/24",
        ]
        .iter()
        .map(|text| {
            let error = CidrBlock::parse(text).unwrap_err();
            format!("{text}  {}: {} ({})", error.column, error.message, error.help.unwrap_or_default())
        })
        .collect();
        insta::assert_snapshot!(messages.join("\n"), @r#"
        10.0.0.5/24  1: 10.0.0.5/24 has host bits set (did you mean 10.0.0.0/24?)
        fd00::5/64  1: fd00::5/64 has host bits set (did you mean fd00::/64?)
        10.0.0.0/33  10: prefix length /33 is over /32 ()
        ::/129  4: prefix length /129 is over /128 ()
        10.0.0/24  1: "10.0.0" is not an IP address (write all four parts: 10.0.0.0/24)
        010.0.0.0/8  1: leading zero in 010.0.0.0, which some programs read as octal (write 10.0.0.0/8)
        10.0.0.0/  10: "" is not a prefix length ()
        10.0.0.0/08  10: leading zero in prefix length /08 ()
        10.0.0.0/-1  10: "-1" is not a prefix length ()
        10.0.0.0/x  10: "x" is not a prefix length ()
        10.0.0.0/255.255.255.0  10: "255.255.255.0" is a netmask (write a prefix length such as /24)
        10.0.0.256/8  1: "10.0.0.256" is not an IP address (a "/" stands only in a CIDR block such as 10.0.3.0/29)
        web/8  1: "web" is not an IP address (a "/" stands only in a CIDR block such as 10.0.3.0/29)
        ../x  1: ".." is not an IP address (a "/" stands only in a CIDR block such as 10.0.3.0/29)
        /24  1: "" is not an IP address (a "/" stands only in a CIDR block such as 10.0.3.0/29)
        "#);
    }

    #[test]
    fn addresses_are_read_with_zones_and_without_octal() {
        for good in ["10.0.0.1", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"] {
            assert!(parse_ip(good).is_some(), "{good}");
        }
        for bad in ["010.0.0.1", "10.0.0", "fe80::1%", "fe80::1%a;b", "10.0.0.1%eth0", "[::1]", ""] {
            assert!(parse_ip(bad).is_none(), "{bad}");
        }
        assert_eq!(without_leading_zeros("010.0.00.1").as_deref(), Some("10.0.0.1"));
        assert_eq!(without_leading_zeros("10.0.0.1"), None);
    }

    #[test]
    fn mapped_addresses_count_as_ipv4() {
        let block = CidrBlock::parse("10.0.0.0/24").unwrap();
        assert!(block.contains("::ffff:10.0.0.7".parse().unwrap()));
        assert!(block.contains("10.0.0.255".parse().unwrap()));
        assert!(!block.contains("10.0.1.0".parse().unwrap()));
        assert!(!block.contains("::a00:7".parse().unwrap()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn a_block_holds_its_hosts(ip in any::<u32>(), v6 in any::<u128>(), free in 0_u32..=8) {
            for (network, bits) in [(IpAddr::from(Ipv4Addr::from(ip)), 32), (IpAddr::from(Ipv6Addr::from(v6)), 128)] {
                let network = masked(network, bits - free);
                prop_assume!(network.to_canonical() == network);
                let block = CidrBlock::parse(&format!("{network}/{}", bits - free)).unwrap();
                let hosts: Vec<IpAddr> = block.hosts().collect();
                prop_assert_eq!(hosts.len() as u128, block.host_count());
                prop_assert!(hosts.is_sorted());
                prop_assert!(hosts.iter().all(|host| block.contains(*host)));
            }
        }
    }
}
