//! Texts: Base64, checksums, comments, sizes in words, addresses of the web.

use data_encoding::{BASE64, BASE64_MIME_PERMISSIVE, HEXLOWER};
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, Value};
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::model::template::filters::given::{BoundedText, text_of, wrong};
use crate::model::template::value::to_text;

pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("b64encode", |value: &Value| -> Result<String, Error> {
        Ok(BASE64.encode(text_of(value)?.as_bytes()))
    });
    environment.add_filter("b64decode", decode);
    environment.add_filter("hash", |value: &Value, kind: Option<&str>| hash(value, kind.unwrap_or("sha1")));
    environment.add_filter("checksum", |value: &Value| hash(value, "sha1"));
    environment.add_filter("sha1", |value: &Value| hash(value, "sha1"));
    environment.add_filter("md5", |value: &Value| hash(value, "md5"));
    environment.add_filter("comment", comment);
    environment.add_filter("human_readable", human_readable);
    environment.add_filter("human_to_bytes", human_to_bytes);
    environment.add_filter("truncate", truncate);
    environment.add_filter("urlencode", url_encode);
    environment.add_filter("urldecode", url_decode);
    environment.add_filter("urlsplit", url_split);
    environment.add_filter("replace", replace);
    environment.add_filter("indent", indent);
}

fn decode(value: &Value) -> Result<String, Error> {
    let text = text_of(value)?;
    let bytes = BASE64_MIME_PERMISSIVE.decode(text.trim().as_bytes()).map_err(|_| wrong("not Base64"))?;
    String::from_utf8(bytes).map_err(|_| wrong("what is decoded is not UTF-8"))
}

fn hash(value: &Value, kind: &str) -> Result<String, Error> {
    let text = text_of(value)?;
    let bytes = text.as_bytes();
    Ok(match kind {
        "md5" => format!("{:x}", md5::compute(bytes)),
        "sha1" => HEXLOWER.encode(&Sha1::digest(bytes)),
        "sha224" => HEXLOWER.encode(&Sha224::digest(bytes)),
        "sha256" => HEXLOWER.encode(&Sha256::digest(bytes)),
        "sha384" => HEXLOWER.encode(&Sha384::digest(bytes)),
        "sha512" => HEXLOWER.encode(&Sha512::digest(bytes)),
        _ => return Err(wrong("\"hash\" knows sha1, sha224, sha256, sha384, sha512 and md5")),
    })
}

/// How a language marks comments.
struct CommentStyle {
    begin: &'static str,
    line: &'static str,
    end: &'static str,
}

/// Puts a text into a comment, with an empty line of it above and below.
fn comment(value: &Value, style: Option<&str>, options: Kwargs) -> Result<String, Error> {
    let style = match style {
        None | Some("plain") => CommentStyle { begin: "", line: "# ", end: "" },
        Some("erlang") => CommentStyle { begin: "", line: "% ", end: "" },
        Some("c") => CommentStyle { begin: "", line: "// ", end: "" },
        Some("cblock") => CommentStyle { begin: "/*", line: " * ", end: " */" },
        Some("xml") => CommentStyle { begin: "<!--", line: " - ", end: "-->" },
        Some(_) => return Err(wrong("\"comment\" knows plain, erlang, c, cblock and xml")),
    };
    let decoration = options.get::<Option<&str>>("decoration")?.unwrap_or(style.line).to_owned();
    options.assert_all_used()?;
    let text = text_of(value)?;
    let mut out = BoundedText::default();
    let border = decoration.trim_end();
    let open = [style.begin, border].into_iter().filter(|line| !line.is_empty());
    for line in open {
        out.push(line)?;
        out.push("\n")?;
    }
    for line in text.lines() {
        out.push(if line.is_empty() { border } else { &decoration })?;
        out.push(line)?;
        out.push("\n")?;
    }
    out.push(border)?;
    if !style.end.is_empty() {
        out.push("\n")?;
        out.push(style.end)?;
    }
    Ok(out.finish())
}

/// Units of sizes, each 1024 times the one before.
const UNITS: [&str; 9] = ["", "K", "M", "G", "T", "P", "E", "Z", "Y"];

/// A size in words: `1.50 KB`.
fn human_readable(
    value: &Value,
    bits: Option<bool>,
    unit: Option<&str>,
    options: Kwargs,
) -> Result<String, Error> {
    let bits = bits.or(options.get("isbits")?).unwrap_or(false);
    let unit = unit.or(options.get("unit")?).map(str::to_uppercase);
    options.assert_all_used()?;
    let size: f64 = to_text(value)?.trim().parse().map_err(|_| wrong("\"human_readable\" takes a number"))?;
    let wanted = unit.map(|unit| unit.trim_end_matches(['B', 'b']).to_owned());
    let mut scaled = size;
    let mut last = "";
    for name in UNITS {
        last = name;
        let there = match &wanted {
            Some(wanted) => wanted == name,
            None => scaled.abs() < 1024.0,
        };
        if there {
            break;
        }
        if Some(&name) != UNITS.last() {
            scaled /= 1024.0;
        }
    }
    let word = match (last, bits) {
        ("", true) => "bits".to_owned(),
        ("", false) => "Bytes".to_owned(),
        (unit, true) => format!("{unit}b"),
        (unit, false) => format!("{unit}B"),
    };
    Ok(format!("{scaled:.2} {word}"))
}

