//! `fan probe`: web servers with all kinds of certificates and manners, ports, names; from here and from hosts.

use fan::testing::sandbox::Behaviour;
use serde_json::Value;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran, sandbox};
use crate::fixtures::web::{Authority, Shows, WebServer};

fn objects(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Probes one target, and gives exit code and problem.
fn problem(fan: &Fan, args: &[&str]) -> (Option<i32>, String) {
    let ran = fan.run([&["probe", "-o", "json"], args].concat());
    let told = objects(&ran);
    assert_eq!(told.len(), 1, "{}", ran.snapshot());
    (ran.code, told[0]["problem"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_believed_or_not_and_told() {
    let authority = Authority::new();
    let ca = authority.ca().display().to_string();
    let fan = Fan::new();
    let good = WebServer::tls(&authority, Shows::Good).await;
    let url = format!("https://localhost:{}/", good.port());
    let ran = fan.run(["probe", "-o", "json", "--ca", &ca, &format!("https://127.0.0.1:{}/", good.port())]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let told = &objects(&ran)[0];
    assert_eq!((&told["status"], &told["ok"]), (&Value::from(200), &Value::from(true)));
    assert_eq!(told["certificates"][0]["subject"], "server");
    assert_eq!(told["certificates"][0]["issuer"], "Test-CA");
    assert_eq!(told["certificates"][0]["names"], serde_json::json!(["localhost", "127.0.0.1", "::1"]));
    for phase in ["connect_ms", "tls_ms", "first_byte_ms", "all_ms"] {
        assert!(told[phase].as_f64().unwrap() > 0.0, "{phase}: {told}");
    }
    let days = |days: &str| {
        problem(&fan, &["--ca", &ca, "--cert-days", days, &url.replace("localhost", "127.0.0.1")])
    };
    assert_eq!(days("10"), (Some(0), String::new()));
    let (code, why) = days("40");
    assert!(code == Some(1) && why.starts_with("its certificate ends on "), "{why}");
    for (shows, told) in [
        (Shows::Expired, "the certificate ended on 2020-02-01"),
        (Shows::OtherName, "the certificate is for other.example, not for 127.0.0.1"),
        (Shows::SelfSigned, "the certificate is self-signed (server)"),
    ] {
        let server = WebServer::tls(&authority, shows).await;
        let url = format!("https://127.0.0.1:{}/", server.port());
        assert_eq!(problem(&fan, &["--ca", &ca, &url]), (Some(1), told.to_owned()), "{shows:?}");
        assert_eq!(server.requests().len(), 0, "nothing is asked of who is not believed");
        assert_eq!(problem(&fan, &["--no-verify", &url]), (Some(0), String::new()), "{shows:?}");
    }
    let other = Authority::new();
    let url = format!("https://127.0.0.1:{}/", good.port());
    let (_, why) = problem(&fan, &["--ca", &other.ca().display().to_string(), &url]);
    assert_eq!(why, "the certificate's issuer is not trusted (Test-CA)");
    let ran = fan.env("SSL_CERT_FILE", &ca).run(["probe", &url]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let plain = WebServer::plain().await;
    let (code, why) = problem(
        &Fan::new(),
        &["--ca", &ca, &format!("https://127.0.0.1:{}/hang", plain.port()), "--timeout", "2"],
    );
    assert_eq!((code, why.as_str()), (Some(1), "connected, but no answer within 2.0s"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_all_manners() {
    let server = WebServer::plain().await;
    let at = |path: &str| format!("http://127.0.0.1:{}{path}", server.port());
    let fan = Fan::new();
    let one = |path: &str, more: &[&str]| problem(&fan, &[&[at(path).as_str()][..], more].concat());
    let well = (Some(0), String::new());
    assert_eq!(one("/", &[]), well);
    assert_eq!(one("/hints", &["--expect-body", "^hinted$"]), well, "1xx is passed over");
    assert_eq!(one("/chunked", &["--expect-body", "^onetw$"]), well);
    assert_eq!(one("/endless", &["--expect-body", "^x+$"]), well, "a body without end is cut");
    for (path, more, told) in [
        ("/status?503", &[][..], "it responds with status 503"),
        ("/status?200", &["--expect-status", "204"], "it responds with status 200"),
        ("/", &["--expect-body", "ill"], "its body does not match"),
        ("/garbage", &[], "the response is not HTTP"),
        ("/nothing", &[], "it closed the connection without an answer"),
        ("/hang", &["--timeout", "1"], "connected, but no answer within 1.0s"),
        ("/half", &["--timeout", "1"], "connected, but no answer within 1.0s"),
        ("/round", &["--follow", "3"], "more than 3 redirects"),
        (
            "/to?file:///etc/passwd",
            &["--follow", "3"],
            "it redirects to what is not followed: \"file:///etc/passwd\" does not begin with http:// or https://",
        ),
    ] {
        assert_eq!(one(path, more), (Some(1), told.to_owned()), "{path}");
    }
    assert_eq!(one("/to?/status?404", &[]), well, "a redirect is an answer");
    assert_eq!(one("/to?/status?404", &["--follow", "1"]).1, "it responds with status 404");
    assert_eq!(one("/", &["--header", "X-Probe: yes"]), well);
    assert!(server.requests().last().unwrap().contains("x-probe: yes\r\n"));
    // What is sent to one origin is for nobody else, whatever that one says.
    let other = WebServer::plain().await;
    let (here, there) = (at("/x"), format!("http://127.0.0.1:{}/x", other.port()));
    for (to, server, is_sent) in [(&here, &server, true), (&there, &other, false)] {
        assert_eq!(one(&format!("/to?{to}"), &["--follow", "1", "--header", "X-Token: t0psecret"]), well);
        let asked = server.requests().last().unwrap().clone();
        assert!(asked.starts_with("GET /x "), "{asked}");
        assert_eq!(asked.contains("t0psecret"), is_sent, "{to}: {asked}");
    }
    for target in
        ["http://u:s3cret@127.0.0.1/", "tcp://u:s3cret@127.0.0.1:22", "u:s3cret@127.0.0.1", "dns:u:s3cret@h"]
    {
        let ran = fan.run(["probe", target]);
        assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
        assert!(!ran.stderr.contains("s3cret") && ran.stderr.contains("login"), "{}", ran.snapshot());
    }
    let ran = fan.run([
        "probe",
        &at("/"),
        "--watch=10ms",
        "--rounds",
        "3",
        "-o",
        "json",
        "--report",
        "p.json",
        "--report",
        "p.csv",
    ]);
    assert_eq!((ran.code, objects(&ran).len()), (Some(0), 3), "{}", ran.snapshot());
    let csv = std::fs::read_to_string(fan.work().join("p.csv")).unwrap();
    assert!(csv.lines().count() == 2 && csv.contains(",true,,200,"), "{csv}");
    let report: Value = serde_json::from_slice(&std::fs::read(fan.work().join("p.json")).unwrap()).unwrap();
    assert_eq!(report["probes"][0]["status"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_names_and_mistakes() {
    let (one, two) = (WebServer::plain().await, WebServer::plain().await);
    let fan = Fan::new();
    let ports = format!("tcp://127.0.0.1:{},{}", one.port(), two.port());
    let ran = fan.run(["probe", &ports]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!((one.connections(), two.connections()), (1, 1));
    assert_eq!(ran.stdout.matches("  open\n").count(), 2, "{}", ran.snapshot());
    let closed = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    assert_eq!(
        problem(&fan, &[&format!("tcp://127.0.0.1:{closed}")]),
        (Some(1), "connection refused".to_owned())
    );
    let v6 = WebServer::start("[::1]:0", None).await;
    assert_eq!(problem(&fan, &[&format!("http://[::1]:{}/", v6.port())]), (Some(0), String::new()));
    let ran = fan.run(["probe", "-o", "json", "dns:localhost"]);
    let addresses = objects(&ran)[0]["addresses"].as_array().unwrap().clone();
    assert!(addresses.contains(&Value::from("127.0.0.1")), "{}", ran.snapshot());
    let ran = fan.run([
        "probe",
        "ftp://x",
        "tcp://10.0.0.0/8:1-9",
        "example.com",
        "--expect-body",
        "(",
        "--header",
        "a",
    ]);
    insta::assert_snapshot!(ran.snapshot(), @r"
    exit code: 2
    --- stderr
    error: ftp://x: it is one of https://, http://, tcp://HOST:PORTS, dns:NAME
    error: tcp://10.0.0.0/8:1-9: it stands for 150994926 connections, and 65536 are the most: probe a part of it at a time
    error: example.com: what is probed is said by its beginning: https://example.com/, or dns:NAME
    error: --header: it is written 'NAME: VALUE'
    error: --expect-body is no regular expression: unclosed group
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_hosts_through_their_connections() {
    let authority = Authority::new();
    let server = WebServer::tls(&authority, Shows::Good).await;
    let sshd = Sshd::start();
    let fan = Fan::at(&sshd);
    let ca = authority.ca().display().to_string();
    let url = format!("https://127.0.0.1:{}/", server.port());
    let ran = fan.run(["probe", "--from", "-H", "all", "-o", "json", "--ca", &ca, &url]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let told = objects(&ran);
    assert_eq!(told.len(), sshd.addresses().len());
    assert!(told.iter().all(|one| one["from"].is_string() && one["status"] == 200), "{}", ran.snapshot());
    // Throw-away hosts forward nothing: that is said.
    let sandbox = sandbox([("web1", Behaviour::Normal), ("web2", Behaviour::RefuseAuth)]).await;
    let ran = Fan::of(&sandbox).run(["probe", "--from", "-H", "all", "-o", "json", "--ca", &ca, &url]);
    let told = objects(&ran);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(told[0]["problem"].as_str().unwrap().contains("[channel_refused]"), "{}", ran.snapshot());
    assert_eq!(told[1]["unreached"]["kind"], "auth_failed");
    let ran = Fan::of(&sandbox).run(["probe", "--from", "-H", "web2", &url, "--no-verify"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
}
