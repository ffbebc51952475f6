//! Reports that go to people and services: to a real mail server, and to web services of all manners.

use std::fs;

use data_encoding::BASE64;
use fan::testing::sandbox::Behaviour;
use rustix::process::Signal;
use serde_json::Value;

use crate::fixtures::mail::{MailServer, ScriptedServer};
use crate::fixtures::support::{Fan, Ran, eventually, sandbox};
use crate::fixtures::web::{Authority, Shows, WebServer};

const HOSTS: [(&str, Behaviour); 2] = [("web1", Behaviour::Normal), ("web2", Behaviour::Normal)];

/// A line of fan.yaml that names a mail server on loopback.
fn smtp(port: u16, more: &str) -> String {
    format!("smtp: {{server: \"localhost:{port}\", from: fan@example.com, {more}}}\n")
}

/// A run that ends well, with a report to someone.
fn exec(fan: &Fan, to: &str) -> Ran {
    fan.run(["exec", "-H", "web1", "--report", to, "--", "true"])
}

fn header<'a>(mail: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = mail["headers"].as_array().unwrap().iter();
    headers.filter(|header| header[0] == name).map(|header| header[1].as_str().unwrap()).collect()
}

/// The parts of a mail with their types, in order.
fn parts<'a>(body: &'a Value, all: &mut Vec<&'a Value>) {
    all.push(body);
    body["parts"].as_array().into_iter().flatten().for_each(|part| parts(part, all));
}

