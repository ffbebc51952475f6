//! A text with its quoting undone, whatever the layers: what is found in it was there before anyone quoted it.
//!
//! Owns which codes are read (octal, hexadecimal, Unicode and control codes behind backslashes, percent codes,
//! references to characters as in HTML) and from where in the text each byte came. Quotes, backslashes and carriage returns are left out: how many there are
//! depends on who quoted, and how often. A plus is a blank, as in forms.
//!
//! A text and the same text in any of the spellings of [`Spelling`], in any order and number, are undone to the same
//! bytes. That is what makes one pattern find them all.
//!
//! [`Spelling`]: crate::model::shell::spelling::Spelling

/// Bytes of quotes and backslashes in a row that are passed over. More of them are nobody's quoting, and part what
/// stands before them from what stands behind.
const MAX_NOISE: usize = 4 * 1024;

/// A text that was undone.
#[derive(Debug, Default)]
pub(super) struct Undone {
    /// What remains.
    pub(super) bytes: Vec<u8>,
    pieces: Vec<UndonePiece>,
    /// Where a code begins that the text's end cuts off, or may cut off.
    pub(super) open: Option<usize>,
}

/// Bytes that come from one place, each from a byte of the text or all from one code.
#[derive(Clone, Copy, Debug)]
struct UndonePiece {
    /// The first one's index in what remains.
    at: usize,
    /// Where it comes from.
    from: usize,
    /// Bytes of the code; 0 for bytes that stand for themselves.
    code: usize,
}

/// A code at the beginning of a text.
enum Code {
    /// None.
    Plain,
    /// These bytes, and how long it is.
    Is([u8; 4], usize, usize),
    /// The text ends within it.
    Cut,
}

impl Undone {
    /// Undoes a text. Where `whole`, nothing follows it, and a code that is cut off is none.
    pub(super) fn of(text: &[u8], whole: bool) -> Self {
        let mut undoing =
            Undoing { text, whole, undone: Self::default(), slash: None, noise: 0, plain: false };
        undoing.undone.bytes.reserve(text.len());
        undoing.all();
        undoing.undone
    }

    /// Where the byte at this index begins in the text.
    pub(super) fn start(&self, index: usize) -> usize {
        match self.piece(index) {
            Some(piece) if piece.code == 0 => piece.from + (index - piece.at),
            Some(piece) => piece.from,
            None => 0,
        }
    }

    /// Where it ends.
    pub(super) fn end(&self, index: usize) -> usize {
        match self.piece(index) {
            Some(piece) if piece.code == 0 => piece.from + (index - piece.at) + 1,
            Some(piece) => piece.from + piece.code,
            None => 0,
        }
    }

    /// The last place up to this one at which no code would be torn.
    pub(super) fn untorn(&self, place: usize) -> usize {
        let next = self.pieces.partition_point(|piece| piece.from < place);
        let before = next.checked_sub(1).and_then(|last| self.pieces.get(last));
        match before {
            Some(piece) if piece.code > 0 && place < piece.from + piece.code => piece.from,
            Some(_) | None => place,
        }
    }

    fn piece(&self, index: usize) -> Option<&UndonePiece> {
        let next = self.pieces.partition_point(|piece| piece.at <= index);
        next.checked_sub(1).and_then(|last| self.pieces.get(last))
    }
}

struct Undoing<'t> {
    text: &'t [u8],
    whole: bool,
    undone: Undone,
    /// Where a backslash stands that is not read yet, itself or as a code.
    slash: Option<usize>,
    /// Quotes and backslashes passed over in a row.
    noise: usize,
    /// The last piece goes on where its bytes stand for themselves.
    plain: bool,
}

