//! What the targets share: text made of words, bytes in pieces.

/// Text made of the words of a list, one for each byte: more of it means something than of random bytes.
pub fn words(bytes: &[u8], list: &[&str]) -> String {
    bytes.iter().map(|&byte| list[usize::from(byte) % list.len()]).collect()
}

/// The bytes in pieces, whose sizes the first few of them say.
pub fn pieces(bytes: &[u8]) -> (Vec<usize>, &[u8]) {
    let (sizes, rest) = bytes.split_at(bytes.len().min(8));
    (sizes.iter().map(|&size| usize::from(size) + 1).collect(), rest)
}

/// Cuts bytes into pieces of these sizes, again and again.
pub fn cut<'b>(mut bytes: &'b [u8], sizes: &[usize]) -> Vec<&'b [u8]> {
    let mut cut = Vec::new();
    for &size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(size.min(bytes.len()));
        cut.push(piece);
        bytes = rest;
    }
    cut
}
