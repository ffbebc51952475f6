#!/bin/sh
# The changelog's part about one version, for its release.
set -eu
cd "$(dirname "$0")/.."
awk -v version="${1:?a version}" '
    /^## / { told = index($0, "## " version) == 1; next }
    told { print; any = 1 }
    END { if (!any) { print "notes: CHANGELOG.md has no " version > "/dev/stderr"; exit 1 } }
' CHANGELOG.md
