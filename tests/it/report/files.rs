//! `--report`: every kind from a real run, read by other programs; pages in a real browser.

use std::path::Path;
use std::process::Command;

use fan::testing::sandbox::Behaviour;
use rustix::process::Signal;

use crate::fixtures::support::{Fan, eventually, output, sandbox};

const TASKS: &str = "
tasks:
  look:
    steps:
      - run: echo same
      - run: |
          echo '<img src=x onerror=alert(1)> </script> =1+1'
          test {{ host }} != web3
";

const KINDS: [&str; 6] = ["html", "json", "xml", "md", "csv", "xlsx"];

/// What a program makes of a file.
fn python(script: &str, file: &Path) -> String {
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(file);
    let out = output(command, b"");
    assert_eq!(out.code, Some(0), "{}", out.stderr);
    String::from_utf8(out.stdout).unwrap()
}

/// The page as a browser without network has it when its script has run.
#[cfg(target_os = "linux")]
fn browsed(page: &Path) -> String {
    let profile = tempfile::tempdir().unwrap();
    let names = ["google-chrome", "chromium", "chromium-browser"];
    let path = std::env::var_os("PATH").unwrap();
    let browser = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|browser| browser.exists())
        .expect("a browser: tests/setup.sh installs one");
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"]);
    command.args(["--virtual-time-budget=20000", "--proxy-server=127.0.0.1:1"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.arg(format!("file://{}", page.display()));
    String::from_utf8(output(command, b"").stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_read_by_other_programs() {
    let sandbox = sandbox(["web1", "web2", "web3"].map(|name| (name, Behaviour::Normal))).await;
    let fan = Fan::of(&sandbox).file("tasks.yaml", TASKS).file("report.json", "of yesterday");
    let mut args =
        vec!["run".to_owned(), "-q".to_owned(), "-H".to_owned(), "web*".to_owned(), "look".to_owned()];
    for kind in KINDS {
        args.extend(["--report".to_owned(), format!("report.{kind}")]);
    }
    let ran = fan.run(&args);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let file = |kind: &str| fan.work().join(format!("report.{kind}"));

    let json = python(
        "import json,sys; r=json.load(open(sys.argv[1])); print(r['counts']['ok'], r['counts']['failed'], \
         [h['status'] for h in r['hosts']], repr(r['texts'][r['hosts'][0]['steps'][0]['stdout']]['text']))",
        &file("json"),
    );
    assert_eq!(json, "2 1 ['ok', 'ok', 'failed'] 'same\\n'\n");
    let junit = python(
        "import sys; from xml.etree import ElementTree as E; r=E.parse(sys.argv[1]).getroot()\n\
         print(r.get('tests'), r.get('failures'), r.get('errors'))\n\
         for c in r.iter('testcase'): print(c.get('classname'), [e.tag for e in c], (c.findtext('system-out') or '').strip())",
        &file("xml"),
    );
    insta::assert_snapshot!(junit, @r"
    6 1 0
    web1 ['system-out'] same
    web1 ['system-out'] <img src=x onerror=alert(1)> </script> =1+1
    web2 ['system-out'] same
    web2 ['system-out'] <img src=x onerror=alert(1)> </script> =1+1
    web3 ['system-out'] same
    web3 ['failure', 'system-out'] <img src=x onerror=alert(1)> </script> =1+1
    ");
    let csv = python(
        "import csv,sys; rows=list(csv.DictReader(open(sys.argv[1], newline='')))\n\
         print(len(rows), [(r['host'], r['step'], r['status'], r['exit']) for r in rows][-1])",
        &file("csv"),
    );
    assert_eq!(csv, "6 ('web3', '2', 'failed', '1')\n");
    let xlsx = python(
        "import sys,zipfile; from xml.etree import ElementTree as E; z=zipfile.ZipFile(sys.argv[1])\n\
         assert z.testzip() is None\n\
         for n in z.namelist(): E.fromstring(z.read(n))\n\
         n='{http://schemas.openxmlformats.org/spreadsheetml/2006/main}'\n\
         t=[''.join(s.itertext()) for s in E.fromstring(z.read('xl/sharedStrings.xml')).iter(n+'si')]\n\
         v=lambda c: t[int(c.find(n+'v').text)] if c.get('t')=='s' else c.find(n+'v').text\n\
         s=E.fromstring(z.read('xl/worksheets/sheet1.xml'))\n\
         for r in s.iter(n+'row'): print([v(c) for c in r.iter(n+'c')][:5])\n\
         assert not list(E.fromstring(z.read('xl/worksheets/sheet2.xml')).iter(n+'f'))",
        &file("xlsx"),
    );
    insta::assert_snapshot!(xlsx, @r"
    ['host', 'status', 'steps_done', 'steps_total', 'changed']
    ['web1', 'ok', '2', '2', '2']
    ['web2', 'ok', '2', '2', '2']
    ['web3', 'failed', '1', '2', '1']
    ");
    let markdown = std::fs::read_to_string(file("md")).unwrap();
    assert!(markdown.contains("| web3 | failed | 1/2 | 1 |"), "{markdown}");
    // Nothing else is left behind.
    let left: Vec<_> =
        std::fs::read_dir(fan.work()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), KINDS.len() + 2, "{left:?}");
}

/// However long a run was, no number stands twice at the axis; colours are explained, and red is for what went wrong.
#[cfg(target_os = "linux")]
#[test]
fn the_page_of_runs_of_all_lengths() {
    for (ms, marks) in [
        (0, "0 ms"),
        (3, "0 ms|1 ms|2 ms|3 ms"),
        (300, "0 ms|50 ms|100 ms|150 ms|200 ms|250 ms|300 ms"),
        (1_500, "0.0 s|0.5 s|1.0 s|1.5 s"),
        (61_000, "0 s|15 s|30 s|45 s|60 s"),
        (7_500_000, "0 m|30 m|60 m|90 m|120 m"),
    ] {
        let step = r#""action":"run","title":"x","position":{"file":"t.yaml","line":1,"column":1}"#;
        let lines = [
            format!(
                r#"{{"at_ms":0,"event":"run_started","schema":1,"run":"01J","title":"t","started_at":"2026-01-02T03:04:05Z","hosts":["web1","web2"],"tasks":[{{"name":"t","steps":[{{{step}}}],"hosts":[0,1]}}],"pool":8}}"#
            ),
            r#"{"at_ms":0,"event":"step_started","host":"web1","task":0,"step":0}"#.to_owned(),
            format!(
                r#"{{"at_ms":{ms},"event":"step_finished","host":"web1","task":0,"step":0,"outcome":{{"status":"changed","elapsed_ms":{ms}}}}}"#
            ),
            format!(
                r#"{{"at_ms":{ms},"event":"host_finished","host":"web1","outcome":{{"status":"ok","started":true}}}}"#
            ),
            format!(
                r#"{{"at_ms":{ms},"event":"host_finished","host":"web2","outcome":{{"status":"skipped","failure":{{"kind":"dependency","message":"not begun: 1 of 2 hosts failed"}},"started":false}}}}"#
            ),
            format!(r#"{{"at_ms":{ms},"event":"run_finished"}}"#),
        ];
        let fan = Fan::new().file("run.jsonl", lines.join("\n") + "\n");
        let ran = fan.run(["report", "run.jsonl", "report.html"]);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        let page = browsed(&fan.work().join("report.html"));
        let (_, axis) = page.split_once("class=\"row axis\"").unwrap();
        let (axis, rest) = axis.split_once("</div>").unwrap();
        let shown: Vec<&str> =
            axis.split("</span>").filter_map(|part| Some(part.rsplit_once('>')?.1)).collect();
        let shown: Vec<&str> = shown.into_iter().filter(|text| !text.is_empty()).collect();
        assert_eq!(shown.join("|"), marks, "{axis}");
        assert!(rest.contains("</button>") && page.contains("<article class=\"skipped\">"), "{page}");
        let (_, legend) = page.split_once("id=\"legend\"").unwrap();
        assert!(legend.contains("class=\"key changed\"") && !legend.contains("key failed"), "{page}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_a_browser() {
    let sandbox = sandbox(["web1", "web2", "web3"].map(|name| (name, Behaviour::Normal))).await;
    let fan = Fan::of(&sandbox).file("tasks.yaml", TASKS);
    let ran = fan.run(["run", "-q", "--report", "report.html", "-H", "web*", "look"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let page = browsed(&fan.work().join("report.html"));
    assert!(page.contains("data-ready=\"yes\""), "the script ran to its end:\n{page}");
    assert_eq!(page.matches("class=\"row\"").count(), 3, "{page}");
    assert!(page.contains("<h3>web[1-2] (2) <span class=\"changed\">changed</span></h3>"), "{page}");
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt; &lt;/script&gt; =1+1"), "{page}");
    assert_eq!(page.matches("<img").count(), 0, "{page}");
    assert_eq!(page.matches("<path").count(), 3 * 2 + 1, "connecting and each status, per host:\n{page}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_shows_odd_hosts_against_the_majority() {
    let sandbox = sandbox(["web1", "web2", "web3", "web4"].map(|name| (name, Behaviour::Normal))).await;
    for (at, last) in [(2, "<b>odd</b>\n"), (3, "8\n")] {
        std::fs::write(sandbox.hosts()[at].home.join("last"), last).unwrap();
    }
    let fan = Fan::of(&sandbox);
    let script = "seq 1 7; cat last 2> /dev/null || echo 8; echo end; test ! -e last";
    let ran = fan.run(["exec", "-q", "--report", "report.html", "-H", "web*", "--", script]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let page = browsed(&fan.work().join("report.html"));
    let odd = page.split_once("<h3>web3 (1) ").map(|(_, after)| after).unwrap_or_default();
    let shown = "<p class=\"dim\">against the majority</p><pre><span>⋯</span>\n<span> 6</span>\n\
                 <span> 7</span>\n<span class=\"del\">-8</span>\n<span class=\"add\">+&lt;b&gt;odd&lt;/b&gt;</span>\n\
                 <span> end</span>\n</pre><details><summary class=\"dim\">all of it</summary><pre>1\n";
    assert!(odd.contains(shown), "{page}");
    // web4 said the same and failed.
    assert_eq!(page.matches("against the majority</p>").count(), 1, "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_checked_before_contact_all_at_once() {
    let sandbox = sandbox([("web1", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox).file("folder.html/x", "");
    let mut args = vec!["exec"];
    for report in ["a.pdf", "a.json", "a.json", "folder.html", "none/here.xml", "plain"] {
        args.extend(["--report", report]);
    }
    args.extend(["-H", "web1", "--", "echo ran > ran"]);
    insta::assert_snapshot!(fan.run(&args).snapshot());
    assert!(!sandbox.hosts()[0].home.join("ran").exists());
    assert!(!fan.work().join("a.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_cannot_be_written_is_an_error_and_leaves_the_old_one() {
    let sandbox = sandbox([("web1", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox).file("out/report.json", "of yesterday");
    let folder = fan.work().join("out");
    // The folder goes away while the command runs: on the host, which is this machine.
    let script = format!("mv '{0}' '{0}.gone'", folder.display());
    let fan = fan.hide(folder.display(), "<out>");
    let ran =
        fan.run(["exec", "--format", "lines", "--report", "out/report.json", "-H", "web1", "--", &script]);
    assert_eq!(ran.code, Some(5), "{}", ran.snapshot());
    assert!(ran.stderr.contains("error: the output could not be written\n  caused by: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("out/report.json: "), "{}", ran.stderr);
    let old = folder.with_extension("gone").join("report.json");
    assert_eq!(std::fs::read_to_string(old).unwrap(), "of yesterday");
    // When hosts failed too, they decide, and the error is told all the same.
    std::fs::create_dir(&folder).unwrap();
    let script = format!("mv '{0}' '{0}.gone2'; exit 3", folder.display());
    let ran =
        fan.run(["exec", "--format", "lines", "--report", "out/report.json", "-H", "web1", "--", &script]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("error: the output could not be written\n"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn githubs_summary_is_added_to() {
    let sandbox = sandbox([("web1", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox).file("summary.md", "before\n").env("GITHUB_ACTIONS", "true");
    let path = fan.work().join("summary.md");
    let fan = fan.env("GITHUB_STEP_SUMMARY", path.to_str().unwrap());
    assert_eq!(fan.run(["exec", "-H", "web1", "--", "echo data"]).stdout, "web1 | data\n");
    let summary = std::fs::read_to_string(&path).unwrap();
    assert!(summary.starts_with("before\n# exec echo data\n\n**1 ok** · 1 host · "), "{summary}");
    // One that cannot be written fails nothing.
    let fan = fan.env("GITHUB_STEP_SUMMARY", "/none/such");
    let ran = fan.run(["exec", "-H", "web1", "--", "true"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.contains("warning: cannot write the summary /none/such: "), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_leaves_its_report() {
    let sandbox = sandbox(["web1", "web2"].map(|name| (name, Behaviour::Normal))).await;
    let fan = Fan::of(&sandbox);
    let args =
        ["exec", "-b", "--report", "r.json", "-H", "web*", "--", "echo said; touch began; exec sleep 600"];
    let started = fan.start(args);
    for host in sandbox.hosts() {
        eventually("the command runs", || host.home.join("began").exists().then_some(()));
    }
    started.signal(Signal::INT);
    let ran = started.finish();
    assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fan.work().join("r.json")).unwrap()).unwrap();
    assert_eq!(report["cancelled"], "interrupt");
    assert_eq!(report["counts"]["cancelled"], 2, "{report}");
    assert_eq!(report["texts"][0]["text"], "said\n");
    assert!(ran.stdout.contains("web[1-2] (2): cancelled\n  | said\n"), "{}", ran.stdout);
}
