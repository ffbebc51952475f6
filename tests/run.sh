#!/bin/sh
# Runs every test: by nextest when it is installed, else by cargo's own runner. Both end with a summary line.
set -eu

# sshd is often not on the PATH of ordinary users.
export PATH="$PATH:/usr/sbin:/usr/local/sbin"

if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --no-fail-fast
    # nextest does not run examples in docs.
    cargo test --locked --doc
else
    cargo test --locked --no-fail-fast
fi