/// A size in bytes: of `2.5 GB`, `10M`, `512`.
fn human_to_bytes(value: &Value, default: Option<&str>, options: Kwargs) -> Result<u64, Error> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    let default = default.or(options.get("default_unit")?).unwrap_or("").to_owned();
    options.assert_all_used()?;
    let text = text_of(value)?;
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let refused = || wrong("\"human_to_bytes\" takes a size such as 2.5 GB");
    let number: f64 = number.parse().map_err(|_| refused())?;
    let unit = if unit.trim().is_empty() { default } else { unit.trim().to_owned() }.to_uppercase();
    let unit =
        unit.trim_end_matches("BYTES").trim_end_matches("BYTE").trim_end_matches('B').trim_end_matches('I');
    let power = UNITS.iter().position(|known| *known == unit).ok_or_else(refused)?;
    let size = (0..power).fold(number, |size, _| size * 1024.0).round();
    if size > LARGEST {
        return Err(wrong("a size beyond 8 PiB"));
    }
    format!("{size:.0}").parse().map_err(|_| refused())
}

/// Cuts a text after so many characters, `end` included.
fn truncate(
    value: &Value,
    length: Option<usize>,
    kill_words: Option<bool>,
    end: Option<&str>,
    options: Kwargs,
) -> Result<String, Error> {
    let length = length.or(options.get("length")?).unwrap_or(255);
    let kill_words = kill_words.or(options.get("killwords")?).unwrap_or(false);
    let end = end.or(options.get("end")?).unwrap_or("...").to_owned();
    let leeway = options.get::<Option<usize>>("leeway")?.unwrap_or(5);
    options.assert_all_used()?;
    let text = text_of(value)?;
    let room = length.checked_sub(end.chars().count());
    let Some(room) = room else { return Err(wrong("\"truncate\" to less than its \"end\"")) };
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text);
    }
    let cut: String = text.chars().take(room).collect();
    let kept =
        if kill_words { cut.as_str() } else { cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words) };
    Ok(format!("{kept}{end}"))
}

fn url_encode(value: &Value) -> Result<String, Error> {
    let text = text_of(value)?;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(byte.into())
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    Ok(out)
}

fn url_decode(value: &Value) -> Result<String, Error> {
    let text = text_of(value)?;
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let coded = after.first_chunk::<2>().and_then(|pair| std::str::from_utf8(pair).ok());
        let coded = coded.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        rest = after;
        match (byte, coded) {
            (b'%', Some(coded)) => {
                out.push(coded);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(other),
        }
    }
    String::from_utf8(out).map_err(|_| wrong("what is decoded is not UTF-8"))
}

/// The parts of an address of the web, or the one that is asked for.
fn url_split(value: &Value, wanted: Option<&str>) -> Result<Value, Error> {
    let text = text_of(value)?;
    let (rest, fragment) = text.split_once('#').unwrap_or((&text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = rest.split_once("://").unwrap_or(("", rest));
    let (authority, path) = match (scheme, rest.find('/')) {
        ("", _) => ("", rest),
        (_, Some(at)) => rest.split_at(at),
        (_, None) => (rest, ""),
    };
    let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (username, password) = login.split_once(':').unwrap_or((login, ""));
    let (hostname, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        Some(_) | None => (place, ""),
    };
    let hostname = hostname.trim_start_matches('[').trim_end_matches(']').to_lowercase();
    let port = port.parse::<u16>().map_or_else(|_| Value::from(()), Value::from);
    let parts = [
        ("scheme", Value::from(scheme)),
        ("netloc", Value::from(authority)),
        ("hostname", Value::from(hostname)),
        ("port", port),
        ("username", Value::from(username)),
        ("password", Value::from(password)),
        ("path", Value::from(path)),
        ("query", Value::from(query)),
        ("fragment", Value::from(fragment)),
    ];
    let Some(wanted) = wanted else { return Ok(Value::from_pairs(parts)) };
    let names = parts.each_ref().map(|(name, _)| *name).join(", ");
    let found = parts.into_iter().find(|(name, _)| *name == wanted);
    found.map(|(_, part)| part).ok_or_else(|| wrong(format!("\"urlsplit\" knows {names}")))
}

/// MiniJinja's `replace` into bounded room, and with a `count`.
fn replace(value: &Value, from: &Value, to: &Value, count: Option<usize>) -> Result<String, Error> {
    let (text, from, to) = (text_of(value)?, text_of(from)?, text_of(to)?);
    let mut out = BoundedText::default();
    let mut done = 0;
    for (index, (at, found)) in text.match_indices(&from).enumerate() {
        if count.is_some_and(|count| index >= count) {
            break;
        }
        out.push(text.get(done..at).unwrap_or_default())?;
        out.push(&to)?;
        done = at + found.len();
    }
    out.push(text.get(done..).unwrap_or_default())?;
    Ok(out.finish())
}

/// MiniJinja's `indent` into bounded room, and with a text for a margin.
fn indent(
    value: &Value,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    options: Kwargs,
) -> Result<String, Error> {
    const WIDEST: usize = 1000;
    let width = width.or(options.get("width")?);
    let first = first.or(options.get("first")?).unwrap_or(false);
    let blank = blank.or(options.get("blank")?).unwrap_or(false);
    options.assert_all_used()?;
    let text = text_of(value)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let margin = match width {
        None => " ".repeat(4),
        Some(width) => match (width.as_usize(), width.as_str()) {
            (Some(width), _) if width <= WIDEST => " ".repeat(width),
            (_, Some(margin)) => margin.to_owned(),
            (_, None) => return Err(wrong(format!("\"indent\" takes up to {WIDEST} blanks, or a text"))),
        },
    };
    let mut out = BoundedText::default();
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push("\n")?;
        }
        let empty = line.is_empty() || line == "\r";
        if (index > 0 || first) && (blank || !empty) {
            out.push(&margin)?;
        }
        out.push(line)?;
    }
    Ok(out.finish())
}
