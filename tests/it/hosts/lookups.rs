//! Variables of Ansible's inventories that look around: at the environment, files, groups and other hosts.

use std::process::Command;

use serde_json::{Value, json};

use crate::fixtures::support::{Fan, Ran};

/// Expressions that both tools understand, over an inventory that has something of each kind.
const SHARED: &[&str] = &[
    "e",
    "e2",
    "texts",
    "w",
    "d",
    "f",
    "f2",
    "f3",
    "f4",
    "f5",
    "f6",
    "list_z",
    "list_web",
    "list_none",
    "first",
    "group_names",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "here",
    "there",
    "lacks",
    "keys",
    "each",
];

const INVENTORY: &str = r#"
all:
  vars:
    e: "{{ lookup('env', 'FAN_NOT_SET') }}"
    e2: "{{ lookup('env', 'WORD', 'FAN_NOT_SET') }}"
    texts: "{{ query('env', 'WORD', 'FAN_NOT_SET') }}"
    w: "{{ lookup('ansible.builtin.env', 'WORD', wantlist=True) }}"
    d: "{{ lookup('env', 'FAN_NOT_SET', default='other') }}"
    f: "{{ lookup('file', 'text') }}"
    f2: "{{ lookup('file', 'text', rstrip=False) }}"
    f3: "{{ lookup('file', 'text', lstrip=True) }}"
    f4: "{{ lookup('file', 'nosuch', errors='ignore') }}"
    f5: "{{ lookup('file', 'text', 'in_files') }}"
    f6: "{{ q('file', inventory_dir ~ '/files/in_files') }}"
    list_z: "{{ groups['z'] }}"
    list_web: "{{ groups['web'] }}"
    list_none: "{{ groups['ungrouped'] }}"
    first: "{{ groups['z'][0] }}"
    here: "{{ hostvars[inventory_hostname].own }}"
    there: "{{ hostvars['b']['list'][1] }}"
    lacks: "{{ hostvars['b']['nosuch'] | default('none') }}"
    keys: "{{ 'list' in hostvars.b }}"
    each: "{% for host in groups['web'] %}{{ hostvars[host].own | default('-') }} {% endfor %}"
  children:
    web:
      hosts:
        c.example.com: {}
        a: {own: 1}
        b: {list: [1, two], own: two}
    z:
      hosts:
        a: {}
      children:
        web: {}
"#;

fn project(inventory: &str) -> Fan {
    let fan = Fan::new().env("WORD", "word").file("hosts.yml", inventory).file("text", "  line\n\n");
    fan.file("files/in_files", "found there\n").file("in_files", "not this one\n")
}

/// What fan makes of an expression on host `a`.
fn of_fan(fan: Fan, expression: &str) -> Ran {
    let tasks =
        format!("tasks:\n  show:\n    hosts: [a]\n    steps:\n      - echo: '{{{{ {expression} }}}}'\n");
    fan.file("tasks.yaml", tasks).run(["run", "show", "-i", "hosts.yml"])
}

fn echoed(ran: &Ran) -> String {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let all = format!("{}\n{}", ran.stdout, ran.stderr);
    all.lines().find_map(|line| line.strip_prefix("a | ")).unwrap().to_owned()
}

#[test]
fn what_variables_look_up_is_what_ansible_finds() {
    let fan = project(INVENTORY);
    let all = format!("[{}]", SHARED.join(", "));
    let mut command = Command::new("ansible");
    command.current_dir(fan.work()).args(["-i", "hosts.yml", "a", "-c", "local", "-m", "debug"]);
    command.env("WORD", "word").env("HOME", fan.home()).env("LC_ALL", "C.UTF-8");
    command.env("ANSIBLE_LOCALHOST_WARNING", "false").env("ANSIBLE_STDOUT_CALLBACK", "minimal");
    let output = command.arg("-a").arg(format!("msg={{{{ {all} }}}}")).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (_, theirs) = stdout.split_once("a | SUCCESS => ").unwrap_or_else(|| panic!("{stdout}"));
    let theirs: Value = serde_json::from_str(theirs).unwrap();
    let theirs = &theirs["msg"];
    let ours: Value = serde_json::from_str(&echoed(&of_fan(fan, &format!("{all} | to_json")))).unwrap();
    for (at, name) in SHARED.iter().enumerate() {
        let (ours, theirs) = (&ours[at], &theirs[at]);
        // A number alone in braces stays one here; there it becomes a text, which other versions undo.
        let ours =
            if ours.is_number() && theirs.is_string() { json!(ours.to_string()) } else { ours.clone() };
        assert_eq!(&ours, theirs, "{name}");
    }
}

