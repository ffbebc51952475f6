#!/bin/sh
# Runs each fuzz target for FUZZ_SECONDS (60), or only those that FUZZ_TARGETS names. What they find is in
# target/fuzz/findings, with the command that repeats it; a finding becomes a test.
set -eu
cd "$(dirname "$0")/.."

command -v cargo-fuzz >/dev/null 2>&1 || {
    echo "fuzz/run.sh: cargo-fuzz is missing: cargo install cargo-fuzz --locked" >&2
    exit 1
}

seconds=${FUZZ_SECONDS:-60}
targets=${FUZZ_TARGETS:-$(sed -n 's/^path = "targets\/\(.*\)\.rs"$/\1/p' fuzz/Cargo.toml)}
work=target/fuzz
triple=$(rustc -vV | sed -n 's/^host: //p')

# There is no unsafe code for AddressSanitizer to watch, and without it no nightly toolchain is needed.
cargo fuzz build --sanitizer none --target-dir $work/build
fuzz/seeds.sh $work/seeds
mkdir -p $work/findings

failed=
for target in $targets; do
    mkdir -p "$work/corpus/$target" "$work/seeds/$target"
    echo "fuzz: $target, $seconds s"
    "$work/build/$triple/release/$target" "$work/corpus/$target" "$work/seeds/$target" \
        -max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$work/findings/$target-" >"$work/$target.log" 2>&1 || failed="$failed $target"
    sed -n 's/^stat::\(number_of_executed_units\|new_units_added\): */  \1 /p' "$work/$target.log"
done

[ -z "$failed" ] || {
    for target in $failed; do
        echo "fuzz: $target found something ($work/$target.log):"
        grep -m 5 -A 2 -E 'panicked at|ERROR: libFuzzer|Test unit written' "$work/$target.log" || tail -n 5 "$work/$target.log"
    done
    echo "again: $work/build/$triple/release/TARGET FILE"
    exit 1
}
