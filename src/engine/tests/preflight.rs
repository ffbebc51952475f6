//! What a plan needs of local files, over folders that are made for each test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use crate::engine::plan::Plan;
use crate::engine::preflight::preflight;
use crate::engine::tests::{plan, raw, step};
use crate::model::files::{Attributes, Get, Install, Put, Sync, TemplateFile, TreeRules};
use crate::model::position::{Located, Position};
use crate::model::task::{Action, Command, Step, TemplateText};
use crate::model::template::Layer;
use crate::model::value::Value;

fn at(line: u32, text: &str) -> TemplateText {
    Located::new(Arc::from(text), Position::new("tasks.yaml", line, 3))
}

fn many(line: u32, texts: &[&str]) -> Vec<TemplateText> {
    texts.iter().map(|text| at(line, text)).collect()
}

fn many_globs(line: u32, texts: &[&str]) -> Vec<Located<String>> {
    let at = |text: &&str| Located::new((*text).to_owned(), Position::new("tasks.yaml", line, 3));
    texts.iter().map(at).collect()
}

fn put(line: u32, from: &[&str]) -> Step {
    step(Action::Put(Put {
        from: many(line, from),
        to: at(line, "/srv/"),
        tree: TreeRules::default(),
        attributes: Attributes::default(),
        install: Install::default(),
    }))
}

fn sync(line: u32, from: &str) -> Step {
    step(Action::Sync(Sync {
        from: at(line, from),
        to: at(line, "/srv"),
        delete: false,
        tree: TreeRules::default(),
        attributes: Attributes::default(),
    }))
}

fn template(line: u32, from: &str) -> Step {
    step(Action::Template(TemplateFile {
        from: at(line, from),
        tag_lines: Default::default(),
        to: at(line, "/etc/app.conf"),
        attributes: Attributes::default(),
        install: Install::default(),
    }))
}

fn get(line: u32, from: &[&str], to: &str) -> Step {
    step(Action::Get(Get { from: many(line, from), to: at(line, to), tree: TreeRules::default() }))
}

fn local() -> Step {
    step(Action::Local(Command::Raw(Arc::from("make"))))
}

fn when(condition: &str, step: Step) -> Step {
    Step { when: Some(at(9, condition)), ..step }
}

fn register(name: &str, step: Step) -> Step {
    Step { register: Some(Located::new(name.to_owned(), step.position.clone())), ..step }
}

fn vars(value: Value) -> Layer {
    match value {
        Value::Object(vars) => Layer::new(&vars),
        other => panic!("{other} is no map"),
    }
}

/// What is said about tasks of three hosts whose file stands in a folder.
fn said(folder: &TempDir, tasks: Vec<Vec<Step>>) -> String {
    said_of(folder, plan(3, tasks))
}