#[test]
fn connection_variables_look_around_as_others_do() {
    let fan = Fan::new()
        .env("LOGIN", "deploy")
        .env("BECOME", "hunter2-of-sudo")
        .file("login.pw", "hunter2-of-login\n")
        .file(
            "hosts.ini",
            "[bastion]\njump ansible_host=192.0.2.1\nspare\n[web]\nweb1.lan\nweb2.lan ansible_user=\"{{ lookup('env', 'NOBODY') }}\"\n\
             [web:vars]\nansible_user={{ lookup('env', 'LOGIN') }}\nansible_host={{ inventory_hostname_short }}.{{ groups['bastion'] | length }}.example\n\
             ansible_ssh_common_args=-o ProxyCommand=\"ssh -W %h:%p {{ hostvars[groups['bastion'][0]].ansible_host }}\"\n\
             ansible_become_password={{ lookup('env', 'BECOME') }}\nansible_password={{ lookup('file', 'login.pw') }}\n\
             ansible_ssh_private_key_file={{ inventory_dir }}/keys/id\n",
        );
    let ran = fan.run(["hosts", "--json", "-i", "hosts.ini", "-R", "web"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
    let hosts: Value = serde_json::from_str(&ran.stdout).unwrap();
    let setting = |host: usize, name: &str| hosts[host]["settings"][name]["value"].clone();
    assert_eq!(setting(0, "user"), "deploy");
    assert_eq!(setting(1, "user"), Value::Null, "what is empty says nothing");
    assert_eq!(setting(0, "address"), "web1.2.example");
    assert_eq!(setting(0, "gateway"), "192.0.2.1");
    assert_eq!(setting(0, "identity"), json!([fan.work().join("keys/id")]));
    assert!(setting(0, "password").is_string() && setting(0, "sudo.password").is_string());
}

#[test]
fn what_cannot_be_looked_up_is_an_error_where_it_is_used() {
    let used = |value: &str, more: &str| {
        let inventory = format!("all:\n  hosts:\n    a:\n      v: {value}\n{more}");
        let fan = project(&inventory).file("bytes", b"\x80\x81").file("big", vec![b'x'; 1024 * 1024 + 1]);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            fan.work().join("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let unused = of_fan(fan, "host");
        assert_eq!(echoed(&unused), "a", "{value}");
        let fan = project(&inventory).file("bytes", b"\x80\x81").file("big", vec![b'x'; 1024 * 1024 + 1]);
        let ran = of_fan(fan, "v");
        assert_eq!(ran.code, Some(2), "{value}: {}", ran.stdout);
        ran.stderr
    };
    for (value, expected) in [
        (
            "\"{{ lookup('pipe', 'id') }}\"",
            "lookup \"pipe\" is not one of fan's: it has \"env\" and \"file\"",
        ),
        ("\"{{ lookup('community.general.passwordstore', 'x') }}\"", "pass show NAME"),
        ("\"{{ lookup('nosuch.plugin.env', 'x') }}\"", "lookup \"nosuch.plugin.env\" is not one of fan's"),
        (
            "\"{{ query('inventory_hostnames', 'all') }}\"",
            "lookup \"inventory_hostnames\" is not one of fan's",
        ),
        ("\"{{ lookup('env', 'X', errors='never') }}\"", "errors=\"never\""),
        ("\"{{ lookup('file', 'nosuch') }}\"", "no such file in ./files or in the current folder"),
        ("\"{{ lookup('file', '.') }}\"", "cannot read: is a directory"),
        ("\"{{ lookup('file', 'bytes') }}\"", "not UTF-8 at byte 1"),
        ("\"{{ lookup('file', 'big') }}\"", "larger than 1 MiB"),
        ("\"{{ lookup('file', '/dev/zero') }}\"", "is a device, not a regular file"),
        ("\"{{ playbook_dir }}/x\"", "relative paths begin at the folder of the tasks file"),
        ("\"{{ hostvars['b'].v }}\"", "undefined"),
        ("\"{{ hostvars['nobody'].v }}\"", "undefined"),
    ] {
        let said = used(value, "    b:\n");
        assert!(said.contains(expected), "{value}: {said}");
    }
    let circle = used(
        "\"{{ hostvars['b'].w }}\"",
        "    b: {w: \"{{ x }}\", x: \"{{ hostvars['c'].y }}\"}\n    c: {y: \"{{ hostvars.b.w }}\"}\n",
    );
    assert!(circle.contains("variable cycle: w of b → y of c → w of b"), "{circle}");
    let own = used("\"{{ hostvars[inventory_hostname].v }}\"", "");
    assert!(own.contains("variable cycle: v of a → v of a"), "{own}");
    let chain: String =
        (0..40).map(|at| format!("    h{at}: {{v: \"{{{{ hostvars['h{}'].v }}}}\"}}\n", at + 1)).collect();
    let deep = used("\"{{ hostvars['h0'].v }}\"", &(chain + "    h40: {v: 1}\n"));
    assert!(deep.contains("builds on variables of other hosts more than 16 deep"), "{deep}");
}

#[test]
fn a_broken_variable_of_another_host_is_told_with_its_host() {
    let fan = project(
        "all:\n  hosts:\n    a: {v: \"{{ hostvars.b.w }}\"}\n    b: {w: \"{{ lookup('pipe', 'id') }}\"}\n",
    );
    let said = of_fan(fan, "v").stderr;
    assert!(said.contains("lookup \"pipe\" is not one of fan's"), "{said}");
    assert!(said.contains("(of host b)"), "{said}");
}

#[test]
fn passwords_of_other_hosts_are_not_seen() {
    let fan = project(
        "all:\n  hosts:\n    a: {v: \"{{ hostvars.b.ansible_password }}\"}\n    b: {ansible_password: hunter2-of-b}\n",
    );
    let ran = of_fan(fan, "v");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("undefined"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

#[test]
fn what_a_host_says_is_never_a_template() {
    let fan = project("all:\n  hosts:\n    a: {ansible_connection: local}\n")
        .file("evil", "{{ lookup('env', 'WORD') }}{{ hostvars.a }}")
        .file(
            "tasks.yaml",
            "tasks:\n  show:\n    hosts: [a]\n    steps:\n      - {run: cat evil, register: out}\n      - {set: {said: '{{ out.stdout }}'}}\n      - echo: '<{{ said }}>'\n",
        );
    let ran = fan.run(["run", "show", "-i", "hosts.yml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let all = ran.stdout + &ran.stderr;
    assert!(all.contains("<{{ lookup('env', 'WORD') }}{{ hostvars.a }}>"), "{all}");
}

#[test]
fn a_tasks_file_looks_nothing_up_whatever_the_inventory_is() {
    let fan = project(INVENTORY).file(
        "tasks.yaml",
        "vars: {x: \"{{ lookup('env', 'WORD') }}\"}\ntasks:\n  show:\n    hosts: [a]\n    steps:\n      - echo: '{{ x }}'\n",
    );
    let ran = fan.run(["run", "show", "-i", "hosts.yml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(ran.stderr.contains("write env('NAME')"), "{}", ran.stderr);
}

#[test]
fn vars_of_fans_own_inventory_see_other_hosts_too() {
    let fan = Fan::new()
        .file(
            "inventory.yaml",
            "hosts:\n  a: {vars: {v: \"{{ hostvars.b.w }} {{ hostvars.b.address }}\"}}\n  b: {address: 192.0.2.7, vars: {w: \"of {{ host }}\"}}\n",
        )
        .file("tasks.yaml", "tasks:\n  show:\n    hosts: [a]\n    steps:\n      - echo: '{{ v }}'\n");
    assert_eq!(echoed(&fan.run(["run", "show"])), "of b 192.0.2.7");
}
