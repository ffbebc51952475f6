#!/usr/bin/env bash
# Runs fan in a CI job with FAN_ARGUMENTS, words as in a shell but without its expansions; its event stream and exit code
# become outputs of the step. On GitHub fan itself writes annotations and the job's summary.
set -euo pipefail

words=()
# xargs splits quoted words as a shell does, and expands nothing.
while IFS= read -r -d '' word; do
    words+=("$word")
done < <(xargs -r printf '%s\0' <<<"${FAN_ARGUMENTS:?arguments of fan}")

stream=
case ${words[0]:-} in
    run | exec | put | get | sync | resume | retry)
        stream=$(mktemp -u "${RUNNER_TEMP:-/tmp}/fan-XXXXXX").jsonl
        # Before the command itself, which may follow a --.
        words=("${words[0]}" --report "$stream" "${words[@]:1}")
        ;;
esac

code=0
fan "${words[@]}" || code=$?
if [ -n "${GITHUB_OUTPUT:-}" ]; then
    {
        echo "exit-code=$code"
        echo "stream=$stream"
    } >>"$GITHUB_OUTPUT"
fi
exit "$code"
