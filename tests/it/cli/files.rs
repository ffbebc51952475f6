//! Mistakes in files, and surroundings that a process seldom has: no host hears of either.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::fixtures::sshd::keygen;
use crate::fixtures::support::{Fan, output};
use crate::fixtures::trap::{Trap, words};

/// The YAML files of a folder of broken ones.
fn broken(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bad").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn files_that_are_none() {
    let trap = Trap::set();
    let fan = trap.fan().file("empty.yaml", "").file("comments.yaml", "# nothing\n");
    fs::create_dir(fan.work().join("folder")).unwrap();
    let fifo = fan.work().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    let calls = words(
        "exec -i none.yaml -H web1 -- true
         exec -i folder -H web1 -- true
         exec -i fifo -H web1 -- true
         exec -i /dev/zero -H web1 -- true
         exec -i empty.yaml -H web1 -- true
         exec -i comments.yaml -H web1 -- true
         run -f none.yaml look -H web1
         run -f folder look -H web1
         list -f fifo
         check -f empty.yaml",
    );
    insta::assert_snapshot!(trap.refuses(&fan, calls), @r#"
    $ fan exec -i none.yaml -H web1 -- true
    error: none.yaml: cannot read: no such file

    $ fan exec -i folder -H web1 -- true
    error: folder: no inventory in this folder (help: as with Ansible, names with .ini, .cfg, .txt and .md are passed over in a folder; name the file)

    $ fan exec -i fifo -H web1 -- true
    error: fifo: cannot read: is a FIFO, not a regular file

    $ fan exec -i /dev/zero -H web1 -- true
    error: /dev/zero: cannot read: is a device, not a regular file

    $ fan exec -i empty.yaml -H web1 -- true
    error: empty.yaml: no hosts defined (help: name them below "hosts:", for example "  web1: {address: 192.0.2.11}")

    $ fan exec -i comments.yaml -H web1 -- true
    error: comments.yaml: no hosts defined (help: name them below "hosts:", for example "  web1: {address: 192.0.2.11}")

    $ fan run -f none.yaml look -H web1
    error: none.yaml: cannot read: no such file

    $ fan run -f folder look -H web1
    error: folder: cannot read: is a directory

    $ fan list -f fifo
    error: fifo: cannot read: is a FIFO, not a regular file

    $ fan check -f empty.yaml
    error: empty.yaml: no tasks defined (help: name them below "tasks:", for example "  uptime: [run: uptime]")
    "#);
}

#[test]
fn no_tasks_file_anywhere() {
    let trap = Trap::set();
    let fan = Fan::new().file("inventory.yaml", trap.inventory());
    insta::assert_snapshot!(trap.refuses(&fan, words("list\nrun look -H web1\ncheck")), @"
    $ fan list
    error: no tasks.yaml here or in a folder above (help: name one with -f FILE, or begin one with `fan init`)

    $ fan run look -H web1
    error: no tasks.yaml here or in a folder above (help: name one with -f FILE, or begin one with `fan init`)

    $ fan check
    error: no tasks.yaml here or in a folder above (help: name one with -f FILE, or begin one with `fan init`)
    ");
}

#[test]
fn both_files_are_told_in_one_pass() {
    let trap = Trap::set();
    let fan = Fan::new()
        .file(
            "inventory.yaml",
            "hosts:\n  web1: {prot: 22}\n  web2: {port: 70000}\n  web1: {}\nroles: {web: [wbe]}\n",
        )
        .file("tasks.yaml", "tasks:\n  a: [{run: 'echo {{ x', echo: y}]\n  b: {before: [c], stpes: []}\n");
    insta::assert_snapshot!(trap.refuses(&fan, words("check\nrun a -H web1\nhosts")), @r#"
    $ fan check
    inventory.yaml:2:10: error: unknown field "prot"; did you mean "port"?
    inventory.yaml:3:16: error: port must be 1–65535, got 70000
    inventory.yaml:4:3: error: duplicate host "web1" (first at 2:3)
    tasks.yaml:2:7: error: step 1 of task "a" has more than one action: run and echo (help: make them two steps, or a block)
    tasks.yaml:2:19: error: unclosed "{{" (help: close it with "}}"; for another program's braces, write {% raw %}{{{% endraw %})
    tasks.yaml:3:16: error: unknown task "c"
    tasks.yaml:3:20: error: unknown field "stpes"; did you mean "steps"?

    $ fan run a -H web1
    inventory.yaml:2:10: error: unknown field "prot"; did you mean "port"?
    inventory.yaml:3:16: error: port must be 1–65535, got 70000
    inventory.yaml:4:3: error: duplicate host "web1" (first at 2:3)
    tasks.yaml:2:7: error: step 1 of task "a" has more than one action: run and echo (help: make them two steps, or a block)
    tasks.yaml:2:19: error: unclosed "{{" (help: close it with "}}"; for another program's braces, write {% raw %}{{{% endraw %})
    tasks.yaml:3:16: error: unknown task "c"
    tasks.yaml:3:20: error: unknown field "stpes"; did you mean "steps"?

    $ fan hosts
    inventory.yaml:2:10: error: unknown field "prot"; did you mean "port"?
    inventory.yaml:3:16: error: port must be 1–65535, got 70000
    inventory.yaml:4:3: error: duplicate host "web1" (first at 2:3)
    "#);
}

/// The words are tested where they are made; here, that each file stops the whole command.
#[test]
fn broken_files_end_every_command() {
    let trap = Trap::set();
    for path in broken("inventory") {
        let path = path.to_str().unwrap();
        let calls = [vec!["check", "-i", path], vec!["exec", "-i", path, "-H", "all", "--", "true"]];
        trap.refuses(&trap.fan(), calls);
    }
    for path in broken("tasks") {
        let path = path.to_str().unwrap();
        trap.refuses(&trap.fan(), [vec!["check", "-f", path], vec!["run", "-f", path, "hello"]]);
    }
    for path in broken("vars") {
        trap.refuses(&trap.fan(), [vec!["run", "hello", "-e", &format!("@{}", path.display())]]);
    }
}

#[test]
fn an_inventory_that_others_may_write_is_not_picked_up() {
    let trap = Trap::set();
    let fan = trap.fan();
    fs::set_permissions(fan.work(), fs::Permissions::from_mode(0o777)).unwrap();
    insta::assert_snapshot!(trap.refuses(&fan, words("exec -H web1 -- true")), @"
    $ fan exec -H web1 -- true
    error: <work>/inventory.yaml: not used, because anyone may write to its folder (help: name the file on the command line if you trust it, or chmod o-w <work>)
    ");
}

#[test]
fn templates() {
    let trap = Trap::set();
    let inventory = trap.inventory().replace("db1: {", "db1: {vars: {verison: 1, tags: [a, b]}, ");
    let tasks = "\
tasks:
  undefined: [{run: 'echo {{ version }}'}]
  some: [{run: 'echo {{ verison }}'}]
  plenty: [{run: 'echo {{ one }}'}, {echo: '{{ two }}'}, {run: 'true', when: three, env: {A: '{{ four }}'}}]
  late: [{echo: '{{ out.rc }}'}, {run: 'true', register: out}]
";
    let fan = Fan::new().file("inventory.yaml", inventory).file("tasks.yaml", tasks);
    let calls = words(
        "run undefined -H all
         run some -H all
         run plenty -H db1,web[1-2]
         run late -H db1
         check undefined some -H all",
    );
    insta::assert_snapshot!(trap.refuses(&fan, calls), @r#"
    $ fan run undefined -H all
    tasks.yaml:2:22: error: undefined variable "version" (help: define it in `vars:`, or with -e version=VALUE)

    $ fan run some -H all
    tasks.yaml:3:17: error: undefined variable "verison" on web1, web2, web3 (help: define it in `vars:`, or with -e verison=VALUE)

    $ fan run plenty -H db1,web[1-2]
    tasks.yaml:4:19: error: undefined variable "one" (help: define it in `vars:`, or with -e one=VALUE)
    tasks.yaml:4:45: error: undefined variable "two" (help: define it in `vars:`, or with -e two=VALUE)
    tasks.yaml:4:78: error: undefined variable "three" (help: define it in `vars:`, or with -e three=VALUE)
    tasks.yaml:4:95: error: undefined variable "four" (help: define it in `vars:`, or with -e four=VALUE)

    $ fan run late -H db1
    tasks.yaml:5:18: error: variable "out" is used before step 2 defines it

    $ fan check undefined some -H all
    tasks.yaml:2:22: error: undefined variable "version" (help: define it in `vars:`, or with -e version=VALUE)
    tasks.yaml:3:17: error: undefined variable "verison" on web1, web2, web3 (help: define it in `vars:`, or with -e verison=VALUE)
    "#);
    let tasks = "\
vars: {a: '{{ b }}', b: '{{ a }}'}
tasks: {turn: [{echo: '{{ a }}'}], once: {params: {p: '{{ nope }}'}, steps: [{echo: '{{ p }}'}]}}
";
    let fan = fan.file("tasks.yaml", tasks);
    insta::assert_snapshot!(trap.refuses(&fan, words("run turn -H all\ncheck once -H db1")), @r#"
    $ fan run turn -H all
    error: variable cycle: a → b → a (on web1, web2, web3, db1)

    $ fan check once -H db1
    error: variable cycle: a → b → a (on db1)
    error: variable "p": undefined variable "nope" (on db1)
    "#);
    let tasks = "\
tasks:
  unclosed: [{run: 'echo {{ x'}]
  filter: [{run: 'echo {{ app | nope }}'}]
  block: [{run: 'echo {% if %}'}]
  substitution: [{run: 'echo $(echo {{ app }})'}]
  when: [{run: 'true', when: 'a ='}]
";
    let fan = fan.file("tasks.yaml", tasks);
    insta::assert_snapshot!(trap.refuses(&fan, words("run filter -H all\ncheck")), @r#"
    $ fan run filter -H all
    tasks.yaml:2:26: error: unclosed "{{" (help: close it with "}}"; for another program's braces, write {% raw %}{{{% endraw %})
    tasks.yaml:3:33: error: unknown filter "nope"
    tasks.yaml:4:29: error: unexpected "%}" (help: for another program's braces, write {% raw %}{% if %}{% endraw %})
    tasks.yaml:6:33: error: unexpected input after expression

    $ fan check
    tasks.yaml:2:26: error: unclosed "{{" (help: close it with "}}"; for another program's braces, write {% raw %}{{{% endraw %})
    tasks.yaml:3:33: error: unknown filter "nope"
    tasks.yaml:4:29: error: unexpected "%}" (help: for another program's braces, write {% raw %}{% if %}{% endraw %})
    tasks.yaml:6:33: error: unexpected input after expression
    "#);
}

#[test]
fn keys_that_cannot_be_used() {
    let trap = Trap::set();
    let fan = Fan::new().file("empty", "").file("putty", "PuTTY-User-Key-File-3: ssh-ed25519\n").file(
        "truncated",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n",
    );
    let work = fan.work();
    keygen(&work.join("open"), "ed25519");
    fs::set_permissions(work.join("open"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(work.join("folder")).unwrap();
    for name in ["empty", "putty", "truncated"] {
        fs::set_permissions(work.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mut locked = std::process::Command::new("ssh-keygen");
    locked.args(["-q", "-N", "hunter2", "-t", "ed25519", "-f"]).arg(work.join("locked"));
    assert_eq!(output(locked, b"").code, Some(0));
    fs::remove_file(work.join("locked.pub")).unwrap();
    fs::set_permissions(work.join("open.pub"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut inventory = format!("defaults: {{port: {}}}\nhosts:\n", trap.port());
    for key in ["none", "open.pub", "open", "putty", "empty", "folder", "truncated", "locked"] {
        inventory += &format!("  {key}: {{address: 127.0.0.1, identity: {key}}}\n");
    }
    let fan = fan.file("inventory.yaml", inventory).file("tasks.yaml", "tasks: {look: [uptime]}\n");
    let calls = words("exec -H all -- true\nping -H open.pub\ncheck look -H all");
    insta::assert_snapshot!(trap.refuses(&fan, calls), @"
    $ fan exec -H all -- true
    error: empty: the file is empty (help: is the path right?)
    error: folder: this is a folder (help: name a file in it)
    error: none: there is no such file (help: is the path right?)
    error: open: the key is readable by others (mode 0644), and no agent holds the key (help: chmod 600 the file, or load the key into the agent (ssh-add))
    error: open.pub: this is a public key, and no agent holds the key (help: use the private key: the same name without .pub, or load the key into the agent (ssh-add))
    error: putty: a key in PuTTY's format (help: convert it: puttygen KEY -O private-openssh -o NEW)
    error: truncated: the key is damaged: its head cannot be read (help: copy the file again)

    $ fan ping -H open.pub
    error: open.pub: this is a public key, and no agent holds the key (help: use the private key: the same name without .pub, or load the key into the agent (ssh-add))

    $ fan check look -H all
    error: empty: the file is empty (help: is the path right?)
    error: folder: this is a folder (help: name a file in it)
    error: none: there is no such file (help: is the path right?)
    error: open: the key is readable by others (mode 0644), and no agent holds the key (help: chmod 600 the file, or load the key into the agent (ssh-add))
    error: open.pub: this is a public key, and no agent holds the key (help: use the private key: the same name without .pub, or load the key into the agent (ssh-add))
    error: putty: a key in PuTTY's format (help: convert it: puttygen KEY -O private-openssh -o NEW)
    error: truncated: the key is damaged: its head cannot be read (help: copy the file again)
    ");
}

#[test]
fn surroundings_that_are_missing() {
    let trap = Trap::set();
    let inventory =
        trap.inventory().replace("user: nobody", "identity: ~/.ssh/id, known_hosts: ~/.ssh/known_hosts");
    let calls = || words("hosts -H db1\nexec -n -H db1 -- true\nlist");
    insta::assert_snapshot!(
        trap.transcript(&trap.fan().file("inventory.yaml", &inventory).homeless(), 0, calls()),
        @r#"
        $ fan hosts -H db1
        db1  roles db
          address          127.0.0.1                        host (inventory.yaml:4:9)
          port             <port>                            defaults (inventory.yaml:1:12)
          identity         ["~/.ssh/id"]                    defaults (inventory.yaml:1:25)
          known_hosts      ["~/.ssh/known_hosts"]           defaults (inventory.yaml:1:46)
          retries          0                                defaults (inventory.yaml:1:79)

        $ fan exec -n -H db1 -- true
        true on db1 (1)
          1. run: true

        $ fan list
        deploy:version,force=false  Release the app  [@web]
        hello:name=World              [all]
        look
        "#
    );
    insta::assert_snapshot!(
        trap.refuses(&trap.fan().file("inventory.yaml", inventory).homeless(), words("exec -H db1 -- true")),
        @"
    $ fan exec -H db1 -- true
    error: ~/.ssh/id: there is no such file (help: is the path right?)
    "
    );
}

#[test]
fn a_folder_that_was_deleted() {
    let trap = Trap::set();
    let gone = "mkdir gone && cd gone && rmdir ../gone && exec \"$@\"";
    let fan = trap.fan().in_script(gone);
    insta::assert_snapshot!(trap.refuses(&fan, words("list\nexec -H all -- true\nexec -i i.yaml -H all -- true")), @r#"
    $ fan list
    error: no tasks.yaml here or in a folder above (help: name one with -f FILE, or begin one with `fan init`)

    $ fan exec -H all -- true
    error: "all": no inventory.yaml here or in a folder above (help: name one with -i FILE, begin one with `fan init`, or name hosts outright: -H web1,deploy@192.0.2.7)
        all
        ^

    $ fan exec -i i.yaml -H all -- true
    error: i.yaml: cannot read: no such file
    "#);
    let call = vec!["exec", "-n", "-H", "nobody@127.0.0.1", "--", "true"];
    insta::assert_snapshot!(trap.transcript(&fan, 0, [call]), @"
    $ fan exec -n -H nobody@127.0.0.1 -- true
    true on nobody@127.0.0.1 (1)
      1. run: true
    ");
}

#[test]
fn no_colours_where_none_are_wanted() {
    let trap = Trap::set();
    for (name, value) in
        [("TERM", "dumb"), ("NO_COLOR", "1"), ("COLUMNS", "0"), ("LANG", "C"), ("CI", "true")]
    {
        let ran = trap.fan().env(name, value).run(["exec", "-H", "nope", "--", "true"]);
        assert_eq!(ran.code, Some(2));
        assert!(!ran.stderr.contains('\x1b'), "{name}: {}", ran.stderr);
    }
}
