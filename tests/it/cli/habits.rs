//! Command lines as users of Fabric, Ansible, clush, pssh, Capistrano and ssh type them: each is done, or answered with
//! what to type instead. No host hears of one that is answered.

use crate::fixtures::support::Fan;
use crate::fixtures::trap::{Trap, words};

#[test]
fn the_thing_itself() {
    let trap = Trap::set();
    let fan = trap.fan();
    for (typed, meant) in [
        ("deploy:1.2 -n", "run deploy:1.2 -n"),
        ("deploy:version=1.2 look -n -H web1", "run deploy:version=1.2 look -n -H web1"),
        ("--color never hello -n", "--color never run hello -n"),
        ("-H web1 hello -n", "run -H web1 hello -n"),
        ("-nR web -x web2 hello", "run -nR web -x web2 hello"),
        ("-n -H web1,db1 -- uname -r", "exec -n -H web1,db1 -- uname -r"),
        ("-l", "list"),
        ("--list", "list"),
        ("help exec", "exec --help"),
        ("help", "--help"),
        ("version", "--version"),
        ("exec -nbH web[1-3] uname -r", "exec -n -b -H web[1-3] -- uname -r"),
        ("exec -n -H web1 uptime -b -- x", "exec -n -H web1 -- uptime -b -- x"),
        ("hello -nvvv", "run hello -n -v"),
        ("help report merge", "report merge --help"),
    ] {
        let split = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (typed_ran, meant_ran) = (fan.run(split(typed)), fan.run(split(meant)));
        assert_eq!(typed_ran.code, Some(0), "{typed}\n{}", typed_ran.snapshot());
        assert_eq!(typed_ran.snapshot(), meant_ran.snapshot(), "{typed}");
        trap.assert_untouched(typed);
    }
}

/// A command within a command has flags of its own.
#[test]
fn flags_of_inner_commands_are_theirs() {
    let ran = Fan::new().run(["report", "merge", "-o", "all.html", "a.jsonl"]);
    assert!(ran.stderr.contains("a.jsonl") && !ran.stderr.contains("has no -o"), "{}", ran.snapshot());
}

