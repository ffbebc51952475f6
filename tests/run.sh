#!/bin/sh
# Runs every test: by nextest when it is installed, else by cargo's own runner. Both end with a summary line.
set -eu

# sshd is often not on the PATH of ordinary users.
export PATH="$PATH:/usr/sbin:/usr/local/sbin"

# Started in the background of a script or by nohup, processes begin with SIGINT or SIGHUP ignored. Tests send both.
reset=
if env --default-signal true >/dev/null 2>&1; then
    reset="env --default-signal"
fi

if cargo nextest --version >/dev/null 2>&1; then
    $reset cargo nextest run --locked --no-fail-fast
    # nextest does not run examples in docs.
    $reset cargo test --locked --doc
else
    $reset cargo test --locked --no-fail-fast
fi