impl Undoing<'_> {
    fn all(&mut self) {
        let text = self.text;
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            let rest = text.get(at..).unwrap_or_default();
            let code = match (self.slash, byte) {
                (_, b'%') => percent(rest, self.whole),
                (_, b'&') => reference(rest, self.whole),
                (Some(_), b'\\') | (None, _) => Code::Plain,
                (Some(_), _) => behind_slash(rest),
            };
            let code = if byte == b'&' { code } else { referring(code, rest, self.whole) };
            let begins = self.slash.unwrap_or(at);
            match code {
                Code::Cut if !self.whole => {
                    self.undone.open = Some(begins);
                    return;
                }
                Code::Cut | Code::Plain if self.slash.is_none() && !special(byte) => {
                    // All that stands for itself, at once.
                    let plain = rest.iter().position(|&byte| special(byte)).unwrap_or(rest.len());
                    self.itself(rest.get(..plain).unwrap_or_default(), at);
                    at += plain;
                }
                Code::Cut | Code::Plain => {
                    // Of several backslashes the last one is what a code may begin with.
                    let from = if byte == b'\\' { at } else { begins };
                    self.read(&[byte], from, at + 1);
                    at += 1;
                }
                Code::Is(bytes, count, length) => {
                    self.read(bytes.get(..count).unwrap_or_default(), begins, at + length);
                    at += length;
                }
            }
        }
        if !self.whole {
            self.undone.open = self.slash;
        }
    }

    /// Takes bytes that stand for themselves.
    fn itself(&mut self, bytes: &[u8], from: usize) {
        if !self.plain || self.noise > 0 {
            self.undone.pieces.push(UndonePiece { at: self.undone.bytes.len(), from, code: 0 });
        }
        self.undone.bytes.extend_from_slice(bytes);
        self.plain = true;
        self.noise = 0;
    }

    /// Takes what stands between two places of the text, and stands for these bytes.
    fn read(&mut self, bytes: &[u8], from: usize, to: usize) {
        self.slash = None;
        self.plain = false;
        if matches!(bytes, [b'\\' | b'\'' | b'"' | b'\r']) && self.noise < MAX_NOISE {
            self.noise += to - from;
            self.slash = (bytes == b"\\").then_some(from);
            return;
        }
        self.noise = 0;
        self.undone.pieces.push(UndonePiece { at: self.undone.bytes.len(), from, code: to - from });
        self.undone.bytes.extend_from_slice(if bytes == b"+" { b" " } else { bytes });
    }
}

/// Whether a byte may stand for something else.
fn special(byte: u8) -> bool {
    matches!(byte, b'\\' | b'\'' | b'"' | b'\r' | b'%' | b'&' | b'+')
}

/// `%41`; a percent sign that is written as a code may begin the next one.
fn percent(text: &[u8], whole: bool) -> Code {
    let mut at = 1;
    loop {
        let digits = text.get(at..).unwrap_or_default();
        let read = |index: usize| digits.get(index).map(|&byte| char::from(byte).to_digit(16));
        let value = match (read(0), read(1)) {
            (Some(Some(high)), Some(Some(low))) => u8::try_from(high * 16 + low).unwrap_or_default(),
            (None, _) | (Some(Some(_)), None) if !whole => return Code::Cut,
            (_, _) if at == 1 => return Code::Plain,
            (_, _) => return Code::Is([b'%', 0, 0, 0], 1, at),
        };
        at += 2;
        if value != b'%' {
            return Code::Is([value, 0, 0, 0], 1, at);
        }
    }
}

/// `&lt;`, `&#60;`, `&#x3c;`; an ampersand that is written so may begin the next one.
fn reference(text: &[u8], whole: bool) -> Code {
    let mut at = 1;
    loop {
        match referred(text.get(at..).unwrap_or_default()) {
            Referred::Character('&', length) => at += length,
            Referred::Character(c, length) => return character(u32::from(c), at + length),
            Referred::Cut if !whole => return Code::Cut,
            Referred::Cut | Referred::Nothing if at == 1 => return Code::Plain,
            Referred::Cut | Referred::Nothing => return Code::Is([b'&', 0, 0, 0], 1, at),
        }
    }
}

/// An ampersand that another code stands for may begin a reference, too.
fn referring(code: Code, text: &[u8], whole: bool) -> Code {
    let Code::Is([b'&', ..], 1, length) = code else { return code };
    match reference(text.get(length - 1..).unwrap_or_default(), whole) {
        Code::Is(bytes, count, more) => Code::Is(bytes, count, length - 1 + more),
        Code::Cut => Code::Cut,
        Code::Plain => code,
    }
}

/// What stands behind an ampersand.
enum Referred {
    /// The rest of a reference to this character, and how long that is.
    Character(char, usize),
    /// The text ends within one.
    Cut,
    /// None.
    Nothing,
}