#[test]
fn words_in_a_commands_place() {
    let trap = Trap::set();
    let calls = words(
        "delpoy:1.2
         exce -H web1 -- true
         web1
         web1 uptime
         web deploy:1.2
         @web -b uptime
         nobody@10.0.0.5 uptime
         ssh web1
         ssh web1 uptime -p
         ssh -p 22 web1
         copy a b
         playbook site.yml
         all -m ping
         web -m shell -a uptime
         web -m ansible.builtin.copy -a src=app.conf
         db1 -a uptime -b
         web -m apt -a name=nginx
         help deply
         tasks",
    );
    insta::assert_snapshot!(trap.refuses(&trap.fan(), calls), @r#"
    $ fan delpoy:1.2
    error: "delpoy" is neither a fan command nor a task in tasks.yaml (help: did you mean `fan deploy`?)

    $ fan exce -H web1 -- true
    error: "exce" is neither a fan command nor a task in tasks.yaml (help: did you mean `fan exec`?)

    $ fan web1
    error: "web1" is a host: the command comes first (help: fan exec -H web1 -- CMD, or fan run -H web1 TASK)

    $ fan web1 uptime
    error: "web1" is a host: the command comes first (help: fan exec -H web1 -- uptime)

    $ fan web deploy:1.2
    error: "web" is a role: the command comes first (help: fan run -R web deploy:1.2)

    $ fan @web -b uptime
    error: "web" is a role: the command comes first (help: fan exec -R web -b uptime)

    $ fan nobody@10.0.0.5 uptime
    error: "nobody@10.0.0.5" is a host: the command comes first (help: fan exec -H nobody@10.0.0.5 -- uptime)

    $ fan ssh web1
    error: "ssh" is neither a fan command nor a task in tasks.yaml (help: fan shell web1)

    $ fan ssh web1 uptime -p
    error: "ssh" is neither a fan command nor a task in tasks.yaml (help: fan exec -H web1 -- uptime -p)

    $ fan ssh -p 22 web1
    error: "ssh" is neither a fan command nor a task in tasks.yaml (help: `fan shell HOST` does this here)

    $ fan copy a b
    error: "copy" is neither a fan command nor a task in tasks.yaml (help: `fan put LOCAL REMOTE` does this here)

    $ fan playbook site.yml
    error: "playbook" is neither a fan command nor a task in tasks.yaml (help: `fan run TASK` does this here)

    $ fan all -m ping
    error: "all" stands for all hosts: the command comes first (help: fan ping -H all)

    $ fan web -m shell -a uptime
    error: "web" is a role: the command comes first (help: fan exec -R web -- uptime)

    $ fan web -m ansible.builtin.copy -a src=app.conf
    error: "web" is a role: the command comes first (help: fan put -R web app.conf REMOTE)

    $ fan db1 -a uptime -b
    error: "db1" is a host: the command comes first (help: fan exec -H db1 -- uptime)

    $ fan web -m apt -a name=nginx
    error: "web" is a role: the command comes first (help: write the command: fan exec -R web -- CMD; there are no modules (docs/coming-from-ansible.md))

    $ fan help deply
    error: there is no entry for "deply" (help: `fan explain` lists the topics)

    $ fan tasks
    error: "tasks" is neither a fan command nor a task in tasks.yaml (help: `fan list` does this here)
    "#);
}

#[test]
fn arguments_of_tasks() {
    let trap = Trap::set();
    let calls = words(
        "run deploy version=1.2
         run deploy version=1.2 force=true
         run deploy:force=true version=hunter2
         run deploy --version 1.2
         deploy --version=1.2 --force
         run deploy --version
         run hello --name Jeff
         run --version
         run deploy:1 -e version
         run hello -l web1
         run hello web1
         run -w web1 hello
         run hello uptime
         run uptime -H web1
         check delpoy",
    );
    insta::assert_snapshot!(trap.refuses(&trap.fan(), calls), @r#"
    $ fan run deploy version=1.2
    error: version=… is an argument without a task (help: join it to the task: deploy:version=…; or write -e version=…)

    $ fan run deploy version=1.2 force=true
    error: version=… force=… are arguments without a task (help: join it to the task: deploy:version=…,force=…; or write -e version=… -e force=…)

    $ fan run deploy:force=true version=hunter2
    error: version=… is an argument without a task (help: join it to the task: deploy:…,version=…; or write -e version=…)

    $ fan run deploy --version 1.2
    error: fan run has no --version (help: arguments stand behind the task: deploy:version=VALUE, or -e version=VALUE)

    $ fan deploy --version=1.2 --force
    error: fan run has no --version (help: arguments stand behind the task: deploy:version=VALUE, or -e version=VALUE)
    error: fan run has no --force (help: arguments stand behind the task: deploy:force=VALUE, or -e force=VALUE)

    $ fan run deploy --version
    error: fan run has no --version (help: arguments stand behind the task: deploy:version=VALUE, or -e version=VALUE)

    $ fan run hello --name Jeff
    error: fan run has no --name (help: arguments stand behind the task: hello:name=VALUE, or -e name=VALUE)

    $ fan run --version
    error: fan run has no --version (help: `fan --version` prints the version)

    $ fan run deploy:1 -e version
    error: -e version: no "=" in it (help: write -e NAME=VALUE, or -e @FILE.yaml)

    $ fan run hello -l web1
    error: -l lists the tasks, and runs none (help: -H HOSTS selects hosts, -u NAME is the login name)

    $ fan run hello web1
    error: no task "web1" in tasks.yaml (help: "web1" is a host: write fan run hello -H web1)

    $ fan run -w web1 hello
    error: no task "web1" in tasks.yaml (help: "web1" is a host: -w is --warn-only; write fan run hello -H web1)

    $ fan run hello uptime
    error: no task "uptime" in tasks.yaml (help: `fan list` shows the tasks)

    $ fan run uptime -H web1
    error: no task "uptime" in tasks.yaml (help: `fan list` shows the tasks; a command for hosts is `fan exec -H HOSTS -- uptime`)

    $ fan check delpoy
    error: no task "delpoy" in tasks.yaml (help: did you mean "deploy"?)
    "#);
}

#[test]
fn flags_of_other_tools() {
    let trap = Trap::set();
    let calls = words(
        "run deploy:1 --check -f 10 --limit web1 -vvv
         deploy:1 --become --become-user app --ask-become-pass --extra-vars a=1
         run hello -t config --private-key id
         run hello --fabfile other.py -i web1,
         exec -w web1 uptime
         exec -w @web -b uptime
         exec -g web uptime
         exec -a -b uptime
         exec uptime -H web1
         exec web1 uptime
         exec -H web1 --fanout 64 -o StrictHostKeyChecking=no -l root -p 22 uptime
         exec -H web1 --password hunter2 -- true
         exec -h inventory.yaml -A -p 50 uptime
         exec -H web1 --check uptime
         exec -H web1 -m shell uptime
         put -H web1 --become a b
         ping --json -l root",
    );
    insta::assert_snapshot!(trap.refuses(&trap.fan(), calls), @r#"
    $ fan run deploy:1 --check -f 10 --limit web1 -vvv
    error: fan run has no --check (help: --dry-run connects and compares, and changes nothing; --plan connects to no host)
    error: -f 10: -f names the tasks file (help: -z 10 lets 10 hosts work at a time)
    error: --limit web1: --limit takes a number of hosts (help: -H web1 selects hosts)

    $ fan deploy:1 --become --become-user app --ask-become-pass --extra-vars a=1
    error: fan run has no --become (help: a step says it: `sudo: CMD`, or `sudo: true` beside others (docs/privilege.md))
    error: fan run has no --become-user (help: a step says it: `user: NAME` (docs/privilege.md))
    error: fan run has no --ask-become-pass (help: -K asks for the sudo password)
    error: fan run has no --extra-vars (help: -e NAME=VALUE, or -e @FILE.yaml)

    $ fan run hello -t config --private-key id
    error: -t config: -t is the deadline of connecting, such as <time> (help: --tags config runs only steps with this tag)
    error: fan run has no --private-key (help: --identity FILE)

    $ fan run hello --fabfile other.py -i web1,
    error: fan run has no --fabfile (help: -f FILE names the tasks file)

    $ fan exec -w web1 uptime
    error: no hosts selected (help: -w is --warn-only; hosts are -H: fan exec -H web1 -- uptime)

    $ fan exec -w @web -b uptime
    error: no hosts selected (help: -w is --warn-only; hosts are -H: fan exec -R web -b uptime)

    $ fan exec -g web uptime
    error: no hosts selected (help: -g is the gateway; a role's hosts are -R web)

    $ fan exec -a -b uptime
    error: fan exec has no -a (help: -H all is every host; a command stands at the end: fan exec -H all -- CMD)

    $ fan exec uptime -H web1
    error: no hosts selected (help: what follows "uptime" belongs to the command: put -H before it)

    $ fan exec web1 uptime
    error: no hosts selected (help: "web1" is a host: fan exec -H web1 -- uptime)

    $ fan exec -H web1 --fanout 64 -o StrictHostKeyChecking=no -l root -p 22 uptime
    error: fan exec has no --fanout (help: -z N is how many hosts work at a time)
    error: fan exec has no -l (help: -u NAME is the login name; -H HOSTS selects hosts)
    error: fan exec has no -p (help: a port belongs to its host: -H HOST:PORT, or `port` in the inventory; -z N is how many hosts work at a time)

    $ fan exec -H web1 --password hunter2 -- true
    error: fan exec has no --password (help: -k asks for the login password, -K for that of sudo: others on this machine can see a command line)

    $ fan exec -h inventory.yaml -A -p 50 uptime
    error: -h inventory.yaml: -h prints help (help: --hosts-file inventory.yaml names the hosts of a file)

    $ fan exec -H web1 --check uptime
    error: fan exec has no --check (help: --plan (-n) prints hosts and commands, and connects to no host)

    $ fan exec -H web1 -m shell uptime
    error: fan exec has no -m (help: there are no modules: `fan ping`, `fan exec`, `fan put`, `fan facts`, and steps of tasks (docs/coming-from-ansible.md))

    $ fan put -H web1 --become a b
    error: fan put has no --become (help: -S works as root, with sudo on the host)

    $ fan ping --json -l root
    error: fan ping has no -l (help: -u NAME is the login name; -H HOSTS selects hosts)
    "#);
}

#[test]
fn variables_and_patterns_of_ansible() {
    let trap = Trap::set();
    let fan = trap.fan();
    let call = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let calls = [
        call(&["run", "hello", "-e", "name=a greeting=b"]),
        call(&["run", "hello", "-e", "{\"name\": \"hunter2\"}"]),
        call(&["run", "hello", "-e", "name"]),
        call(&["exec", "-H", "web:!web3", "--", "true"]),
        call(&["exec", "-H", "web:&db", "--", "true"]),
        call(&["exec", "-H", "web:db", "-x", "db:web", "--", "true"]),
        call(&["hosts", "-H", "web1:70000"]),
    ];
    let mut said = trap.refuses(&fan, calls);
    // What only looks like it is a value.
    let taken = [
        call(&["run", "hello", "-n", "-e", "name=\"a greeting=b\""]),
        call(&["run", "hello", "-n", "-e", "name=run with --level=3 and more"]),
        call(&["run", "hello", "-n", "-e", "name=a=b"]),
    ];
    said += &trap.transcript(&fan, 0, taken);
    insta::assert_snapshot!(said, @r#"
    $ fan run hello -e name=a greeting=b
    error: -e name=…: a value that goes on like further variables (help: write -e name=… -e greeting=…; for the text as it stands, -e 'name="…"')

    $ fan run hello -e {"name": "hunter2"}
    error: -e {...}: a map of variables (help: write -e NAME=VALUE for each, or put the map into a file: -e @FILE.json)

    $ fan run hello -e name
    error: -e name: no "=" in it (help: write -e NAME=VALUE, or -e @FILE.yaml)

    $ fan exec -H web:!web3 -- true
    error: an Ansible pattern (help: write '@web!web3')
        web:!web3
        ^

    $ fan exec -H web:&db -- true
    error: an Ansible pattern (help: write '@web&@db')
        web:&db
        ^

    $ fan exec -H web:db -x db:web -- true
    error: an Ansible pattern (help: write '@web,@db')
        web:db
        ^
    error: an Ansible pattern (help: write '@db,@web')
        db:web
        ^

    $ fan hosts -H web1:70000
    error: port must be 1-65535, got 70000
        web1:70000
             ^

    $ fan run hello -n -e name="a greeting=b"
    hello on web[1-3],db1 (4)
      1. echo: Hello a greeting=b

    $ fan run hello -n -e name=run with --level=3 and more
    hello on web[1-3],db1 (4)
      1. echo: Hello run with --level=3 and more

    $ fan run hello -n -e name=a=b
    hello on web[1-3],db1 (4)
      1. echo: Hello a=b
    "#);
}

#[test]
fn files_of_other_tools() {
    let trap = Trap::set();
    let fan = trap
        .fan()
        .file("hosts.ini", "[web]\nweb[01:04] ansible_user=deploy\n\n[web:vars]\nhttp_port=80\n")
        .file("hosts.yml", "all:\n  children:\n    web:\n      hosts:\n        web01: {ansible_port: 22}\n")
        .file("site.yml", "---\n- name: Web\n  hosts: web\n  become: true\n  tasks:\n    - ansible.builtin.apt: {name: nginx}\n")
        .file("main.yml", "- name: nginx\n  apt:\n    name: nginx\n")
        .file("fabfile.py", "from fabric.api import run, task\n\n@task\ndef deploy():\n    run('uptime')\n")
        .file("Capfile", "require \"capistrano/setup\"\n")
        .file("hosts.txt", "web01\ndeploy@web02:2222\n")
        .file("ec2.py", "#!/usr/bin/env python3\nprint('{}')\n")
        .file("broken.yaml", "hosts:\n  web1: {prot: 22}\n");
    let calls = words(
        "hosts -i ec2.py
         hosts -i site.yml
         hosts -i tasks.yaml
         hosts -i broken.yaml
         run hello -f site.yml
         run hello -f main.yml
         run hello -f fabfile.py
         run hello -f Capfile
         run hello -f inventory.yaml
         run hello -f hosts.ini -i site.yml
         run site.yml
         site.yml
         hosts.txt",
    );
    insta::assert_snapshot!(trap.refuses(&fan, calls), @r#"
    $ fan hosts -i ec2.py
    error: ec2.py is a program, such as an Ansible inventory script, not an inventory (help: chmod +x ec2.py, and -i ec2.py runs it: docs/inventories.md)

    $ fan hosts -i site.yml
    error: site.yml is an Ansible playbook, not an inventory (help: docs/coming-from-ansible.md shows one as a tasks.yaml)

    $ fan hosts -i tasks.yaml
    error: tasks.yaml is a tasks file, not an inventory (help: -f names the tasks file, -i the inventory)

    $ fan hosts -i broken.yaml
    broken.yaml:2:10: error: unknown field "prot"; did you mean "port"?

    $ fan run hello -f site.yml
    error: site.yml is an Ansible playbook, not a fan tasks file (help: docs/coming-from-ansible.md shows one as a tasks.yaml)

    $ fan run hello -f main.yml
    error: main.yml is a list of tasks of an Ansible role, not a fan tasks file (help: docs/ansible-modules.md shows each module as a step of a tasks.yaml)

    $ fan run hello -f fabfile.py
    error: fabfile.py is a fabfile, not a fan tasks file (help: docs/coming-from-fabric.md shows one as a tasks.yaml)

    $ fan run hello -f Capfile
    error: Capfile is a file of Capistrano, not a fan tasks file (help: docs/recipes/release.md is a deployment with releases and a rollback)

    $ fan run hello -f inventory.yaml
    error: inventory.yaml is an inventory, not a fan tasks file (help: -i names the inventory, -f the tasks file)

    $ fan run hello -f hosts.ini -i site.yml
    error: site.yml is an Ansible playbook, not an inventory (help: docs/coming-from-ansible.md shows one as a tasks.yaml)
    error: hosts.ini is an Ansible inventory, not a fan tasks file (help: -i hosts.ini takes its hosts and groups: docs/inventories.md)

    $ fan run site.yml
    error: no task "site.yml" in tasks.yaml (help: it is an Ansible playbook: docs/coming-from-ansible.md shows one as a tasks.yaml)

    $ fan site.yml
    error: "site.yml" is a file: the command comes first (help: it is an Ansible playbook: docs/coming-from-ansible.md shows one as a tasks.yaml)

    $ fan hosts.txt
    error: "hosts.txt" is a file: the command comes first (help: it is a plain list of hosts: -i hosts.txt takes its hosts: docs/inventories.md)
    "#);
    let elsewhere = Fan::new().file("fabfile.py", "from fabric import task\n");
    insta::assert_snapshot!(trap.refuses(&elsewhere, words("run deploy\ndeploy\n-H web1 deploy")), @r#"
    $ fan run deploy
    error: no tasks.yaml here or in a folder above (help: there is fabfile.py; it is a fabfile: docs/coming-from-fabric.md shows one as a tasks.yaml)

    $ fan deploy
    error: "deploy" is not a fan command, and there is no tasks.yaml here or in a folder above (help: there is fabfile.py; it is a fabfile: docs/coming-from-fabric.md shows one as a tasks.yaml)

    $ fan -H web1 deploy
    error: no tasks.yaml here or in a folder above (help: there is fabfile.py; it is a fabfile: docs/coming-from-fabric.md shows one as a tasks.yaml)
    "#);
}
