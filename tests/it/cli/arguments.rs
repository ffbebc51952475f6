//! Mistakes on the command line: each is told in words that help, and no host hears of it.

use crate::fixtures::support::{Fan, typed_on_terminal};
use crate::fixtures::trap::{Trap, words};

#[test]
fn commands_and_flags() {
    let trap = Trap::set();
    let calls = words(
        "exce -H web1 -- true
         exec --exclud web1 -H web1 -- true
         exec -H
         exec -H web1
         exec -H web1 --
         exec -H web1 -- ''
         exec -H web1 --limit 1 --pick 1 -- true
         exec -H web1 --format xml -- true
         exec -H web1 --color sometimes -- true
         exec -H web1 -e a=1 -- true
         exec -u ro;ot -H web1 -- true
         exec --password=hunter2 -H web1 -- true
         hosts --json --list
         run
         ping web1",
    );
    insta::assert_snapshot!(trap.refuses(&trap.fan(), calls), @r#"
    $ fan exce -H web1 -- true
    error: "exce" is neither a fan command nor a task in tasks.yaml (help: did you mean `fan exec`?)

    $ fan exec --exclud web1 -H web1 -- true
    error: unexpected argument '--exclud' found

      tip: a similar argument exists: '--exclude'
      tip: to pass '--exclud' as a value, use '-- --exclud'

    Usage: fan exec --exclude <EXPR> [CMD]...

    For more information, try '--help'.

    $ fan exec -H
    error: a value is required for '--hosts <EXPR>' but none was supplied

    For more information, try '--help'.

    $ fan exec -H web1
    error: there is no command (help: write it behind --: fan exec -R web -- uptime; on a terminal, `fan console` takes one after the other)

    $ fan exec -H web1 --
    error: there is no command (help: write it behind --: fan exec -R web -- uptime; on a terminal, `fan console` takes one after the other)

    $ fan exec -H web1 -- 
    error: the command is empty

    $ fan exec -H web1 --limit 1 --pick 1 -- true
    error: the argument '--limit <N>' cannot be used with '--pick <N>'

    Usage: fan exec --hosts <EXPR> --limit <N> <CMD>...

    For more information, try '--help'.

    $ fan exec -H web1 --format xml -- true
    error: invalid value 'xml' for '--format <KIND>'
      [possible values: auto, lines, fold, jsonl, github, gitlab, quiet]

    For more information, try '--help'.

    $ fan exec -H web1 --color sometimes -- true
    error: invalid value 'sometimes' for '--color <WHEN>'
      [possible values: auto, always, never]

    For more information, try '--help'.

    $ fan exec -H web1 -e a=1 -- true
    error: -e has no effect in `fan exec` (help: the command is passed on unchanged: use a task (`fan run`) for templates)

    $ fan exec -u ro;ot -H web1 -- true
    error: -u: character ";" in user name "ro;ot"

    $ fan exec --password=hunter2 -H web1 -- true
    error: fan exec has no --password (help: -k asks for the login password, -K for that of sudo: others on this machine can see a command line)

    $ fan hosts --json --list
    error: the argument '--json' cannot be used with '--list'

    Usage: fan hosts --json

    For more information, try '--help'.

    $ fan run
    error: the following required arguments were not provided:
      <TASK[:ARGS]>...

    Usage: fan run <TASK[:ARGS]>...

    For more information, try '--help'.

    $ fan ping web1
    error: unexpected argument 'web1' found

    Usage: fan ping [OPTIONS]

    For more information, try '--help'.
    "#);
}

#[test]
fn a_flag_without_effect_is_refused() {
    let trap = Trap::set();
    let calls = words(
        "exec -H web1 -K -- true
         put -K -H web1 tasks.yaml /tmp/
         ls -H web1 -e a=1 /tmp
         ls -H web1 --confirm prod /tmp
         get --confirm prod -H web1 /tmp/x x
         ping -K
         facts --ask-sudo-pass
         shell -z 5 web1
         shell -T 5 web1
         trust -K
         hosts -z 5
         run -S deploy:1
         check -z 5 -t 9
         check -e a=1 --tags x",
    );
    insta::assert_snapshot!(trap.refuses(&trap.fan(), calls), @"
    $ fan exec -H web1 -K -- true
    error: -K has no effect: nothing is done with sudo here (help: add -S to work as root, or --as USER)

    $ fan put -K -H web1 tasks.yaml /tmp/
    error: -K has no effect: nothing is done with sudo here (help: add -S to work as root, or --as USER)

    $ fan ls -H web1 -e a=1 /tmp
    error: -e has no effect in `fan ls` (help: paths are no templates: {host} stands for the host's name; use a task (`fan run`) for templates)

    $ fan ls -H web1 --confirm prod /tmp
    error: --confirm has no effect in `fan ls` (help: it is a flag of run, exec, jobs, console, put, sync, diff, shell, retry, resume)

    $ fan get --confirm prod -H web1 /tmp/x x
    error: --confirm has no effect in `fan get` (help: it is a flag of run, exec, jobs, console, put, sync, diff, shell, retry, resume)

    $ fan ping -K
    error: -K has no effect in `fan ping` (help: it is a flag of run, exec, jobs, console, put, get, sync, ls, diff, hosts, check, retry, resume)

    $ fan facts --ask-sudo-pass
    error: --ask-sudo-pass has no effect in `fan facts` (help: it is a flag of run, exec, jobs, console, put, get, sync, ls, diff, hosts, check, retry, resume)

    $ fan shell -z 5 web1
    error: -z has no effect in `fan shell` (help: it is a flag of run, exec, jobs, console, put, get, sync, ls, diff, probe, check, ping, facts, trust, retry, resume)

    $ fan shell -T 5 web1
    error: -T has no effect in `fan shell` (help: it is a flag of run, exec, jobs, console, put, get, sync, ls, diff, hosts, check, ping, facts, retry, resume)

    $ fan trust -K
    error: -K has no effect in `fan trust` (help: it is a flag of run, exec, jobs, console, put, get, sync, ls, diff, hosts, check, retry, resume)

    $ fan hosts -z 5
    error: -z has no effect in `fan hosts` (help: it is a flag of run, exec, jobs, console, put, get, sync, ls, diff, probe, check, ping, facts, trust, retry, resume)

    $ fan run -S deploy:1
    error: -S has no effect in `fan run` (help: in a task, steps say it: `sudo: true`)

    $ fan check -z 5 -t 9
    error: -t has no effect: no host is contacted (help: add --connect)
    error: -z has no effect: no host is contacted (help: add --connect)

    $ fan check -e a=1 --tags x
    error: -e has no effect: no task is checked (help: name one: fan check TASK)
    error: --tags has no effect: no task is checked (help: name one: fan check TASK)
    ");
    // What is set for all command lines is none of those that have nothing to do with it.
    let fan = trap.fan().env("FAN_ASK_SUDO_PASS", "true").env("FAN_SET", "a=1").env("FAN_POOL", "3");
    let ran = fan.run(["exec", "-H", "web1", "--plan", "--", "true"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(fan.run(["check"]).code, Some(0));
}

#[test]
fn a_call_without_a_command_shows_the_help() {
    let ran = Fan::new().run::<&str>([]);
    assert_eq!(ran.code, Some(2));
    for command in ["run", "exec", "list", "hosts", "check", "ping", "demo"] {
        assert!(ran.stderr.contains(&format!("\n  {command} ")), "{}", ran.stderr);
    }
}

#[test]
fn numbers_and_times() {
    let trap = Trap::set();
    let calls = words(
        "exec -z 0 -H web1 -- true
         exec -z many -H web1 -- true
         exec -z 99999999999999999999 -H web1 -- true
         exec -t 0 -H web1 -- true
         exec -t none -H web1 -- true
         exec -t 1h2x -H web1 -- true
         exec -T=-1 -H web1 -- true
         exec -T 0 -H web1 -- true
         exec -T 99999999d -H web1 -- true
         exec --limit 0 -H web1 -- true
         exec --max-hosts 0 -H web1 -- true",
    );
    insta::assert_snapshot!(trap.refuses(&trap.fan(), calls), @r#"
    $ fan exec -z 0 -H web1 -- true
    error: invalid value '0' for '--pool <N>': must be a number from 1 to 1000000

    For more information, try '--help'.

    $ fan exec -z many -H web1 -- true
    error: invalid value 'many' for '--pool <N>': must be a number from 1 to 1000000

    For more information, try '--help'.

    $ fan exec -z 99999999999999999999 -H web1 -- true
    error: invalid value '99999999999999999999' for '--pool <N>': must be a number from 1 to 1000000

    For more information, try '--help'.

    $ fan exec -t 0 -H web1 -- true
    error: invalid value '0' for '--connect-timeout <TIME>': "0" is zero; write none for no limit

    For more information, try '--help'.

    $ fan exec -t none -H web1 -- true
    error: -t: connecting always has a deadline; give a time

    $ fan exec -t 1h2x -H web1 -- true
    error: invalid value '1h2x' for '--connect-timeout <TIME>': unit "x" in "1h2x" is not known; units are ms, s, m, h and d

    For more information, try '--help'.

    $ fan exec -T=-1 -H web1 -- true
    error: invalid value '-1' for '--command-timeout <TIME>': duration "-1" is negative; none means no limit

    For more information, try '--help'.

    $ fan exec -T 0 -H web1 -- true
    error: invalid value '0' for '--command-timeout <TIME>': "0" is zero; write none for no limit

    For more information, try '--help'.

    $ fan exec -T 99999999d -H web1 -- true
    error: invalid value '99999999d' for '--command-timeout <TIME>': "99999999d" is longer than 365 days; write none for no limit

    For more information, try '--help'.

    $ fan exec --limit 0 -H web1 -- true
    error: invalid value '0' for '--limit <N>': must be a number from 1 to 1000000

    For more information, try '--help'.

    $ fan exec --max-hosts 0 -H web1 -- true
    error: invalid value '0' for '--max-hosts <N>': must be a number from 1 to 1000000

    For more information, try '--help'.
    "#);
}

#[test]
fn variables_of_the_environment_are_checked_as_flags_are() {
    let trap = Trap::set();
    for (name, value, said) in [
        ("FAN_POOL", "0", "must be a number from 1 to 1000000"),
        ("FAN_COMMAND_TIMEOUT", "soon", "--command-timeout"),
        ("FAN_FORMAT", "xml", "possible values"),
        ("FAN_EXCLUDE", "db9", "db9"),
        ("FAN_INVENTORY", "none.yaml", "none.yaml: cannot read: no such file"),
    ] {
        let ran = trap.fan().env(name, value).run(["exec", "-H", "web1", "--", "true"]);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.snapshot());
        assert!(ran.stderr.contains(said), "{name}: {}", ran.snapshot());
        trap.assert_untouched(name);
    }
}

#[test]
fn what_stands_behind_the_dashes_is_the_command() {
    let trap = Trap::set();
    let calls = words(
        "exec -n -H web1 -- -x --limit 0
         exec -n -R web -x web2 -- echo -- {{ a }} $HOME",
    );
    insta::assert_snapshot!(trap.transcript(&trap.fan(), 0, calls), @"
    $ fan exec -n -H web1 -- -x --limit 0
    -x --limit 0 on web1 (1)
      1. run: -x --limit 0

    $ fan exec -n -R web -x web2 -- echo -- {{ a }} $HOME
    echo -- {{ a }} $HOME on web[1,3] (2)
      1. run: echo -- {{ a }} $HOME
    ");
}

#[test]
fn hosts_that_are_not_there() {
    let trap = Trap::set();
    let calls = words(
        "exec -- true
         run look
         exec --limit 1 -- true
         exec -R webs -- true
         exec -R web,dbs -H web9 -- true
         exec -H wbe1 -- true
         exec -H nope* -- true
         exec -H @web&db1 -- true
         exec -H all -x db9 -- true
         exec -H web1 -x web1 -- true
         exec -H web1 -x web* -- true
         run hello -x nope*
         run deploy:version=1 -R wbe",
    );
    insta::assert_snapshot!(trap.refuses(&trap.fan(), calls), @r#"
    $ fan exec -- true
    error: no hosts selected (help: name them: -R ROLE, -H HOSTS, or -H all)

    $ fan run look
    tasks.yaml:10:3: error: task "look" names no hosts (help: add -R ROLE or -H HOSTS, give the task `roles:`, or the inventory `default_targets:`)

    $ fan exec --limit 1 -- true
    error: --limit and --pick need hosts to choose from: add -R, -H or --hosts-file

    $ fan exec -R webs -- true
    error: no role "webs" (help: did you mean @web? roles: @db, @web)
        @webs
        ^

    $ fan exec -R web,dbs -H web9 -- true
    error: no role "dbs" (help: did you mean @db? roles: @db, @web)
        @dbs
        ^
    error: no host matches "web9" (help: did you mean "web1"? roles: @db, @web)
        web9
        ^

    $ fan exec -H wbe1 -- true
    error: no host matches "wbe1" (help: did you mean "web1"? roles: @db, @web)
        wbe1
        ^

    $ fan exec -H nope* -- true
    error: no host matches "nope*" (help: roles: @db, @web)
        nope*
        ^

    $ fan exec -H @web&db1 -- true
    error: no hosts left in the selection (help: `fan hosts` shows the hosts to select from)

    $ fan exec -H all -x db9 -- true
    error: no host matches "db9" (help: did you mean "db1"? roles: @db, @web)
        db9
        ^

    $ fan exec -H web1 -x web1 -- true
    error: no hosts left in the selection (help: `fan hosts` shows the hosts to select from)

    $ fan exec -H web1 -x web* -- true
    error: no hosts left in the selection (help: `fan hosts` shows the hosts to select from)

    $ fan run hello -x nope*
    tasks.yaml:9:3: error: no host matches "nope*" (help: roles: @db, @web)

    $ fan run deploy:version=1 -R wbe
    error: no role "wbe" (help: did you mean @web? roles: @db, @web)
        @wbe
        ^
    "#);
}

#[test]
fn hosts_of_no_inventory_must_be_named() {
    let trap = Trap::set();
    let calls = words(
        "exec -H all -- true
         exec -R web -- true
         hosts
         ping",
    );
    insta::assert_snapshot!(trap.refuses(&Fan::new(), calls), @r#"
    $ fan exec -H all -- true
    error: "all": no inventory.yaml here or in a folder above (help: name one with -i FILE, begin one with `fan init`, or name hosts outright: -H web1,deploy@192.0.2.7)
        all
        ^

    $ fan exec -R web -- true
    error: no role "web": no inventory.yaml here or in a folder above (help: name one with -i FILE, begin one with `fan init`, or name hosts outright: -H web1,deploy@192.0.2.7)
        @web
        ^

    $ fan hosts
    error: no inventory.yaml here or in a folder above (help: name one with -i FILE, begin one with `fan init`, or name hosts outright: -H web1,deploy@192.0.2.7)

    $ fan ping
    error: no inventory.yaml here or in a folder above (help: name one with -i FILE, begin one with `fan init`, or name hosts outright: -H web1,deploy@192.0.2.7)
    "#);
}

#[test]
fn ranges() {
    let trap = Trap::set();
    let calls = words(
        "exec -H web[3-1] -- true
         exec -H web[1- -- true
         exec -H web[] -- true
         exec -H web] -- true
         exec -H web[1-3 -- true
         exec -H web[1-99999999] -- true
         exec -H x[1-100][1-100][1-100] -- true
         exec -H 10.0.0.0/8 -- true
         exec -H ::/0 -- true
         exec --max-hosts 2 -H web[1-3] -- true
         exec --max-hosts 2 -R web -- true
         hosts --max-hosts 3",
    );
    insta::assert_snapshot!(trap.refuses(&trap.fan(), calls), @r#"
    $ fan exec -H web[3-1] -- true
    error: range runs backwards: 3-1 (help: write [1-3])
        web[3-1]
            ^

    $ fan exec -H web[1- -- true
    error: unclosed "["
        web[1-
           ^

    $ fan exec -H web[] -- true
    error: empty range "[]" (help: write the numbers: web[1-3])
        web[]
           ^

    $ fan exec -H web] -- true
    error: "]" without "["
        web]
           ^

    $ fan exec -H web[1-3 -- true
    error: unclosed "["
        web[1-3
           ^

    $ fan exec -H web[1-99999999] -- true
    error: expands to 99999999 hosts (limit 10000; raise it with --max-hosts)
        web[1-99999999]
        ^

    $ fan exec -H x[1-100][1-100][1-100] -- true
    error: expands to 1000000 hosts (limit 10000; raise it with --max-hosts)
        x[1-100][1-100][1-100]
        ^

    $ fan exec -H 10.0.0.0/8 -- true
    error: no host of the inventory has an address in 10.0.0.0/8
        10.0.0.0/8
        ^

    $ fan exec -H ::/0 -- true
    error: no host of the inventory has an address in ::/0
        ::/0
        ^

    $ fan exec --max-hosts 2 -H web[1-3] -- true
    inventory.yaml:3:6: error: expands to 3 hosts (limit 2; raise it with --max-hosts)

    $ fan exec --max-hosts 2 -R web -- true
    inventory.yaml:3:6: error: expands to 3 hosts (limit 2; raise it with --max-hosts)

    $ fan hosts --max-hosts 3
    inventory.yaml:4:3: error: more than 3 hosts (help: raise the limit with --max-hosts)
    "#);
}

#[test]
fn addresses() {
    let trap = Trap::set();
    let calls = words(
        "exec -H 10.0.0.5/24 -- true
         exec -H 10.0.0.0/33 -- true
         exec -H 10.0.0/24 -- true
         exec -H nobody@010.0.0.1 -- true
         exec -H nobody@::1:22 -- true
         exec -H nobody@127.0.0.1:0 -- true
         exec -H nobody@127.0.0.1:70000 -- true
         exec -H nobody:hunter2@web1 -- true
         exec -H ssh://nobody:hunter2@web1:22 -- true
         hosts -H nobody:hunter2@web1
         exec -H=-oProxyCommand=id -- true
         exec -H nobody@-oProxyCommand=id -- true
         exec -H host;id -- true
         exec -H $(id) -- true
         exec -H `id` -- true
         exec -H nobody@../x -- true
         exec -H nobody@bücher -- true
         exec -H nobody@ -- true
         exec -H @ -- true
         exec -H '' -- true
         exec -R '' -- true",
    );
    let mut said = trap.refuses(&trap.fan(), calls);
    let long = format!("nobody@{}", "x".repeat(300));
    said += &trap.refuses(&trap.fan(), [vec!["exec", "-H", &long, "--", "true"]]);
    said += &trap.refuses(&trap.fan(), [vec!["exec", "-H", "a b", "--", "true"]]);
    insta::assert_snapshot!(said, @r#"
    $ fan exec -H 10.0.0.5/24 -- true
    error: 10.0.0.5/24 has host bits set (help: did you mean 10.0.0.0/24?)
        10.0.0.5/24
        ^

    $ fan exec -H 10.0.0.0/33 -- true
    error: prefix length /33 is over /32
        10.0.0.0/33
                 ^

    $ fan exec -H 10.0.0/24 -- true
    error: "10.0.0" is not an IP address (help: write all four parts: 10.0.0.0/24)
        10.0.0/24
        ^

    $ fan exec -H nobody@010.0.0.1 -- true
    error: leading zero in 010.0.0.1, which some programs read as octal (help: write 10.0.0.1)
        nobody@010.0.0.1
               ^

    $ fan exec -H nobody@::1:22 -- true
    error: ::1:22 may be an address, or an address and a port (help: use [::1]:22, or [::1:22] without a port)
        nobody@::1:22
               ^

    $ fan exec -H nobody@127.0.0.1:0 -- true
    error: port must be 1-65535, got 0
        nobody@127.0.0.1:<port>
                         ^

    $ fan exec -H nobody@127.0.0.1:70000 -- true
    error: port must be 1-65535, got 70000
        nobody@127.0.0.1:70000
                         ^

    $ fan exec -H nobody:hunter2@web1 -- true
    error: a target cannot hold a password (help: write user@host; anyone on the machine can see a command line)
        nobody:
               ^

    $ fan exec -H ssh://nobody:hunter2@web1:22 -- true
    error: a target cannot hold a password (help: write user@host; anyone on the machine can see a command line)
        ssh://
              ^

    $ fan hosts -H nobody:hunter2@web1
    error: a target cannot hold a password (help: write user@host; anyone on the machine can see a command line)
        nobody:
               ^

    $ fan exec -H=-oProxyCommand=id -- true
    error: no host matches "-oProxyCommand=id" (help: roles: @db, @web)
        -oProxyCommand=id
        ^

    $ fan exec -H nobody@-oProxyCommand=id -- true
    error: address "-oProxyCommand=id" starts with "-"
        nobody@-oProxyCommand=id
        ^

    $ fan exec -H host;id -- true
    error: no host matches "host;id" (help: roles: @db, @web)
        host;id
        ^

    $ fan exec -H $(id) -- true
    error: no host matches "$(id)" (help: roles: @db, @web)
        $(id)
        ^

    $ fan exec -H `id` -- true
    error: no host matches "`id`" (help: roles: @db, @web)
        `id`
        ^

    $ fan exec -H nobody@../x -- true
    error: ".." is not an IP address (help: a "/" stands only in a CIDR block such as 10.0.3.0/29)
        nobody@../x
               ^

    $ fan exec -H nobody@bücher -- true
    error: address "bücher" is not ASCII; write its punycode form (xn--...)
        nobody@bücher
        ^

    $ fan exec -H nobody@ -- true
    error: no address after "@"
        nobody@
               ^

    $ fan exec -H @ -- true
    error: no role after "@"
        @
        ^

    $ fan exec -H  -- true
    error: a target is missing here (help: write a host, @role, a glob, or all)

    $ fan exec -R  -- true
    error: no role after "@"
        @
        ^

    $ fan exec -H nobody@xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    error: address of 300 characters (limit 253)
        nobody@xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        ^

    $ fan exec -H a b -- true
    error: space in a target (help: put a comma between targets)
        a b
         ^
    "#);
}

#[test]
fn task_arguments() {
    let trap = Trap::set();
    let calls = words(
        "run depoly
         run deploy
         run deploy:1,2,3
         run deploy:verison=1
         run deploy:version=1,version=2
         run deploy:version=1,2
         run deploy:=1
         run look:1
         run deploy:1 hello:nmae=x look
         check depoly
         check deploy
         demo depoly
         demo --hosts 0
         demo --hosts 501",
    );
    insta::assert_snapshot!(trap.refuses(&trap.fan(), calls), @r#"
    $ fan run depoly
    error: no task "depoly" in tasks.yaml (help: did you mean "deploy"?)

    $ fan run deploy
    tasks.yaml:3:3: error: task "deploy" needs a value for "version" (help: fan run deploy:version=VALUE)

    $ fan run deploy:1,2,3
    error: task "deploy" takes 2 arguments, 3 given
    tasks.yaml:3:3: error: task "deploy" needs true or false for "force" (its default is false); got "2"

    $ fan run deploy:verison=1
    error: task "deploy" has no parameter "verison" (help: did you mean "version"?)
    tasks.yaml:3:3: error: task "deploy" needs a value for "version" (help: fan run deploy:version=VALUE)

    $ fan run deploy:version=1,version=2
    error: deploy:version=1,version=2: "version" is given twice

    $ fan run deploy:version=1,2
    error: deploy:version=1,2: "2" stands after a named argument (help: arguments without a name come first)

    $ fan run deploy:=1
    error: empty variable name

    $ fan run look:1
    error: task "look" takes no arguments, 1 given
    tasks.yaml:10:3: error: task "look" names no hosts (help: add -R ROLE or -H HOSTS, give the task `roles:`, or the inventory `default_targets:`)

    $ fan run deploy:1 hello:nmae=x look
    error: task "hello" has no parameter "nmae" (help: did you mean "name"?)
    tasks.yaml:10:3: error: task "look" names no hosts (help: add -R ROLE or -H HOSTS, give the task `roles:`, or the inventory `default_targets:`)

    $ fan check depoly
    error: no task "depoly" in tasks.yaml (help: did you mean "deploy"?)

    $ fan check deploy
    tasks.yaml:3:3: error: task "deploy" needs a value for "version" (help: fan run deploy:version=VALUE)

    $ fan demo depoly
    error: no task "depoly" in tasks.example.yaml (help: did you mean "deploy"?)

    $ fan demo --hosts 0
    error: invalid value '0' for '--hosts <N>': 0 is not in 1..=500

    For more information, try '--help'.

    $ fan demo --hosts 501
    error: invalid value '501' for '--hosts <N>': 501 is not in 1..=500

    For more information, try '--help'.
    "#);
}

#[test]
fn variables_of_the_command_line() {
    let trap = Trap::set();
    let fan = trap
        .fan()
        .file("list.yaml", "- a\n- b\n")
        .file("tab.yaml", "a:\n\tb: 1\n")
        .file("secret.yaml", "a: hunter2\nb: \"hunter2\n");
    let calls = words(
        "run hello -e name
         run hello -e =x
         run hello -e na-me=x
         run hello -e @none.yaml
         run hello -e @list.yaml
         run hello -e @tab.yaml
         run hello -e @secret.yaml
         run hello -e @.
         check hello -e name",
    );
    insta::assert_snapshot!(trap.refuses(&fan, calls), @r#"
    $ fan run hello -e name
    error: -e name: no "=" in it (help: write -e NAME=VALUE, or -e @FILE.yaml)

    $ fan run hello -e =x
    error: -e =…: empty variable name

    $ fan run hello -e na-me=x
    error: -e na-me=…: character "-" in variable name "na-me"; write na_me

    $ fan run hello -e @none.yaml
    error: none.yaml: cannot read: no such file

    $ fan run hello -e @list.yaml
    list.yaml:1:1: error: expected a map of variables, found a list

    $ fan run hello -e @tab.yaml
    tab.yaml:2:1: error: tab used for indentation; use spaces

    $ fan run hello -e @secret.yaml
    secret.yaml:3:1: error: a quote that was opened above is not closed (help: close it, or indent its continuation lines)

    $ fan run hello -e @.
    error: .: cannot read: is a directory

    $ fan check hello -e name
    error: -e name: no "=" in it (help: write -e NAME=VALUE, or -e @FILE.yaml)
    "#);
}

/// A CI job passes on names that anybody may choose.
#[test]
fn values_of_the_command_line_are_no_templates() {
    let trap = Trap::set();
    let tasks = "tasks:
  greet:
    params: {name: 'nobody on {{ host }}', greeting: Hello}
    vars: {line: '{{ greeting }} {{ name }}', more: '{{ nope }}'}
    steps: [{echo: '{{ line }}{{ more }}'}]
";
    let fan = trap.fan().file("tasks.yaml", tasks).env("SECRET", "hunter2");
    let greet = |args: &[&str]| {
        let ran = fan.run(["run", "-N", "-H", "db1", "-e", "more=!"].iter().chain(args));
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        trap.assert_untouched("an echo");
        ran.stdout
    };
    assert_eq!(greet(&["greet"]), "Hello nobody on db1!\n");
    assert_eq!(greet(&["greet:{{ env('SECRET') }}"]), "Hello {{ env('SECRET') }}!\n");
    assert_eq!(greet(&["greet:name={{ host }},greeting={% if %}"]), "{% if %} {{ host }}!\n");
    assert_eq!(greet(&["greet", "-e", "name={{ env('SECRET') }}"]), "Hello {{ env('SECRET') }}!\n");
    let from_file = trap.fan().file("vars.yaml", "name: \"{{ env('SECRET') }}\"\n").file("tasks.yaml", tasks);
    let ran = from_file.run(["run", "-N", "-H", "db1", "-e", "more=!", "-e", "@vars.yaml", "greet"]);
    assert_eq!(ran.stdout, "Hello {{ env('SECRET') }}!\n", "{}", ran.snapshot());
}

#[test]
fn a_plan_shows_what_variables_came_to() {
    let trap = Trap::set();
    let fan = trap.fan().file("more.yaml", "name: Jo\nforce: true\n");
    let calls = words(
        "run -n hello:name=Jeff
         run -n hello -e name=Jeff,Jo
         run -n hello:Jeff deploy -e version=1.10 -e @more.yaml
         check hello:Jeff deploy:2
         check
         list
         hosts --list -R db,web --limit 3",
    );
    insta::assert_snapshot!(trap.transcript(&fan, 0, calls), @"
    $ fan run -n hello:name=Jeff
    hello on web[1-3],db1 (4)
      1. echo: Hello Jeff

    $ fan run -n hello -e name=Jeff,Jo
    hello on web[1-3],db1 (4)
      1. echo: Hello Jeff,Jo

    $ fan run -n hello:Jeff deploy -e version=1.10 -e @more.yaml
    hello on web[1-3],db1 (4)
      1. echo: Hello Jo
    deploy on web[1-3] (3)
      1. run: echo shop 1.10 true

    $ fan check hello:Jeff deploy:2
    ok: 4 hosts, 2 roles, 3 tasks
    ok: 2 tasks with 2 steps on 4 hosts

    $ fan check
    ok: 4 hosts, 2 roles, 3 tasks

    $ fan list
    deploy:version,force=false  Release the app  [@web]
    hello:name=World              [all]
    look

    $ fan hosts --list -R db,web --limit 3
    web1
    web2
    web3
    ");
}

/// On a terminal a problem comes with its line; in a pipe, and where a secret may stand, without.
#[test]
fn a_problem_with_a_file_shows_its_line_on_a_terminal() {
    let inventory = "hosts:\n  web1: {prot: 22}\n  web2: {password: hunter2, sudo: {password: hunter2}}\n\
                     \x20\x20web3:\n    password: >-\n      hunter2\n  web4: {env: {LEVEL: [hunter2]}}\n";
    let fan = Fan::new().file("inventory.yaml", inventory);
    let (code, shown) = typed_on_terminal(&fan, "stty cols 80; exec \"$BINARY\" hosts", &[]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let first = "inventory.yaml:2:10: error: unknown field \"prot\"; did you mean \"port\"?\n  |\n\
                 2 |   web1: {prot: 22}\n  |          ^^^^\ninventory.yaml:3:20: error: ";
    assert!(shown.replace('\r', "").starts_with(first), "{shown}");
    assert_eq!(shown.matches("^^^").count(), 1, "{shown}");
    let ran = fan.run(["hosts"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.lines().all(|line| line.starts_with("inventory.yaml:")), "{}", ran.snapshot());
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.snapshot());

    let config = "Host *\n  ProxyCommand sshx hunter2\n  SetEnv A=hunter2\n  CanonicalizeHostname always\n  CanonicalDomains example.com\n";
    let hosts = "hosts: {web1: {}}\n";
    let fan = Fan::new().file("inventory.yaml", hosts).file("config", config);
    let line = "stty cols 80; exec \"$BINARY\" ping --ssh-config config";
    let (code, shown) = typed_on_terminal(&fan, line, &[]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("4 |   CanonicalizeHostname always") && !shown.contains("hunter2"), "{shown}");

    let fan = Fan::new().file("inventory.yaml", hosts).file("vars.yaml", "admin: hunter2\nadmin: hunter2\n");
    let line = "stty cols 80; exec \"$BINARY\" exec -e @vars.yaml -n -H web1 -- true";
    let (code, shown) = typed_on_terminal(&fan, line, &[]);
    assert!(code == Some(2) && !shown.contains("hunter2"), "{shown}");
}
