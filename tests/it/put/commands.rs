//! `fan put`, `get`, `sync` and `ls`, and tasks with steps on files, up to the first contact: what would be done,
//! and what is refused before anybody hears of it.

use crate::fixtures::trap::{Trap, words};

const TASKS: &str = "\
vars: {app: shop}
tasks:
  conf:
    roles: [web]
    steps:
      - {put: dist, to: '/srv/{{ app }}/', mode: 0644, dir_mode: 750, exclude: ['*.log'], sudo: true, cd: /srv}
      - {template: app.conf, to: /etc/app.conf, owner: root, backup: true, validate: app -t %s}
      - {sync: dist/, to: /srv/www, delete: true, links: skip, times: false}
      - {file: /srv/current, state: link, target: 'releases/{{ app }}'}
      - {file: /srv/old, state: absent, recurse: true, when: app == 'shop'}
      - {line: 'listen 80', in: /etc/app.conf, match: ^listen, timeout: 5s}
      - {line: , in: /etc/app.conf, match: ^debug, state: absent}
      - {get: /var/log/app.log, to: 'logs/{{ host }}/'}
      - {stat: /srv, register: srv}
      - {ls: '/srv/{{ app }}', sudo: true}
  broken:
    roles: [web]
    steps:
      - {put: [dist, missing.tgz], to: /srv/}
      - {template: broken.conf, to: /etc/app.conf}
      - {get: /var/log/app.log, to: logs/}
";

