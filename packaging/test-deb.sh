#!/usr/bin/env bash
# Installs the .deb of target/dist in a Debian of its own, uses it, removes it, and looks what is left. As root; needs
# debootstrap and lintian.
set -euo pipefail
cd "$(dirname "$0")/.."

deb=$(ls target/dist/*_"$(dpkg --print-architecture)".deb)
suite=${SUITE:-bookworm}
root=$(mktemp -d)
trap 'umount -q "$root/proc" || true; rm -rf "$root"' EXIT

# What a release must not have; the rest lintian only remarks on.
lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs,unknown-section "$deb"

debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" >/dev/null
mount -t proc proc "$root/proc"
cp "$deb" "$root/tmp/fan.deb"
within() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }
files() { (cd "$root" && find etc usr var/lib -path var/lib/dpkg -prune -o -print | sort); }

files >"$root/tmp/before"
within dpkg --install /tmp/fan.deb >/dev/null
within fan --version --verbose
within fan demo --format quiet
within fan init --help >/dev/null
contents=$(dpkg --contents "$deb")
for file in usr/share/man/man1/fan.1.gz usr/share/man/man1/fan-run.1.gz usr/share/doc/fan/copyright \
    usr/share/bash-completion/completions/fan usr/share/zsh/vendor-completions/_fan \
    usr/share/fish/vendor_completions.d/fan.fish usr/share/doc/fan/examples/tasks.example.yaml; do
    # dpkg of a minimal Debian may leave pages and documents out on purpose; the package has to have them.
    grep -q " \./$file\$" <<<"$contents" || {
        echo "test-deb: the package lacks $file" >&2
        exit 1
    }
done
within dpkg --purge fan >/dev/null
files >"$root/tmp/after"
diff "$root/tmp/before" "$root/tmp/after" || {
    echo "test-deb: files are left after the package is gone" >&2
    exit 1
}
echo "installed, used, removed: $(basename "$deb")"
