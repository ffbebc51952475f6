//! URLs, targets and certificates, also such as nobody means well with.

use proptest::prelude::*;

use super::*;

#[test]
fn urls_are_read() {
    let url = Url::parse("http://localhost:8080/health?x=1#part").unwrap();
    assert_eq!(
        (url.tls, url.host.as_str(), url.port, url.target()),
        (false, "localhost", 8080, "/health?x=1")
    );
    let url = Url::parse("https://[::1]?q").unwrap();
    assert_eq!((url.tls, url.host.as_str(), url.port, url.target()), (true, "::1", 443, "/?q"));
    assert_eq!(url.authority(), "[::1]");
    assert_eq!(Url::parse("http://a").unwrap().target(), "/");
    assert_eq!(Url::parse("HTTPS://a:443/").unwrap().to_string(), "https://a/");
    let url = Url::parse("https://bücher.example:8443/ü{x}?a=\"b\"").unwrap();
    assert_eq!(url.host, "xn--bcher-kva.example");
    assert_eq!(url.to_string(), "https://xn--bcher-kva.example:8443/%C3%BC%7Bx%7D?a=%22b%22");
    for bad in [
        "",
        "a/b",
        "ftp://a",
        "http://",
        "http://:80",
        "http://a:0/",
        "http://a:x",
        "http://u:p@a/",
        "http://a b/",
        "http://[::1",
        "http://[::1]80/",
        "http://a:70000/",
        "https://a\r\nX: y/",
    ] {
        assert!(Url::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn redirects_lead_where_a_browser_would_go_and_never_to_files() {
    let url = Url::parse("https://a.example:8443/one/two?x=1").unwrap();
    for (location, there) in [
        ("/three", "https://a.example:8443/three"),
        ("three", "https://a.example:8443/one/three"),
        ("?y=2", "https://a.example:8443/one/two?y=2"),
        ("//b.example/x", "https://b.example/x"),
        ("http://b.example", "http://b.example/"),
        (" /a:b ", "https://a.example:8443/a:b"),
    ] {
        assert_eq!(url.redirected(location).unwrap().to_string(), there, "{location}");
    }
    for bad in ["file:///etc/passwd", "FILE:/etc/passwd", "javascript:alert(1)", "", "ftp://a/", "data:,x"] {
        assert!(url.redirected(bad).is_err(), "{bad}");
    }
}

#[test]
fn targets_stand_for_what_they_say() {
    let shown =
        |text: &str| -> Vec<String> { targets(text).unwrap().iter().map(ToString::to_string).collect() };
    assert_eq!(shown("tcp://10.0.0.0/30:22,80-81").len(), 6);
    assert_eq!(shown("tcp://web[1-2]:22"), ["tcp://web1:22", "tcp://web2:22"]);
    assert_eq!(shown("tcp://[::1]:443,443"), ["tcp://[::1]:443"]);
    assert_eq!(shown("tcp://[fd00::]/127:1").len(), 2);
    assert_eq!(shown("dns:bücher.example"), ["dns:xn--bcher-kva.example"]);
    for (bad, why) in [
        ("tcp://10.0.0.0/8:1-65535", "65536 are the most"),
        ("tcp://[2001:db8::]/32:22", "65536 are the most"),
        ("tcp://10.0.0.1", "written tcp://HOST:PORTS"),
        ("tcp://10.0.0.1:", "is none"),
        ("tcp://10.0.0.1:0", "is none"),
        ("tcp://10.0.0.1:99999", "is none"),
        ("tcp://10.0.0.1:9-1", "no range"),
        ("tcp://:80", "not a host name"),
        ("tcp://a b:80", "not a host name"),
        ("dns:", "not a host name"),
        ("dns:a;b", "not a host name"),
        ("ftp://a", "one of https://"),
        ("example.com", "https://example.com/"),
        ("example.com:22", "tcp://example.com:22"),
    ] {
        let told = targets(bad).unwrap_err();
        assert!(told.contains(why), "{bad}: {told}");
    }
}

#[test]
fn headers_that_would_be_two_are_none() {
    assert!(check_header("X-A", "b").is_ok());
    for (name, value) in
        [("X-A", "b\r\nC: d"), ("X A", "b"), ("", "b"), ("X-A:", "b"), ("Connection", "keep-alive")]
    {
        assert!(check_header(name, value).is_err(), "{name:?}: {value:?}");
    }
}

proptest! {
    #[test]
    fn nothing_that_is_written_or_sent_breaks_it(text in "\\PC{0,40}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = targets(&text);
        let _ = targets(&format!("tcp://{text}"));
        if let Ok(url) = Url::parse(&format!("https://a.example/{text}")) {
            prop_assert!(url.target().bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(Url::parse(&url.to_string()), Ok(url));
        }
        let _ = Certificate::read(&bytes);
        let wrapped = [&[0x30, 0x82, 0, u8::try_from(bytes.len()).unwrap_or(200)][..], &bytes].concat();
        let _ = Certificate::read(&wrapped);
    }
}
