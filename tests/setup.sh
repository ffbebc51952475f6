#!/bin/sh
# Puts in place what the tests need: OpenSSH's server and client, the shells that quoting is tried in, and python3
# for a hostile SFTP server and for judging JSON Schemas; on Linux also other SSH servers, the tools for cutting a link,
# and a browser for pages.
# Installs only what is missing; says what to do where it cannot. Never skips.
set -eu

fail() {
    echo "tests/setup.sh: $*" >&2
    exit 1
}

# sshd is often not on the PATH of ordinary users.
PATH=$PATH:/usr/sbin:/usr/local/sbin

# command:package of Debian and Ubuntu
NEEDS='
sshd:openssh-server ssh:openssh-client ssh-keygen:openssh-client ssh-agent:openssh-client ssh-add:openssh-client
cc:gcc make:make python3:python3 bash:bash dash:dash zsh:zsh fish:fish tcsh:tcsh busybox:busybox curl:curl openssl:openssl
tar:tar gzip:gzip bzip2:bzip2 xz:xz-utils zstd:zstd zip:zip unzip:unzip bsdtar:libarchive-tools ansible-inventory:ansible-core nodeset:clustershell groff:groff-base
'

# What macOS has no counterpart of.
[ "$(uname -s)" = Darwin ] || NEEDS="$NEEDS ip:iproute2 unshare:util-linux su:util-linux sudo:sudo doas:opendoas dropbear:dropbear-bin dropbearkey:dropbear-bin tinysshd:tinysshd proftpd:proftpd-core"

# A browser for the pages of reports, by any of its names; Ubuntu calls Debian's package chromium-browser.
if [ "$(uname -s)" != Darwin ]; then
    browser=chromium:chromium
    grep -qi '^ID=ubuntu' /etc/os-release 2>/dev/null && browser=chromium-browser:chromium-browser
    for name in google-chrome chromium chromium-browser; do
        ! command -v $name >/dev/null 2>&1 || browser=
    done
    NEEDS="$NEEDS $browser"
fi

# A module of python3, which judges the schemas of `fan schema`.
has_jsonschema() {
    python3 -c 'from jsonschema import Draft7Validator' 2>/dev/null
}

# What is a module of something else: proftpd's SFTP, and libraries of the system's python3: servers of SSH and mail, and a reader
# of workbooks.
is_missing() {
    case $1 in
    proftpd-mod-crypto) ! [ -e /usr/lib/proftpd/mod_sftp.so ] ;;
    python3-asyncssh) ! /usr/bin/python3 -W ignore -c 'import asyncssh' 2>/dev/null ;;
    python3-paramiko) ! /usr/bin/python3 -W ignore -c 'import paramiko' 2>/dev/null ;;
    python3-twisted) ! /usr/bin/python3 -W ignore -c 'import twisted.conch.unix' 2>/dev/null ;;
    python3-aiosmtpd) ! /usr/bin/python3 -W ignore -c 'import aiosmtpd' 2>/dev/null ;;
    python3-openpyxl) ! /usr/bin/python3 -W ignore -c 'import openpyxl' 2>/dev/null ;;
    esac
}

missing_modules() {
    [ "$(uname -s)" = Darwin ] || for module in proftpd-mod-crypto python3-asyncssh python3-paramiko python3-twisted python3-openpyxl python3-aiosmtpd; do
        ! is_missing $module || echo $module
    done
}

# What programs are linked with; gcc comes without it where recommended packages are not installed.
has_libc() {
    [ "$(uname -s)" = Darwin ] || [ -e "$(cc -print-file-name=Scrt1.o 2>/dev/null)" ]
}

# Names of ports, which ssh looks up.
has_services() {
    [ "$(uname -s)" = Darwin ] || [ -e /etc/services ]
}

missing_commands() {
    for need in $NEEDS; do
        command -v "${need%%:*}" >/dev/null 2>&1 || echo "${need%%:*}"
    done
    has_jsonschema || echo jsonschema
    has_libc || echo libc
    has_services || echo /etc/services
    [ "$(uname -s)" != Darwin ] || python3 -W ignore -c 'import aiosmtpd' 2>/dev/null || echo aiosmtpd
    missing_modules
}

missing_packages() {
    {
        for need in $NEEDS; do
            command -v "${need%%:*}" >/dev/null 2>&1 || echo "${need#*:}"
        done
        has_jsonschema || echo python3-jsonschema
        has_libc || echo libc6-dev
        has_services || echo netbase
        missing_modules
    } | sort -u
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    elif command -v sudo >/dev/null 2>&1 && [ -t 0 ]; then
        sudo "$@"
    else
        fail "root is needed to install packages: run as root (or with sudo): apt-get install $packages"
    fi
}

command -v cargo >/dev/null 2>&1 ||
    fail "cargo is not installed (or not on the PATH): see https://rustup.rs"

# macOS has sshd, ssh and most shells in the system.
if [ "$(uname -s)" = Darwin ]; then
    missing=$(missing_commands | tr '\n' ' ')
    [ -z "$missing" ] && exit 0
    fail "missing: ${missing}(sshd, ssh, zsh, tcsh and dash are part of macOS, python3 of its command line tools; for others: brew install fish busybox groff; python3 -m pip install jsonschema aiosmtpd)"
fi

packages=$(missing_packages | tr '\n' ' ')
if [ -n "$packages" ]; then
    command -v apt-get >/dev/null 2>&1 ||
        fail "missing: $(missing_commands | tr '\n' ' ')(there is no apt-get here: install them with your package manager)"
    echo "tests/setup.sh: installing $packages"
    export DEBIAN_FRONTEND=noninteractive
    # The list of packages may be recent enough, and fetching it is slow: only when installing fails.
    # shellcheck disable=SC2086
    install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages; }
    # Servers are started by the tests alone: none of those that come now runs beside them, nor after a restart.
    policy=/usr/sbin/policy-rc.d
    if [ -e $policy ]; then
        policy=
    else
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
    fi
    installed=yes
    install || { as_root apt-get update -q && install; } || installed=
    [ -z "$policy" ] || as_root rm -f $policy
    for unit in proftpd.service:proftpd-core tinysshd.socket:tinysshd; do
        case " $packages " in
        *" ${unit#*:} "*) as_root systemctl --quiet disable "${unit%%:*}" 2>/dev/null || : ;;
        esac
    done
    [ -n "$installed" ] || fail "apt-get could not install: $packages"
    missing=$(missing_commands | tr '\n' ' ')
    [ -z "$missing" ] || fail "still missing after apt-get: $missing"
fi

# sshd as root changes into this folder and refuses to start without it; the package makes it only when its
# service starts.
if [ "$(uname -s)" = Linux ] && [ "$(id -u)" -eq 0 ]; then
    mkdir -p /run/sshd
    chmod 755 /run/sshd
fi