fn referred(text: &[u8]) -> Referred {
    const NAMES: [(&[u8], char); 5] =
        [(b"amp;", '&'), (b"lt;", '<'), (b"gt;", '>'), (b"quot;", '"'), (b"apos;", '\'')];
    // As many as the last character has in decimal; nobody writes more.
    const DIGITS: usize = 7;
    if text.first() != Some(&b'#') {
        let named = NAMES.into_iter().find(|(name, _)| text.starts_with(name));
        return match named {
            Some((name, c)) => Referred::Character(c, name.len()),
            None if NAMES.iter().any(|(name, _)| name.starts_with(text)) => Referred::Cut,
            None => Referred::Nothing,
        };
    }
    let (radix, from) = match text.get(1) {
        None => return Referred::Cut,
        Some(b'x' | b'X') => (16, 2),
        Some(_) => (10, 1),
    };
    let (value, length) = digits(text.get(from..).unwrap_or_default(), DIGITS, radix);
    match (text.get(from + length), char::from_u32(value)) {
        (None, _) => Referred::Cut,
        (Some(b';'), Some(c)) if length > 0 => Referred::Character(c, from + length + 1),
        (Some(_), _) => Referred::Nothing,
    }
}

/// What stands behind a backslash.
fn behind_slash(text: &[u8]) -> Code {
    let byte = |value: u8, length: usize| Code::Is([value, 0, 0, 0], 1, length);
    let Some(&first) = text.first() else { return Code::Cut };
    match first {
        b'0'..=b'7' => {
            // `\0ooo` of `printf %b` and `echo`, `\ooo` of all others.
            let most = if first == b'0' { 4 } else { 3 };
            match digits(text, most, 8) {
                (_, length) if length < most && length == text.len() => Code::Cut,
                (value, length) => byte((value & 0xff) as u8, length),
            }
        }
        b'x' => match digits(text.get(1..).unwrap_or_default(), 2, 16) {
            (_, length) if length < 2 && length + 1 == text.len() => Code::Cut,
            (_, 0) => Code::Plain,
            (value, length) => byte((value & 0xff) as u8, length + 1),
        },
        b'u' | b'U' => unicode(text),
        b'n' => byte(b'\n', 1),
        b't' => byte(b'\t', 1),
        b'r' => byte(b'\r', 1),
        b'a' => byte(7, 1),
        b'b' => byte(8, 1),
        b'v' => byte(11, 1),
        b'f' => byte(12, 1),
        b'e' | b'E' => byte(27, 1),
        _ => Code::Plain,
    }
}

/// `u00e4`, `u{e4}`, `U000000e4`, and pairs of surrogates.
fn unicode(text: &[u8]) -> Code {
    let rest = text.get(1..).unwrap_or_default();
    if text.starts_with(b"u{") {
        let (value, length) = digits(rest.get(1..).unwrap_or_default(), 6, 16);
        return match rest.get(1 + length) {
            None if length < 6 => Code::Cut,
            Some(b'}') if length > 0 => character(value, length + 3),
            _ => Code::Plain,
        };
    }
    let most = if text.starts_with(b"U") { 8 } else { 4 };
    let (value, length) = digits(rest, most, 16);
    if length < most {
        return if length == rest.len() { Code::Cut } else { Code::Plain };
    }
    if !(0xd800..0xdc00).contains(&value) {
        return character(value, length + 1);
    }
    let Some(pair) = rest.get(length..) else { return Code::Plain };
    // The second one's backslash may have been quoted, too.
    let slashes = pair.iter().take_while(|&&byte| byte == b'\\').count();
    let low = pair.get(slashes..).unwrap_or_default();
    if low.is_empty() {
        return Code::Cut;
    }
    let (second, digits_read) = digits(low.get(1..).unwrap_or_default(), 4, 16);
    match low.first() {
        Some(b'u') if digits_read < 4 && digits_read + 1 == low.len() => Code::Cut,
        Some(b'u') if slashes > 0 && digits_read == 4 && (0xdc00..0xe000).contains(&second) => character(
            0x1_0000 + ((value - 0xd800) << 10) + (second - 0xdc00),
            1 + length + slashes + 1 + digits_read,
        ),
        _ => Code::Plain,
    }
}

fn character(value: u32, length: usize) -> Code {
    let Some(c) = char::from_u32(value) else { return Code::Plain };
    let mut bytes = [0; 4];
    let count = c.encode_utf8(&mut bytes).len();
    Code::Is(bytes, count, length)
}

/// The number at the beginning of a text, of so many digits at most; and how many it has.
fn digits(text: &[u8], most: usize, radix: u32) -> (u32, usize) {
    let read = text.iter().take(most).map_while(|&byte| char::from(byte).to_digit(radix));
    read.fold((0, 0), |(value, length), digit| (value * radix + digit, length + 1))
}
