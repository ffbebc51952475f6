//! The answer with contents, read as it comes.

/// A content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyContent {
    /// What it is called.
    pub id: usize,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// Reads the answer of a host, in pieces of any size. Holds one content at a time.
#[derive(Debug)]
pub struct ContentsReader {
    mark: Vec<u8>,
    buffer: Vec<u8>,
    /// The content that comes now, if one does.
    current: Option<SurveyContent>,
    most: usize,
}

impl ContentsReader {
    /// For contents that begin with this mark, of so many bytes at most.
    pub fn new(mark: &str, most: usize) -> Self {
        Self { mark: format!("\0{mark} ").into_bytes(), buffer: Vec::new(), current: None, most }
    }

    /// Takes what came next; gives the contents that are whole now.
    pub fn push(&mut self, data: &[u8]) -> Vec<SurveyContent> {
        self.buffer.extend_from_slice(data);
        let mut whole = Vec::new();
        loop {
            let Some(at) = find(&self.buffer, &self.mark) else {
                // The beginning of a mark may be at the end.
                let keep = self.buffer.len().min(self.mark.len());
                self.take(self.buffer.len() - keep);
                return whole;
            };
            let behind = at + self.mark.len();
            let rest = self.buffer.get(behind..).unwrap_or_default();
            let Some(end) = rest.iter().position(|&byte| byte == 0) else {
                self.take(at);
                return whole;
            };
            let name = rest.get(..end).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
            let next = name.parse().ok().map(|id| SurveyContent { id, data: Vec::new() });
            self.take(at);
            self.buffer.drain(..self.mark.len() + end + 1);
            whole.extend(std::mem::replace(&mut self.current, next));
        }
    }

    /// Moves bytes of the buffer into the content that comes now.
    fn take(&mut self, bytes: usize) {
        let taken = self.buffer.drain(..bytes);
        match &mut self.current {
            Some(content) if content.data.len() <= self.most => content.data.extend(taken),
            Some(_) | None => drop(taken),
        }
    }
}

/// The first place of a text that begins with NUL, a byte that few contents have.
fn find(buffer: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = buffer.get(from..)?.iter().position(|&byte| byte == 0) {
        let here = from + at;
        if buffer.get(here..)?.starts_with(needle) {
            return Some(here);
        }
        from = here + 1;
    }
    None
}
