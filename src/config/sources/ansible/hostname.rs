//! Names of hosts as Ansible's inventories have them: ranges (`web[01:50]`, `db-[a:f]`, `[0:10:2]`) and ports (`web1:2222`).
//!
//! Rules as in Ansible's `plugins/inventory/__init__.py` (`expand_hostname_range`) and `parsing/utils/addresses.py`.

/// The names of a pattern, at most `limit`, and the port behind it.
///
/// # Errors
/// A range that is none; the text follows the pattern in a message.
pub(super) fn expand(pattern: &str, limit: usize) -> Result<(Vec<String>, Option<u16>), String> {
    let (pattern, port) = port_of(pattern);
    let mut names = Vec::new();
    ranges(pattern, limit, &mut names)?;
    Ok((names, port))
}

/// Takes the port off a pattern: `web1:2222`, `[2001:db8::1]:2222`, `web[1:3]:22`.
fn port_of(pattern: &str) -> (&str, Option<u16>) {
    if let Some((host, port)) = pattern.rsplit_once(':')
        && let Ok(port) = port.parse::<u16>()
        && port > 0
    {
        if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'))
            && address.parse::<std::net::Ipv6Addr>().is_ok()
        {
            return (address, Some(port));
        }
        // Colons within brackets are those of ranges; others make it an IPv6 address.
        let mut depth = 0_usize;
        let bare = host.chars().any(|c| {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ':' && depth == 0
        });
        if !bare && depth == 0 {
            return (host, Some(port));
        }
    }
    let plain = pattern.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match plain.filter(|address| address.parse::<std::net::Ipv6Addr>().is_ok()) {
        Some(address) => (address, None),
        None => (pattern, None),
    }
}

fn ranges(pattern: &str, limit: usize, names: &mut Vec<String>) -> Result<(), String> {
    let Some((head, rest)) = pattern.split_once('[').filter(|(_, rest)| rest.contains(']')) else {
        names.push(pattern.to_owned());
        return Ok(());
    };
    let (range, tail) = rest.split_once(']').unwrap_or((rest, ""));
    let parts: Vec<&str> = range.split(':').collect();
    let (start, end, step) = match *parts.as_slice() {
        [start, end] => (start, end, "1"),
        [start, end, step] => (start, end, step),
        _ => return Err("has a range that is not [start:end] or [start:end:step]".to_owned()),
    };
    let start = if start.is_empty() { "0" } else { start };
    if end.is_empty() {
        return Err("has a range without an end".to_owned());
    }
    let step: usize = step.parse().ok().filter(|&step| step > 0).ok_or("has a step that is no number")?;
    for part in between(start, end)?.step_by(step) {
        if names.len() >= limit {
            return Err(format!("makes more than {limit} hosts; raise the limit with --max-hosts"));
        }
        ranges(&format!("{head}{part}{tail}"), limit, names)?;
    }
    Ok(())
}

/// The parts of a range: numbers as wide as its start where that has a zero in front, or ASCII letters.
fn between(start: &str, end: &str) -> Result<Box<dyn Iterator<Item = String>>, String> {
    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if start.starts_with('0') && start.len() > 1 && start.len() != end.len() {
        return Err("has a range whose start and end differ in length".to_owned());
    }
    if let (Some(first), Some(last)) = (LETTERS.find(start), LETTERS.find(end))
        && start.len() == 1
        && end.len() == 1
    {
        if first > last {
            return Err("has a range that begins behind its end".to_owned());
        }
        return Ok(Box::new((first..=last).filter_map(|at| LETTERS.get(at..=at).map(str::to_owned))));
    }
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("has a range with \"{text}\" in it"));
    let (first, last) = (number(start)?, number(end)?);
    if first > last {
        return Err("has a range that begins behind its end".to_owned());
    }
    let width = if start.starts_with('0') { start.len() } else { 0 };
    Ok(Box::new((first..=last).map(move |number| format!("{number:0width$}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_ports_are_those_of_ansible() {
        for (pattern, names, port) in [
            ("web1", "web1", None),
            ("web[01:03]", "web01 web02 web03", None),
            ("web[1:3]:2222", "web1 web2 web3", Some(2222)),
            ("web[:2]", "web0 web1 web2", None),
            ("n[0:10:5].lan", "n0.lan n5.lan n10.lan", None),
            ("db-[a:c]", "db-a db-b db-c", None),
            ("r[1:2]n[08:09]", "r1n08 r1n09 r2n08 r2n09", None),
            ("10.0.0.1:22", "10.0.0.1", Some(22)),
            ("[2001:db8::1]:22", "2001:db8::1", Some(22)),
            ("2001:db8::1", "2001:db8::1", None),
            ("[2001:db8::1]", "2001:db8::1", None),
        ] {
            let (found, at) = expand(pattern, 100).unwrap();
            assert_eq!((found.join(" ").as_str(), at), (names, port), "{pattern}");
        }
        for bad in ["web[1]", "web[1:]", "web[5:1]", "web[01:100]", "web[a:3]", "web[1:3:0]", "web[1:2:3:4]"]
        {
            assert!(expand(bad, 100).is_err(), "{bad}");
        }
        assert!(expand("web[1:101]", 100).unwrap_err().contains("--max-hosts"));
    }
}
