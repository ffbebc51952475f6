//! What fuzz targets see of HTTP; compiled for them only.

use crate::engine::step::wait_for::http::{Url, read};

/// Host, port and request of a URL that is one.
pub fn url(text: &str) -> Option<(String, u16, String)> {
    let url = Url::parse(text).ok()?;
    let request = String::from_utf8_lossy(&url.request()).into_owned();
    Some((url.host, url.port, request))
}

/// Status and body of what has come so far.
pub fn answer(received: &[u8], body: bool, ended: bool) -> Result<Option<(u16, Vec<u8>)>, String> {
    Ok(read(received, body, ended)?.map(|answer| (answer.status, answer.body)))
}