fn said_of(folder: &TempDir, mut plan: Plan) -> String {
    for task in &mut plan.tasks {
        for planned in &mut task.steps {
            planned.step.position.file = Arc::from(folder.path().join("tasks.yaml").to_str().unwrap());
        }
    }
    let problems = preflight(&plan);
    let said = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    said.replace(&format!("{}", folder.path().display()), "T")
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn what_is_sent_must_be_there() {
    let folder = folder(&[("app.tgz", ""), ("dist/a", ""), ("h1.conf", ""), ("in/app.tgz", "")]);
    let fine = vec![
        put(1, &["app.tgz", "dist", "dist/", "app*.tgz"]),
        sync(2, "dist"),
        raw("x"),
        put(3, &["{{ out.stdout }}"]),
    ];
    assert_eq!(said(&folder, vec![fine]), "");
    insta::assert_snapshot!(said(&folder, vec![
        vec![put(1, &["app.tgz", "app.tar"]), put(2, &["{{ host }}.conf"]), put(3, &["app.tgz/"])],
        vec![sync(4, "app.tgz"), sync(5, "site"), put(6, &["{{ '' }}"])],
        vec![put(7, &["x", "nothing-*.gz", "app.tgz", "in/app.tgz", "[a"])],
    ]), @r#"
    tasks.yaml:1:3: error: cannot read T/app.tar: no such file or folder
    tasks.yaml:2:3: error: cannot read T/h0.conf: no such file or folder (on h0)
    tasks.yaml:2:3: error: cannot read T/h2.conf: no such file or folder (on h2)
    tasks.yaml:3:3: error: app.tgz/ ends in "/", but is a file
    tasks.yaml:4:3: error: T/app.tgz is not a folder
    tasks.yaml:5:3: error: cannot read T/site: no such file or folder
    tasks.yaml:6:3: error: an empty path names no file
    tasks.yaml:7:3: error: T/app.tgz and T/in/app.tgz have the same name
    tasks.yaml:7:3: error: cannot read T/x: no such file or folder
    tasks.yaml:7:3: error: nothing matches nothing-*.gz
    tasks.yaml:7:3: error: pattern "[a": unclosed character class; missing ']'
    "#);
    let mut plan = plan(2, vec![vec![put(1, &["~/app.tgz", "~/none"]), sync(2, "~"), template(3, "~/none")]]);
    plan.home = Some(folder.path().to_owned());
    insta::assert_snapshot!(said_of(&folder, plan), @"
    tasks.yaml:1:3: error: cannot read T/none: no such file or folder
    tasks.yaml:3:3: error: cannot read T/none: no such file or folder
    ");
}

#[test]
fn globs_of_what_is_left_out_must_be_readable() {
    let folder = folder(&[("dist/a", "")]);
    let rules = || TreeRules { exclude: many_globs(1, &["*.log", "[é]", "a//b"]), ..TreeRules::default() };
    let mut steps = vec![put(1, &["dist"]), sync(2, "dist"), get(3, &["/a"], "{{ host }}")];
    for step in &mut steps {
        match &mut step.action {
            Action::Put(put) => put.tree = rules(),
            Action::Sync(sync) => sync.tree = rules(),
            Action::Get(get) => get.tree = rules(),
            _ => {}
        }
    }
    insta::assert_snapshot!(said(&folder, vec![steps]), @r#"
    tasks.yaml:1:3: error: pattern "[é]": "[...]" takes ASCII characters only, got 'é'
    tasks.yaml:1:3: error: pattern "a//b": holds an empty name: it would never match
    "#);
}

#[test]
fn what_an_earlier_step_may_make_is_not_asked_for() {
    let folder = folder(&[]);
    for maker in [local(), get(1, &["/etc/app"], "{{ host }}/")] {
        assert_eq!(
            said(&folder, vec![vec![maker, put(2, &["app"])], vec![template(3, "x"), sync(4, "y")]]),
            ""
        );
    }
    let late = said(&folder, vec![vec![put(1, &["app"]), local()]]);
    assert_eq!(late, "tasks.yaml:1:3: error: cannot read T/app: no such file or folder");
}

#[test]
fn a_step_that_is_skipped_needs_nothing() {
    let folder = folder(&[]);
    let only = |condition: &str| said(&folder, vec![vec![when(condition, put(1, &["app"]))]]);
    assert_eq!(only("false"), "");
    assert_eq!(
        only("host == 'h1'"),
        "tasks.yaml:1:3: error: cannot read T/app: no such file or folder (on h1)"
    );
    let steps = |name: &str| vec![register(name, raw("x")), when("out.ok", put(1, &["app"]))];
    assert_eq!(said(&folder, vec![steps("out")]), "", "nobody knows before the run");
}

#[test]
fn what_is_not_known_before_the_run_is_left_to_it() {
    let folder = folder(&[]);
    let steps = || vec![register("out", raw("x")), put(1, &["{{ out.stdout | default('app') }}"])];
    assert_eq!(said(&folder, vec![steps()]), "");
    // The command line wins over what a step gives.
    let mut plan = plan(2, vec![steps()]);
    plan.extra_vars = vars(json!({"out": {"stdout": "given"}}));
    assert_eq!(said_of(&folder, plan), "tasks.yaml:1:3: error: cannot read T/given: no such file or folder");
}

#[test]
fn templates_in_files_are_checked_where_they_stand() {
    let folder = folder(&[
        ("good", "{{ app }} {{ host }} {% for h in hosts %}{{ h }}{% endfor %} {{ x | default(1) }}"),
        ("late", "{{ out.rc }}"),
        ("names", "# {{ \"ap\" }}\nlisten {{ app }};\n  root {{ rot }} {{ rot }} {{ prot }};\n"),
        ("syntax", "a\n  {% if app %}\n"),
        ("dir/x", ""),
    ]);
    fs::write(folder.path().join("binary"), b"\xff\xfe").unwrap();
    fs::write(folder.path().join("long"), vec![b'x'; 1024 * 1024 + 1]).unwrap();
    let mut plan = plan(
        3,
        vec![vec![
            template(1, "good"),
            template(2, "names"),
            template(3, "syntax"),
            template(4, "binary"),
            template(5, "dir"),
            template(6, "none"),
            template(7, "long"),
            register("out", raw("x")),
            template(8, "late"),
        ]],
    );
    for host in &mut plan.hosts {
        host.vars = vars(json!({"app": "shop", "port": 1}));
    }
    plan.hosts[1].vars = vars(json!({"app": "shop", "rot": "/"}));
    insta::assert_snapshot!(said_of(&folder, plan), @r#"
    T/names:3:11: error: undefined variable "rot" (on h0, h2) (help: define it in `vars:`, or with -e rot=VALUE)
    T/names:3:31: error: undefined variable "prot" (help: did you mean "port"?)
    T/syntax:2:3: error: a block is not ended (help: end {% if %} with {% endif %} and {% for %} with {% endfor %})
    tasks.yaml:4:3: error: T/binary is not UTF-8 text (help: `put` sends files as they are)
    tasks.yaml:5:3: error: T/dir is not a file
    tasks.yaml:6:3: error: cannot read T/none: no such file or folder
    tasks.yaml:7:3: error: T/long is larger than 1024 KiB, the limit of a template (help: `put` sends files of any size as they are)
    "#);
}

#[test]
fn hosts_do_not_write_to_one_local_path() {
    let folder = folder(&[("here/x", "")]);
    for apart in ["logs/{{ host }}/", "logs/{{ host }}.log", "{{ out.stdout }}/"] {
        assert_eq!(said(&folder, vec![vec![register("out", raw("x")), get(1, &["/var/log/a"], apart)]]), "");
    }
    assert_eq!(said(&folder, vec![vec![get(1, &["/var/log/{{ host }}.log"], "logs/")]]), "");
    assert_eq!(said(&folder, vec![vec![when("host == 'h1'", get(1, &["/a"], "logs/"))]]), "");
    // Twice by one host is meant.
    let again = when("host == 'h1'", get(1, &["/a"], "logs/"));
    assert_eq!(said(&folder, vec![vec![again.clone(), raw("x"), again]]), "");
    let one_each = [when("host == 'h1'", get(1, &["/a"], "x")), when("host == 'h2'", get(2, &["/b"], "./x"))];
    insta::assert_snapshot!(said(&folder, vec![
        vec![get(1, &["/var/log/app.log"], "logs/"), get(2, &["/a", "/b"], "two"), get(3, &["/a"], "a.log")],
        vec![get(4, &["/etc/x"], "here"), get(5, &["/etc/"], "here"), get(6, &["/var/log/*.gz"], "gz")],
        one_each.to_vec(),
    ]), @r#"
    tasks.yaml:1:3: error: 3 hosts would write to T/logs/app.log: h0, h1, h2 (help: put {{ host }} in "to", as in "logs/{{ host }}/")
    tasks.yaml:2:3: error: 3 hosts would write to T/two/a: h0, h1, h2 (help: put {{ host }} in "to", as in "two/{{ host }}/")
    tasks.yaml:2:3: error: two hosts would write to T/x: h1, h2 (help: put {{ host }} in "to", as in "./{{ host }}/")
    tasks.yaml:3:3: error: 3 hosts would write to T/a.log: h0, h1, h2 (help: put {{ host }} in "to", as in "{{ host }}/")
    tasks.yaml:4:3: error: 3 hosts would write to T/here/x: h0, h1, h2 (help: put {{ host }} in "to", as in "here/{{ host }}/")
    tasks.yaml:5:3: error: 3 hosts would write to T/here: h0, h1, h2 (help: put {{ host }} in "to", as in "here/{{ host }}/")
    tasks.yaml:6:3: error: 3 hosts would write to T/gz/*.gz: h0, h1, h2 (help: put {{ host }} in "to", as in "gz/{{ host }}/")
    "#);
    // The command line has its own words.
    let mut from_command_line = get(0, &["/a"], "/tmp/");
    from_command_line.position = Position::new("", 0, 0);
    let said = said(&folder, vec![vec![from_command_line]]);
    assert_eq!(
        said,
        "error: 3 hosts would write to /tmp/a: h0, h1, h2 (help: put {host} in the local path, as in /tmp/{host}/)"
    );
}

#[test]
fn sources_of_a_step_do_not_write_to_one_local_path() {
    let folder = folder(&[]);
    assert_eq!(said(&folder, vec![vec![get(1, &["/a/", "/b/"], "{{ host }}")]]), "", "merged on purpose");
    let steps = vec![get(1, &["/a/x.log", "/b/x.log"], "{{ host }}/")];
    insta::assert_snapshot!(said(&folder, vec![steps]), @"tasks.yaml:1:3: error: two sources would write to T/h0/x.log: /a/x.log, /b/x.log (help: give each its own step and folder)");
}

#[test]
fn downloads_need_a_folder_that_can_be_written() {
    let folder = folder(&[("file", "")]);
    let steps = vec![get(1, &["/a"], "file/{{ host }}/"), get(2, &["/a"], "new/{{ host }}/deep/")];
    assert_eq!(said(&folder, vec![steps]), "tasks.yaml:1:3: error: T/file is not a folder");
    let steps = vec![local(), get(1, &["/a"], "file/{{ host }}")];
    assert_eq!(said(&folder, vec![steps]), "", "it may be another by then");
    // For root there is no such folder.
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
        let steps = vec![get(1, &["/a"], "{{ host }}/")];
        let said = said(&folder, vec![steps]);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(said, "tasks.yaml:1:3: error: cannot write in T: permission denied");
    }
}
