#!/bin/bash
# The Slurm array of docs/ci.md, run for real: slurmctld, slurmd and munged of this machine, as root, on loopback, in a
# folder of their own. Needs root; installs Debian's packages when they are missing.
# Usage: tests/slurm.sh [BINARY], target/debug/fan unless given
set -euo pipefail
cd "$(dirname "$0")/.."
fan=$(realpath "${1:-target/debug/fan}")

fail() {
    echo "tests/slurm.sh: $*" >&2
    tail -n 20 "$folder"/*.log >&2 || true
    exit 1
}

[ "$(id -u)" -eq 0 ] || { echo "tests/slurm.sh: root is needed" >&2; exit 1; }
PATH=$PATH:/usr/sbin
for command in munged slurmctld slurmd sbatch; do
    command -v $command >/dev/null && continue
    install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends slurmctld slurmd slurm-client munge; }
    install || { apt-get update -q && install; }
    break
done
folder=$(mktemp -d /tmp/fan-slurm-XXXXXX)
pids=()
end() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$folder"
}
trap end EXIT
chmod 755 "$folder"
mkdir "$folder"/{munge,state,spool,work}
chmod 755 "$folder/munge"

# Looks again and again, for half a minute.
until_true() {
    local what=$1
    shift
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return
        read -rt 0.1 <> <(:) || true
    done
    fail "not within half a minute: $what"
}

head -c 1024 /dev/urandom >"$folder/munge/key"
chmod 400 "$folder/munge/key"
munged --foreground --force --num-threads=1 --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
    --pid-file="$folder/munge/pid" --seed-file="$folder/munge/seed" >"$folder/munged.log" 2>&1 &
pids+=($!)
node=$(hostname -s)
cat >"$folder/slurm.conf" <<CONF
ClusterName=fan
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SwitchType=switch/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SchedulerParameters=sched_interval=1,bf_interval=1,defer_batch=no
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$node Default=YES MaxTime=5 State=UP OverSubscribe=FORCE:8
CONF
export SLURM_CONF=$folder/slurm.conf
until_true "munge's socket" test -S "$folder/munge/socket"
slurmctld -D -f "$SLURM_CONF" >"$folder/slurmctld.log" 2>&1 &
pids+=($!)
slurmd -D -f "$SLURM_CONF" -N "$node" >"$folder/slurmd.log" 2>&1 &
pids+=($!)
ready() { sinfo --noheader --format=%T | grep -qx idle; }
until_true "the node is idle" ready

# Hosts that need no server: what is tried here is the array.
cd "$folder/work"
mkdir bin
ln -s "$fan" bin/fan
export PATH=$folder/work/bin:$PATH
cat >inventory.yaml <<'YAML'
defaults: {transport: local}
hosts: {'web[1-20]': {}}
YAML
cat >tasks.yaml <<'YAML'
tasks:
  deploy:
    hosts: [all]
    steps: [run: 'echo deployed; test {{ host }} != web7']
YAML
# The script as it stands in the docs.
sed -n '/^## Slurm/,/^## [^S]/p' "$OLDPWD/docs/ci.md" | sed -n '/^```sh/,/^```/p' | sed '1d;$d' >array.sh
grep -q -- --array array.sh || fail "docs/ci.md has no script under \"Slurm\""
sh array.sh
over() { test -z "$(squeue --noheader)"; }
until_true "all jobs are over" over
until_true "the report" test -s deploy.html
test "$(ls fan-?.jsonl | wc -l)" -eq 4 || fail "there are not four streams"
fan report merge fan-*.jsonl -o all.json
python3 - <<'PY' || fail "the report is not that of the whole"
import json
report = json.load(open("all.json"))
names = [host["host"] for host in report["hosts"]]
assert names == [f"web{number}" for number in range(1, 21)], names
assert report["counts"]["ok"] == 19 and report["counts"]["failed"] == 1, report["counts"]
assert report["finished"]
PY
echo "ok: $(ls fan-?.jsonl | wc -l) slices in a Slurm array, one report"
