#!/usr/bin/env bash
# fan beside the fan-out tools that are installed: `true` on HOSTS throw-away hosts, ROUNDS rounds, the tools in
# turn. Prints the median wall and CPU time of each; docs/performance.md says what they mean.
#
# The hosts are one sshd on 127.0.0.1 to 127.0.0.HOSTS and a high port, with one-time keys, in a folder of its
# own; sshd and folder are gone afterwards. Linux, where all of 127/8 is loopback.
set -euo pipefail
cd "$(dirname "$0")/.."

HOSTS=${HOSTS:-50}
ROUNDS=${ROUNDS:-5}
PORT=${PORT:-22822}
FAN=${FAN:-target/release/fan}
LIMIT=${LIMIT:-120} # seconds that one run may take
PATH=$PATH:/usr/sbin

fail() {
    echo "benches/compare.sh: $*" >&2
    exit 1
}

[ "$HOSTS" -ge 1 ] && [ "$HOSTS" -le 250 ] || fail "HOSTS must be from 1 to 250"
[ -x "$FAN" ] || fail "$FAN is missing: cargo build --release"
FAN=$(realpath "$FAN")
sshd=$(command -v sshd) || fail "sshd is missing: run tests/setup.sh"

dir=$(mktemp -d)
sshd_pid=
cleanup() {
    if [ -n "$sshd_pid" ]; then
        kill "$sshd_pid" 2>/dev/null || true
        wait "$sshd_pid" 2>/dev/null || true
    fi
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# --- the hosts ---------------------------------------------------------------------------------------------

ssh-keygen -q -t ed25519 -N '' -f "$dir/host_key"
ssh-keygen -q -t ed25519 -N '' -f "$dir/identity"
cp "$dir/identity.pub" "$dir/authorized_keys"
{
    for i in $(seq "$HOSTS"); do echo "ListenAddress 127.0.0.$i"; done
    cat <<CONFIG
Port $PORT
HostKey $dir/host_key
AuthorizedKeysFile $dir/authorized_keys
PidFile none
UsePAM no
StrictModes no
UseDNS no
PermitRootLogin prohibit-password
MaxStartups 1000
LogLevel ERROR
SetEnv SHLVL=5
CONFIG
} >"$dir/sshd_config"
# From 9.8 on sshd would punish a crowd that comes from one address.
if "$sshd" -t -f "$dir/sshd_config" -o PerSourcePenalties=no 2>/dev/null; then
    echo "PerSourcePenalties no" >>"$dir/sshd_config"
fi
"$sshd" -D -e -f "$dir/sshd_config" 2>"$dir/sshd.log" &
sshd_pid=$!

key=$(cut -d' ' -f1,2 "$dir/host_key.pub")
for i in $(seq "$HOSTS"); do
    echo "[127.0.0.$i]:$PORT $key" >>"$dir/known_hosts"
    echo "127.0.0.$i" >>"$dir/hosts"
done
user=$(id -un)
options="-F none -p $PORT -i $dir/identity -o IdentitiesOnly=yes -o UserKnownHostsFile=$dir/known_hosts"
options="$options -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o BatchMode=yes -o LogLevel=ERROR"
cat >"$dir/inventory.yaml" <<INVENTORY
defaults: {user: $user, port: $PORT, identity: identity, identities_only: true, agent: false, known_hosts: known_hosts}
hosts:
  "127.0.0.[1-$HOSTS]": {}
INVENTORY

for _ in $(seq 50); do
    # shellcheck disable=SC2086
    ssh $options 127.0.0.1 true 2>/dev/null && ready=1 && break
    kill -0 "$sshd_pid" 2>/dev/null || break
    sleep 0.1
done
[ -n "${ready:-}" ] || fail "the throw-away sshd does not answer: $(tail -n 3 "$dir/sshd.log")"

# --- the tools: each runs `true` everywhere, all hosts at once ------------------------------------------------

export dir HOSTS PORT FAN options user
run_fan() { "$FAN" exec -i "$dir/inventory.yaml" -H all -z "$HOSTS" --format quiet -- true; }
run_xargs() { xargs -P "$HOSTS" -I{} ssh $options {} true <"$dir/hosts"; }
run_pssh() { "$pssh" -h "$dir/hosts" -p "$HOSTS" -t "$LIMIT" -x "$options" true; }
run_clush() { clush -w "127.0.0.[1-$HOSTS]" -f "$HOSTS" -l "$user" -o "$options" true; }
run_pdsh() { PDSH_SSH_ARGS="$options -l%u %h" pdsh -S -R ssh -f "$HOSTS" -w "127.0.0.[1-$HOSTS]" true; }
pssh=$(command -v pssh || command -v parallel-ssh || true)
export pssh LIMIT
export -f run_fan run_xargs run_pssh run_clush run_pdsh

tools=(fan xargs)
[ -n "$pssh" ] && tools+=(pssh)
command -v clush >/dev/null && tools+=(clush)
command -v pdsh >/dev/null && tools+=(pdsh)

# Prints "wall cpu" of one run, in seconds.
measure() {
    local TIMEFORMAT='%R %U %S'
    { time timeout "$LIMIT" bash -c "run_$1" >"$dir/$1.out" 2>&1 || echo "$?" >"$dir/failed"; } 2>&1 |
        awk '{ printf "%.3f %.3f\n", $1, $2 + $3 }'
    if [ -s "$dir/failed" ]; then
        fail "$1 ended with status $(cat "$dir/failed"): $(tail -n 3 "$dir/$1.out")"
    fi
}

# The middle one of the numbers on stdin.
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

echo "$HOSTS hosts, $ROUNDS rounds, $(nproc) CPUs, $("$FAN" --version), $(ssh -V 2>&1)"
for round in $(seq 0 "$ROUNDS"); do
    for tool in "${tools[@]}"; do
        result=$(measure "$tool")
        # The first round warms caches.
        [ "$round" -eq 0 ] || echo "$result" >>"$dir/$tool.times"
    done
done
printf '\n%-8s %10s %10s\n' tool "wall, s" "CPU, s"
for tool in "${tools[@]}"; do
    printf '%-8s %10s %10s\n' "$tool" "$(cut -d' ' -f1 "$dir/$tool.times" | median)" "$(cut -d' ' -f2 "$dir/$tool.times" | median)"
done