#[test]
fn a_plan_shows_what_goes_where() {
    let trap = Trap::set();
    let fan = trap.fan().file("tasks.yaml", TASKS).file("app.conf", "{{ app }} on {{ host }}\n");
    std::fs::create_dir(fan.work().join("dist")).unwrap();
    let calls = words(
        "run -n conf
         run -n conf -H web1 --dry-run --diff
         check conf
         put -n -R web app.conf /etc/
         put -n -H web1 app.conf dist /srv/{host}/ --mode 640 --owner root -S --backup --skip *.log --dry-run
         get -n -R web /var/log/app.log logs/{host}/ --links follow --times
         sync -n -R db dist /srv/{{x}} --delete --no-times
         ls -n -R web -S /srv",
    );
    insta::assert_snapshot!(trap.transcript(&fan, 0, calls), @r#"
    $ fan run -n conf
    conf on web[1-3] (3)
      1. put: dist → /srv/shop/  [mode 0644]  [dir_mode 0750]  [without *.log]  [sudo]  [cd /srv]
      2. template: app.conf → /etc/app.conf  [owner root]  [backup]  [validate app -t %s]
      3. sync: dist/ → /srv/www  [delete]  [links skip]  [no times]
      4. file: /srv/current  [link → releases/shop]
      5. file: /srv/old  [absent, recurse]  [when app == 'shop']
      6. line: /etc/app.conf  [line "listen 80"]  [timeout <time>]
      7. line: /etc/app.conf  [absent "^debug"]
      8. get: /var/log/app.log → logs/{{ host }}/
      9. stat: /srv
      10. ls: /srv/shop  [sudo]

    $ fan run -n conf -H web1 --dry-run --diff
    conf on web1 (1)
      1. put: dist → /srv/shop/  [mode 0644]  [dir_mode 0750]  [without *.log]  [sudo]  [cd /srv]  [dry run]
      2. template: app.conf → /etc/app.conf  [owner root]  [backup]  [validate app -t %s]  [dry run]
      3. sync: dist/ → /srv/www  [delete]  [links skip]  [no times]  [dry run]
      4. file: /srv/current  [link → releases/shop]  [dry run]
      5. file: /srv/old  [absent, recurse]  [when app == 'shop']  [dry run]
      6. line: /etc/app.conf  [line "listen 80"]  [timeout <time>]  [dry run]
      7. line: /etc/app.conf  [absent "^debug"]  [dry run]
      8. get: /var/log/app.log → logs/web1/  [dry run]
      9. stat: /srv
      10. ls: /srv/shop  [sudo]

    $ fan check conf
    ok: 4 hosts, 2 roles, 2 tasks
    ok: 1 task with 10 steps on 3 hosts

    $ fan put -n -R web app.conf /etc/
    put app.conf → /etc/ on web[1-3] (3)
      1. put: app.conf → /etc/

    $ fan put -n -H web1 app.conf dist /srv/{host}/ --mode 640 --owner root -S --backup --skip *.log --dry-run
    put app.conf dist → /srv/{host}/ on web1 (1)
      1. put: app.conf dist → /srv/{host}/  [mode 0640]  [owner root]  [without *.log]  [backup]  [sudo]  [dry run]

    $ fan get -n -R web /var/log/app.log logs/{host}/ --links follow --times
    get /var/log/app.log → logs/{host}/ on web[1-3] (3)
      1. get: /var/log/app.log → logs/{host}/  [links follow]  [times]

    $ fan sync -n -R db dist /srv/{{x}} --delete --no-times
    sync dist → /srv/{{x}} on db1 (1)
      1. sync: dist → /srv/{{x}}  [delete]  [no times]

    $ fan ls -n -R web -S /srv
    ls /srv on web[1-3] (3)
      1. ls: /srv  [sudo]
    "#);
}

#[test]
fn what_cannot_work_is_refused_before_contact() {
    let trap = Trap::set();
    let broken = "{{ app }}\n  {{ aap }}\n";
    let fan = trap.fan().file("tasks.yaml", TASKS).file("broken.conf", broken).file("file", "");
    std::fs::create_dir(fan.work().join("dist")).unwrap();
    let calls = words(
        "run broken
         check broken
         put -R web missing /srv
         put -R web file
         put file /srv
         put -R web file /srv --mode u+x
         put -R web file /srv --skip a[
         put -R web file /srv --validate true
         put -R web file /srv -e a=1
         put -R web '' /srv
         get -R web /var/log/app.log logs/
         get -R web /a /x/a logs/{host}
         get -H web1 /a file/b
         sync -R web file /srv
         sync -R web dist
         ls -R web",
    );
    insta::assert_snapshot!(trap.refuses(&fan, calls), @r#"
    $ fan run broken
    broken.conf:2:6: error: undefined variable "aap" (help: did you mean "app"?)
    tasks.yaml:19:22: error: cannot read missing.tgz: no such file or folder
    tasks.yaml:21:37: error: 3 hosts would write to logs/app.log: web1, web2, web3 (help: put {{ host }} in "to", as in "logs/{{ host }}/")

    $ fan check broken
    broken.conf:2:6: error: undefined variable "aap" (help: did you mean "app"?)
    tasks.yaml:19:22: error: cannot read missing.tgz: no such file or folder
    tasks.yaml:21:37: error: 3 hosts would write to logs/app.log: web1, web2, web3 (help: put {{ host }} in "to", as in "logs/{{ host }}/")

    $ fan put -R web missing /srv
    error: cannot read missing: no such file or folder

    $ fan put -R web file
    error: the following required arguments were not provided:
      <LOCAL>...

    Usage: fan put --roles <ROLES> <LOCAL>... <REMOTE>

    For more information, try '--help'.

    $ fan put file /srv
    error: no hosts selected (help: name them: -R ROLE, -H HOSTS, or -H all)

    $ fan put -R web file /srv --mode u+x
    error: invalid value 'u+x' for '--mode <MODE>': mode must be octal, as in "0644", got "u+x"

    For more information, try '--help'.

    $ fan put -R web file /srv --skip a[
    error: invalid value 'a[' for '--skip <GLOB>': unclosed character class; missing ']'

    For more information, try '--help'.

    $ fan put -R web file /srv --validate true
    error: invalid value 'true' for '--validate <CMD>': must hold %s once, for the new file, as in "nginx -t -c %s"

    For more information, try '--help'.

    $ fan put -R web file /srv -e a=1
    error: -e has no effect in `fan put` (help: paths are no templates: {host} stands for the host's name; use a task (`fan run`) for templates)

    $ fan put -R web  /srv
    error: a value is required for '<LOCAL>...' but none was supplied

    For more information, try '--help'.

    $ fan get -R web /var/log/app.log logs/
    error: 3 hosts would write to logs/app.log: web1, web2, web3 (help: put {host} in the local path, as in logs/{host}/)

    $ fan get -R web /a /x/a logs/{host}
    error: two sources would write to logs/web1/a: /a, /x/a (help: fetch them one at a time, each into its own folder)

    $ fan get -H web1 /a file/b
    error: file is not a folder

    $ fan sync -R web file /srv
    error: file is not a folder

    $ fan sync -R web dist
    error: the following required arguments were not provided:
      <REMOTE>

    Usage: fan sync --roles <ROLES> <LOCAL> <REMOTE>

    For more information, try '--help'.

    $ fan ls -R web
    error: the following required arguments were not provided:
      <PATH>

    Usage: fan ls --roles <ROLES> <PATH>

    For more information, try '--help'.
    "#);
}