fn part<'a>(mail: &'a Value, kind: &str) -> &'a Value {
    let mut all = Vec::new();
    parts(&mail["body"], &mut all);
    all.into_iter()
        .find(|part| part["type"] == kind && part["name"].is_null())
        .unwrap_or_else(|| panic!("{mail}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_has_a_text_the_same_as_html_and_the_report() {
    let sandbox = sandbox(HOSTS).await;
    let server = MailServer::start(&[]);
    let fan = Fan::of(&sandbox).file("fan.yaml", smtp(server.port, "security: none"));
    let to = "mailto:ops@example.com,dev@example.com?cc=boss@example.com&bcc=audit@example.com";
    let command = "echo '<b>läuft</b>'; false";
    let ran = fan.run(["exec", "-H", "all", "--report", to, "--", command]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let mails = server.mails();
    let [mail] = mails.as_slice() else { panic!("one mail: {mails:?}") };
    assert_eq!(
        mail["to"],
        serde_json::json!(["ops@example.com", "dev@example.com", "boss@example.com", "audit@example.com"])
    );
    assert_eq!(header(mail, "To"), ["ops@example.com, dev@example.com"]);
    assert_eq!((header(mail, "Cc"), header(mail, "Bcc")), (vec!["boss@example.com"], vec![]));
    assert_eq!(header(mail, "From"), ["fan <fan@example.com>"]);
    assert_eq!(header(mail, "Auto-Submitted"), ["auto-generated"]);
    assert_eq!(header(mail, "Subject").len(), 1);
    assert!(header(mail, "Subject")[0].ends_with(": 2 failed"), "{mail}");
    assert!(header(mail, "Message-ID")[0].ends_with("@example.com>"), "{mail}");
    assert!(mail["longest"].as_u64().unwrap() <= 998, "{}", mail["longest"]);
    assert_eq!(mail["body"]["type"], "multipart/mixed");
    let text = part(mail, "text/plain")["content"].as_str().unwrap();
    assert!(text.contains("web[1-2] (2)") && text.contains("<b>läuft</b>"), "{text}");
    let html = part(mail, "text/html")["content"].as_str().unwrap();
    assert!(html.contains("&lt;b&gt;läuft") && !html.contains("<script") && !html.contains("<b>l"), "{html}");
    let mut all = Vec::new();
    parts(&mail["body"], &mut all);
    let attached: Vec<_> = all.iter().filter_map(|part| part["name"].as_str()).collect();
    assert_eq!(attached, ["report.html"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_attached_is_chosen_and_when_and_none_is_sent_otherwise() {
    let sandbox = sandbox(HOSTS).await;
    let server = MailServer::start(&[]);
    let reports = "reports:\n  ops: {to: mailto:ops@example.com, on: failure, attach: [json, xlsx, xml]}\n  dev: mailto:dev@example.com\n";
    let fan = Fan::of(&sandbox).file("fan.yaml", smtp(server.port, "security: none") + reports);
    let ran = fan.run(["exec", "-H", "web1", "--report", "ops", "--report", "out.html", "--", "true"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(fan.work().join("out.html").is_file());
    assert_eq!(
        fan.run(["exec", "-H", "web1", "--report", "ops", "--report", "dev", "--", "false"]).code,
        Some(1)
    );
    let mails = server.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    let ops = mails.iter().find(|mail| mail["to"][0] == "ops@example.com").unwrap();
    let mut all = Vec::new();
    parts(&ops["body"], &mut all);
    let attached: Vec<_> = all.iter().filter_map(|part| part["name"].as_str()).collect();
    assert_eq!(attached, ["report.json", "report.xlsx", "report.xml"]);
    let json = all.iter().find(|part| part["name"] == "report.json").unwrap()["content"].as_str().unwrap();
    let json = BASE64.decode(json.as_bytes()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&json).unwrap()["exit_code"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_a_login_and_neither_name_nor_authority_is_believed_blindly() {
    let sandbox = sandbox(HOSTS).await;
    let authority = Authority::new();
    let ca = authority.ca().display().to_string();
    for security in ["starttls", "tls"] {
        let login = ["--security", security, "--login", "fan:c4nary-of-the-vault"];
        let server = MailServer::secure(&authority, Shows::Good, &login);
        let more =
            |more: &str| format!("security: {security}, user: fan, password: {{env: SMTP_PASSWORD}}{more}");
        let fan = |more: String| {
            Fan::of(&sandbox)
                .file("fan.yaml", smtp(server.port, &more))
                .env("SMTP_PASSWORD", "c4nary-of-the-vault")
        };
        let ran = exec(&fan(more(&format!(", ca: {ca}"))), "mailto:ops@example.com");
        assert_eq!(ran.code, Some(0), "{security}: {}", ran.snapshot());
        let wrong = fan(more(&format!(", ca: {ca}"))).env("SMTP_PASSWORD", "wr0ng-canary-of-the-vault");
        let ran = exec(&wrong, "mailto:ops@example.com");
        assert_eq!(ran.code, Some(5), "{}", ran.snapshot());
        assert!(ran.stderr.contains("it refused the login of fan: 535 "), "{}", ran.snapshot());
        assert!(ran.stderr.contains("hint: see user and password in smtp of fan.yaml"), "{}", ran.snapshot());
        assert!(!(ran.stdout + &ran.stderr).contains("canary"));
        // The machine's store does not have this authority.
        let other = Authority::new();
        let ran = exec(&fan(more(&format!(", ca: {}", other.ca().display()))), "mailto:ops@example.com");
        assert_eq!(ran.code, Some(5), "{}", ran.snapshot());
        assert!(
            ran.stderr.contains("the certificate's issuer is not trusted (Test-CA)"),
            "{}",
            ran.snapshot()
        );
        let mails = server.mails();
        assert_eq!(mails.len(), 1, "{mails:?}");
        assert_eq!(mails[0]["tls"], true);
        for (shows, why) in [
            (Shows::OtherName, "the certificate is for other.example, not for localhost"),
            (Shows::Expired, "the certificate ended on 2020-02-01"),
            (Shows::SelfSigned, "the certificate is self-signed (server)"),
        ] {
            let server = MailServer::secure(&authority, shows, &login);
            let settings = more(&format!(", ca: {ca}"));
            let fan = Fan::of(&sandbox)
                .file("fan.yaml", smtp(server.port, &settings))
                .env("SMTP_PASSWORD", "c4nary-of-the-vault");
            let ran = exec(&fan, "mailto:ops@example.com");
            assert!(ran.code == Some(5) && ran.stderr.contains(why), "{shows:?}: {}", ran.snapshot());
            assert!(server.stop().is_empty(), "nobody logs in where the certificate is wrong");
        }
    }
    // A server that offers no TLS gets nothing.
    let server = MailServer::start(&[]);
    let settings = format!("ca: {ca}");
    let ran =
        exec(&Fan::of(&sandbox).file("fan.yaml", smtp(server.port, &settings)), "mailto:ops@example.com");
    assert!(ran.code == Some(5) && ran.stderr.contains("it does not offer STARTTLS"), "{}", ran.snapshot());
    assert!(server.stop().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn recipients_that_are_refused_are_named_and_the_others_get_it() {
    let sandbox = sandbox(HOSTS).await;
    let server = MailServer::start(&["--refuse", "gone@example.com", "--later", "grey@example.com"]);
    let fan = Fan::of(&sandbox).file("fan.yaml", smtp(server.port, "security: none"));
    let ran = exec(&fan, "mailto:ops@example.com,gone@example.com");
    assert_eq!(ran.code, Some(5), "{}", ran.snapshot());
    let why = "it refused gone@example.com: 550 5.1.1 no such user here; the others have it";
    assert!(ran.stderr.contains(why), "{}", ran.snapshot());
    let ran = exec(&fan, "mailto:gone@example.com");
    assert!(ran.code == Some(5) && !ran.stderr.contains("the others"), "{}", ran.snapshot());
    // A no for now is asked again.
    let ran = exec(&fan, "mailto:grey@example.com");
    assert!(ran.code == Some(5) && ran.stderr.contains("451 4.7.1 try again later"), "{}", ran.snapshot());
    let said = server.stop();
    let asked = |who: &str| said.iter().filter(|said| said["rcpt"] == who).count();
    assert_eq!((asked("ops@example.com"), asked("gone@example.com"), asked("grey@example.com")), (1, 2, 3));
    assert_eq!(said.iter().filter(|said| said.get("mail").is_some()).count(), 1);
    let server = MailServer::start(&["--refuse-mail", "552 5.3.4 too large"]);
    let fan = fan.file("fan.yaml", smtp(server.port, "security: none"));
    let ran = exec(&fan, "mailto:ops@example.com");
    assert!(ran.stderr.contains("it refused the mail: 552 5.3.4 too large"), "{}", ran.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_servers_that_are_silent_close_or_speak_something_else() {
    let sandbox = sandbox(HOSTS).await;
    let told = |server: &ScriptedServer, limit: &str| {
        let fan = Fan::of(&sandbox)
            .file("fan.yaml", smtp(server.port, &format!("security: none, timeout: {limit}")));
        let ran = exec(&fan, "mailto:ops@example.com");
        assert_eq!(ran.code, Some(5), "{}", ran.snapshot());
        assert!(ran.stderr.contains("1 ok"), "the recap stands before it: {}", ran.snapshot());
        ran.stderr
    };
    let silent = ScriptedServer::start(&[], false);
    let said = told(&silent, "8s");
    assert!(said.contains("no answer within 8.0s (waiting for its greeting)"), "{said}");
    let slow = ScriptedServer::start(&["220 hi\r\n", "250 hi\r\n", "250 ok\r\n"], false);
    let said = told(&slow, "8s");
    assert!(said.contains("no answer within 8.0s (naming the recipients)"), "{said}");
    let closing = ScriptedServer::start(&["220 hi\r\n", "250 hi\r\n", "250 ok\r\n"], true);
    let said = told(&closing, "60s");
    assert!(said.contains("it closed the connection"), "{said}");
    assert_eq!(closing.connections(), 3, "tried again, and not without end");
    let other = ScriptedServer::start(&["SSH-2.0-OpenSSH_9.2\r\n"], false);
    let said = told(&other, "60s");
    assert!(said.contains("what it says is not SMTP"), "{said}");
    // Whether it was taken is not known: it is not sent again.
    let half =
        ScriptedServer::start(&["220 hi\r\n", "250 hi\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"], true);
    told(&half, "60s");
    assert_eq!(half.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_what_it_was_when_its_report_is_not_delivered() {
    let sandbox = sandbox(HOSTS).await;
    // Nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let fan = Fan::of(&sandbox).file("fan.yaml", smtp(port, "security: none, timeout: 4s"));
    let ran = exec(&fan, "mailto:ops@example.com");
    assert_eq!(ran.code, Some(5), "{}", ran.snapshot());
    assert!(ran.stderr.contains("connection refused"), "{}", ran.snapshot());
    let history = fan.run(["history", "--json"]).stdout;
    let run: Value = serde_json::from_str(history.lines().next().unwrap())
        .unwrap_or_else(|_| serde_json::from_str::<Value>(&history).unwrap()[0].clone());
    assert_eq!(run["exit_code"], 0, "the run went well: {run}");
    let name = run["run"].as_str().unwrap();
    let hint = format!("hint: `fan report {name} mailto:ops@example.com` delivers it again");
    assert!(ran.stderr.contains(&hint), "{}", ran.snapshot());
    // And so it does.
    let server = MailServer::start(&[]);
    let fan = fan.file("fan.yaml", smtp(server.port, "security: none"));
    let ran = fan.run(["report", name, "mailto:ops@example.com", "again.md"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(fan.work().join("again.md").is_file());
    assert_eq!(server.mails().len(), 1);
    // A host that failed counts for more.
    let fan = fan.file("fan.yaml", smtp(port, "security: none, timeout: 4s"));
    let ran = fan.run(["exec", "-H", "web1", "--report", "mailto:ops@example.com", "--", "false"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_server_that_is_silent_may_leave() {
    let sandbox = sandbox(HOSTS).await;
    let silent = ScriptedServer::start(&[], false);
    let fan = Fan::of(&sandbox).file("fan.yaml", smtp(silent.port, "security: none, timeout: 10m"));
    let started = fan.start(["exec", "-H", "web1", "--report", "mailto:ops@example.com", "--", "true"]);
    eventually("the mail server is asked", || (silent.connections() > 0).then_some(()));
    started.signal(Signal::INT);
    let ran = started.finish();
    assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
    assert!(
        ran.stderr.contains("the report was not delivered to mailto:ops@example.com: stopped"),
        "{}",
        ran.snapshot()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_service_gets_json_or_what_a_template_makes_of_it() {
    let sandbox = sandbox(HOSTS).await;
    let server = WebServer::plain().await;
    let at = |path: &str| format!("http://localhost:{}{path}", server.port());
    let own = "{\"alert\": {{ subject }}, \"run\": {{ report.run }}, \"bad\": {{ failed }}}";
    let reports = format!(
        "reports:\n  json: {{to: {}, bearer: {{env: TOKEN}}, headers: {{X-Team: ops}}}}\n  slack: {{to: {{env: HOOK}}, template: slack}}\n  \
         teams: {{to: {}, template: teams}}\n  room: {{to: {}, template: matrix, bearer: {{env: TOKEN}}}}\n  own: {{to: {}, template: own.json.j2}}\n",
        at("/json"),
        at("/teams"),
        at("/rooms/!a:b/send/m.room.message"),
        at("/own"),
    );
    let fan = Fan::of(&sandbox)
        .file("fan.yaml", reports)
        .file("own.json.j2", own)
        .env("TOKEN", "c4nary-token")
        .env("HOOK", &at("/slack/c4nary-hook"));
    let names = ["json", "slack", "teams", "room", "own"];
    let mut args = vec!["exec", "-H", "web1"];
    names.iter().for_each(|name| args.extend(["--report", name]));
    args.extend(["--", "echo out; false"]);
    let ran = fan.run(args);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(!ran.stderr.contains("delivered"), "{}", ran.snapshot());
    let requests = server.requests();
    let of = |path: &str| {
        let request =
            requests.iter().find(|request| request.split(' ').nth(1).unwrap().starts_with(path)).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: application/json"), "{head}");
        (head.to_owned(), serde_json::from_str::<Value>(body).unwrap())
    };
    let (head, json) = of("/json");
    assert!(
        head.starts_with("POST ")
            && head.contains("authorization: Bearer c4nary-token")
            && head.contains("x-team: ops"),
        "{head}"
    );
    assert_eq!((&json["schema"], &json["exit_code"]), (&Value::from(1), &Value::from(1)));
    let (_, slack) = of("/slack/c4nary-hook");
    assert!(slack["text"].as_str().unwrap().contains("1 failed"), "{slack}");
    let (_, teams) = of("/teams");
    assert_eq!(teams["attachments"][0]["content"]["type"], "AdaptiveCard");
    let (head, matrix) = of("/rooms/!a:b/send/m.room.message/");
    assert!(head.starts_with("PUT ") && head.contains("authorization: Bearer c4nary-token"), "{head}");
    assert_eq!(matrix["msgtype"], "m.notice");
    let (_, own) = of("/own");
    assert_eq!((&own["bad"], &own["run"]), (&Value::from(true), &json["run"]));
    // And the same report again, from the record.
    let ran = fan.run(["report", "last", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(server.requests().len(), requests.len() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn web_services_that_refuse_redirect_or_are_not_who_they_should_be() {
    let sandbox = sandbox(HOSTS).await;
    let server = WebServer::plain().await;
    let other = WebServer::plain().await;
    let at = |path: &str| format!("http://localhost:{}{path}", server.port());
    let fan = Fan::of(&sandbox);
    let told = |url: &str| {
        let before = server.connections();
        let ran = exec(&fan, url);
        assert!(!ran.stderr.contains("/status?") && !ran.stderr.contains("/kept?"), "{}", ran.snapshot());
        (ran.code, ran.stderr, server.connections() - before)
    };
    let (code, said, asked) = told(&at("/status?403"));
    assert_eq!((code, asked), (Some(5), 1), "{said}");
    assert!(
        said.contains("it responds with status 403: body") && said.contains("hint: bearer and headers"),
        "{said}"
    );
    let (code, said, asked) = told(&at("/status?503"));
    assert_eq!((code, asked), (Some(5), 3), "{said}");
    assert!(said.contains("it responds with status 503"), "{said}");
    assert_eq!(told(&at("/kept?/here")).0, Some(0));
    let (code, said, _) = told(&at(&format!("/kept?http://localhost:{}/", other.port())));
    assert!(code == Some(5) && said.contains("where the report is not sent"), "{said}");
    assert_eq!(other.connections(), 0);
    let (code, said, _) = told(&at("/kept?/kept?/kept?/kept?/kept?/kept?/kept?/kept"));
    assert_eq!(code, Some(5), "{said}");
    let (code, said, _) = told(&at("/to?/there"));
    assert!(
        code == Some(5) && said.contains("it responds with status 302") && said.contains("loses the report"),
        "{said}"
    );
    let (code, said, _) = told(&at("/garbage"));
    assert!(code == Some(5) && said.contains("the response is not HTTP"), "{said}");
    let silent = "reports: {slow: {to: \"http://localhost:PORT/hang\", timeout: 3s}}\n";
    let fan = fan.file("fan.yaml", silent.replace("PORT", &server.port().to_string()));
    let ran = exec(&fan, "slow");
    assert!(ran.code == Some(5) && ran.stderr.contains("no answer within 3.0s"), "{}", ran.snapshot());
    // Certificates.
    let authority = Authority::new();
    let secure = WebServer::tls(&authority, Shows::OtherName).await;
    let good = WebServer::tls(&authority, Shows::Good).await;
    let yaml = format!(
        "reports:\n  wrong: {{to: \"https://localhost:{}/\", ca: {ca}}}\n  good: {{to: \"https://localhost:{}/\", ca: {ca}}}\n",
        secure.port(),
        good.port(),
        ca = authority.ca().display(),
    );
    let fan = fan.file("fan.yaml", yaml);
    let ran = exec(&fan, "wrong");
    assert!(
        ran.stderr.contains("the certificate is for other.example, not for localhost"),
        "{}",
        ran.snapshot()
    );
    assert_eq!((ran.code, secure.requests().len()), (Some(5), 0));
    assert_eq!(exec(&fan, "good").code, Some(0));
    assert_eq!(good.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_target_is_told_before_any_host_is_contacted() {
    let sandbox = sandbox(HOSTS).await;
    let yaml = "\
smtp: {server: mail.example.com, from: fan@example.com, security: none, user: fan, password: {env: NOT_SET}}
reports:
  a: {to: mailto:ops, on: never}
  b: {on: failure}
  c: {to: \"mailto:ops@example.com\", template: slack, bearer: topsecret}
  d: {to: \"ftp://x\"}
  e.html: mailto:ops@example.com
  f: {to: \"https://example.com\", headers: {Authorization: topsecret}, attach: html, timeout: none}
  g: {to: topsecret.html}
";
    let fan = Fan::of(&sandbox).file("fan.yaml", yaml);
    let ran = exec(&fan, "a");
    assert!(!ran.stderr.contains("topsecret\""), "{}", ran.snapshot());
    insta::assert_snapshot!(ran.snapshot());
    let good = "\
smtp: {server: mail.example.com, from: fan@example.com, security: none, user: fan, password: {env: NOT_SET}}
reports:
  ops: mailto:ops@example.com
  bad: {to: \"https://example.com/\", template: missing.j2}
  attached: {to: \"mailto:ops@example.com\", attach: pdf}
  secret: {to: {env: NOT_SET}}
  clear: http://example.com/hook/topsecret
";
    let fan = fan.file("fan.yaml", good).file("missing.json", "{{");
    let mut all = String::new();
    for to in [
        "osp",
        "mailto:ops@example.com",
        "bad",
        "attached",
        "secret",
        "clear",
        "http://example.com/hook/topsecret",
        "mailto:ops",
        "smtp://example.com",
    ] {
        let ran = exec(&fan, to);
        assert_eq!(ran.code, Some(2), "{to}: {}", ran.snapshot());
        assert!(!ran.stderr.contains("topsecret"), "{}", ran.snapshot());
        all += &format!("--report {}\n{}\n", to.replace("topsecret", "..."), ran.stderr);
    }
    insta::assert_snapshot!(all);
    assert_eq!(fan.run(["history", "--json"]).stdout.matches("\"run\"").count(), 0, "nothing ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_a_web_service_is_written_down_nowhere() {
    let sandbox = sandbox(HOSTS).await;
    let server = WebServer::plain().await;
    let tasks = "tasks:\n  t:\n    hosts: [all]\n    steps:\n      - run: test -e DIR/there\n";
    let fan = Fan::of(&sandbox);
    let dir = fan.work().display().to_string();
    let fan = fan.file("tasks.yaml", tasks.replace("DIR", &dir));
    let url = format!("http://localhost:{}/hook/c4nary-of-the-hook", server.port());
    let ran = fan.run(["run", "t", "--report", &url, "--report", "events.jsonl", "--report", "r.json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert_eq!(server.requests().len(), 1);
    let mut written = ran.stdout + &ran.stderr;
    let mut folders = vec![fan.home(), fan.work()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => written += &String::from_utf8_lossy(&fs::read(path).unwrap()),
            }
        }
    }
    assert!(written.contains("\"t\"") && !written.contains("c4nary"), "{written}");
    // Who goes on is told that nothing is sent there, or says again where.
    let fan = fan.file("there", "");
    let ran = fan.run(["resume"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(ran.stderr.contains("such an address is not recorded"), "{}", ran.snapshot());
    assert_eq!(server.requests().len(), 1);
    let ran = fan.env("FAN_REPORT", &url).run(["config"]);
    assert!(ran.stdout.contains("http://localhost") && !ran.stdout.contains("c4nary"), "{}", ran.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_with_reports_sends_them_alike() {
    let sandbox = sandbox(HOSTS).await;
    let server = MailServer::start(&[]);
    let web = WebServer::plain().await;
    let reports = format!(
        "reports:\n  ops: {{to: \"mailto:ops@example.com\", on: [failure, change], attach: []}}\n  every: {{to: \"mailto:ops@example.com\", on: [always], attach: []}}\n  hook: \"http://localhost:{}/\"\n",
        web.port()
    );
    let fan = Fan::of(&sandbox).file("fan.yaml", smtp(server.port, "security: none") + &reports);
    for (line, code) in [
        ("diff -H all --report ops --report hook -- echo same", 0),
        ("diff -H all --report ops --report hook -- pwd", 10),
        ("facts -H all --save", 0),
        ("fleet report hook every", 0),
        ("exec -H all --report one.jsonl --report ops -- true", 0),
        ("report one.jsonl hook", 0),
        ("report merge one.jsonl -o hook", 0),
        ("probe tcp://127.0.0.1:1 --report ops --report hook", 1),
        ("probe tcp://127.0.0.1:1 --report ops --watch=10ms --rounds 3", 1),
    ] {
        let ran = fan.run(line.split(' '));
        assert_eq!(ran.code, Some(code), "{line}: {}", ran.snapshot());
    }
    // How full the disks of this machine are is its own affair.
    let short = |subject: &str| subject.split(", ").next().unwrap().to_owned();
    let subjects: Vec<String> = server.mails().iter().map(|mail| short(header(mail, "Subject")[0])).collect();
    assert_eq!(
        subjects,
        [
            "diff of pwd: 1 difference on 2 hosts",
            "fleet: 2 hosts",
            "probe: 1 of 1 not well",
            "probe: 1 of 1 not well"
        ]
    );
    assert_eq!(web.requests().len(), 6);
    for request in web.requests() {
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<Value>(body).unwrap();
    }
}
