#!/bin/sh
# Writes what fuzzing begins with into a folder: what the tests read, and a few lines of each kind.
set -eu
to=$1
rm -rf "$to"

# Adds a file to the seeds of a target, with what is on standard input.
seed() {
    mkdir -p "$to/$1"
    cat >"$to/$1/$2"
}

# Adds files as they are.
all() {
    target=$1
    shift
    for file in "$@"; do
        [ ! -f "$file" ] || seed "$target" "$(echo "$file" | tr / -)" <"$file"
    done
}

all inventory tests/data/good/inventory/* tests/data/bad/inventory/* inventory.example.yaml
all tasks tests/data/good/tasks/* tests/data/bad/tasks/* tasks.example.yaml
all facts tests/data/facts/*

number=0
for text in '[web]
w[01:03] ansible_host=10.0.0.1 x="a b" y=1 # c
[web:vars]
v=True
[all:children]
web' 'all:
  hosts: {a: {ansible_port: 22}}
  children: {web: {hosts: {"w[1:2]": {}}, vars: {v: "{{ groups.web }}"}}}' 'deploy@web[1-3]:2222
10.0.0.1 root' '[a:vars]
s="$ANSIBLE_VAULT;1.1;AES256"'; do
    number=$((number + 1))
    printf %s "$text" | seed sources "$number"
done

number=0
for pattern in 'web[1-5]' 'web[01-10].example.org' 'a[1-3,7]b[a-c]' '10.0.0.0/29' '[1-2][1-2]' 'deploy@web[1-3]:2222' 'a,b' 'fd00::/126' '[::1]:22' 'n[9-11]' 'x[5]'; do
    number=$((number + 1))
    printf %s "$pattern" | seed ranges "$number"
done

number=0
for text in '{{ v }}' '{% if n > 3 %}a{% endif %}' '{{ map.k | upper }}' '{{ list | join(",") }}' "echo '{{ v }}' \"{{ v }}\"" 'n > 3 and v != "x"' \
    'cat <<E
{{ v }}
E' '{% for i in list %}{{ i }}{% endfor %}' '{{ v | default("x") }}' '${#a[@]} {# #}' '{% raw %}{{ }}{% endraw %}' 'list[0] == "a b"' 'map | dictsort'; do
    number=$((number + 1))
    printf %s "$text" | seed templates "$number"
done

printf '\001\000it'\''s "quoted" $x `y` \\ \n' | seed shells value
printf '\000\000\000\004\044\000' | seed shells trap

printf '.web1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG5LFg5NlbEoeV5e0AXyWfh8LLDmjRbWaj6RiSWAC28P\n@revoked * ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG5LFg5NlbEoeV5e0AXyWfh8LLDmjRbWaj6RiSWAC28P\n' | seed known_hosts lines
printf '.*.example.org,!web1,[web1]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG5LFg5NlbEoeV5e0AXyWfh8LLDmjRbWaj6RiSWAC28P c\r\n' | seed known_hosts patterns
printf '\012\003\032\000\015\003\032' | seed known_hosts words

seed ssh_config block <<'CONFIG'
Host web* !web9
  HostName %h.example.org
  User deploy
  Port 2222
  IdentityFile ~/.ssh/id_%r
  ProxyJump a,b@c:22
Match host *.example.org user deploy final
  ServerAliveInterval 15
  ConnectTimeout 5
  UserKnownHostsFile /dev/null
  SendEnv LANG
Host *
  ForwardAgent ${SOCK}
  StrictHostKeyChecking accept-new
CONFIG

printf '\010\010\010\010\010\010\010\010\000\000\000\005\002\000\000\000\003' | seed sftp version
printf '\001\001\001\001\001\001\001\001\000\000\000\021\145\000\000\000\001\000\000\000\004\000\000\000\000\000\000\000\000' | seed sftp status
printf '\001\001\001\001\001\001\001\001\000\000\000\015\147\000\000\000\001\000\000\000\003abc' | seed sftp data
printf '\011\011\011\011\011\011\011\011\000\000\000\043\150\000\000\000\001\000\000\000\001\000\000\000\001a\000\000\000\001b\000\000\000\017\000\000\000\000\000\000\000\001\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000' | seed sftp names
printf '\010\010\010\010\010\010\010\010\000\000\000\005\014\000\000\000\000' | seed agent none
printf '\001\001\001\001\001\001\001\001\000\000\000\110\014\000\000\000\001\000\000\000\063\000\000\000\013ssh-ed25519\000\000\000 01234567890123456789012345678901\000\000\000\004here' | seed agent one

# Keys that are thrown away; what they open is nothing.
if command -v ssh-keygen >/dev/null 2>&1; then
    keys=$(mktemp -d)
    for kind in ed25519 ecdsa rsa; do
        for format in RFC4716 PEM PKCS8; do
            bits=
            [ $kind != rsa ] || bits='-b 2048'
            # shellcheck disable=SC2086
            ssh-keygen -q -t $kind $bits -m $format -N '' -C c -f "$keys/$kind-$format" 2>/dev/null || continue
            ssh-keygen -q -t $kind $bits -m $format -N hunter2 -C c -f "$keys/$kind-$format-locked" 2>/dev/null || continue
        done
    done
    ssh-keygen -q -s "$keys/ed25519-RFC4716" -I id -n me "$keys/ecdsa-RFC4716.pub" 2>/dev/null || true
    all keys "$keys"/*
    rm -rf "$keys"
fi

run() {
    cat <<'EVENTS'
{"at_ms":0,"event":"run_started","schema":1,"run":"01","title":"deploy","started_at":"2026-01-02T03:04:05Z","hosts":["web1"],"tasks":[{"name":"deploy","steps":[{"action":"run","title":"a","section":"steps"}],"hosts":[0]}],"pool":1}
{"at_ms":1,"event":"host_connecting","host":"web1"}
{"at_ms":1,"event":"step_started","host":"web1","task":0,"step":0}
{"at_ms":2,"event":"output","host":"web1","task":0,"step":0,"stream":"stdout","text":"hello\n"}
{"at_ms":7,"event":"step_finished","host":"web1","task":0,"step":0,"outcome":{"status":"ok","elapsed_ms":5}}
{"at_ms":8,"event":"host_finished","host":"web1","outcome":{"status":"ok","started":true}}
{"at_ms":9,"event":"run_finished"}
EVENTS
}
run | seed events run
{
    run
    printf '\000{"host":"web1","task":0,"step":0,"vars":{"out":{"stdout":"hi"}},"lost":["token"]}\n'
} | seed journal run

printf '\001\002\003\004\005\006\007\010hunter2\000correct horse\000before \000 between \000 behind' | seed redactor two
printf '\033[31mred\033[0m \r\n ##[group] ::error:: \342\200\256' | seed sanitiser line
printf 'http://localhost:8080/health?x=1#part' | seed http url
printf '\000\015\020\000\024\001' | seed targets words
