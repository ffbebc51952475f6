# What this host is, told to fan: it reads, and changes nothing. POSIX sh; every tool may be missing.
# A section begins with a line "@name"; its own lines begin with a blank, so that no content can pass for a mark.
LC_ALL=C
TZ=UTC0
PATH=${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/local/sbin:/usr/bin:/bin:/usr/sbin:/sbin
export LC_ALL TZ PATH
unset IFS LANG LANGUAGE POSIXLY_CORRECT BLOCK_SIZE BLOCKSIZE DF_BLOCK_SIZE
exec 2>/dev/null </dev/null

have() { command -v "$1" >/dev/null; }

# A file server that is down keeps `df` waiting, a name server `hostname -f`.
if have timeout && timeout 1 true; then
  soon() { timeout 5 "$@"; }
else
  soon() { "$@"; }
fi

if have sed && [ "$(printf 'a\n' | sed 's/^/ /')" = ' a' ]; then
  quote() { sed -e 's/^/ /' -e 20000q; }
  lines() { sed -n "$1" "$2"; }
else
  quote() {
    while IFS= read -r line || [ -n "$line" ]; do
      printf ' %s\n' "$line"
    done
  }
  lines() {
    while IFS= read -r line || [ -n "$line" ]; do
      printf '%s\n' "$line"
    done <"$2"
  }
fi

section() { printf '\n@%s\n' "$1"; }

# put NAME VALUE
put() {
  [ -n "$2" ] || return 0
  section "$1"
  printf '%s\n' "$2" | quote
}

# tell NAME COMMAND...: what the command prints
tell() {
  name=$1
  shift
  have "$1" || return 0
  section "$name"
  soon "$@" | quote
}

# show NAME FILE: what is in the file
show() {
  [ -f "$2" ] && [ -r "$2" ] || return 0
  section "$1"
  quote <"$2"
}

# first FILE: its first line, in $value
first() {
  value=
  [ -r "$1" ] && IFS= read -r value <"$1"
}

# path_of NAME PROGRAM...: the first of the programs that is there
path_of() {
  name=$1
  shift
  for program in "$@"; do
    have "$program" || continue
    put "$name" "$(command -v "$program")"
    break
  done
}

linux_cpu() {
  section cpuinfo
  # One expression for each: "or" is not known to every sed.
  keys='/^processor/p;/^model name/p;/^Model/p;/^Hardware/p;/^physical id/p;/^core id/p;/^cpu cores/p'
  lines "$keys;/^cpu[ 	]*:/p;/^cpu model/p;/^machine/p;/^system type/p;/^uarch/p" /proc/cpuinfo | quote
  section cpu-flags
  lines '/^flags.* hypervisor/{s/.*/hypervisor/p;q;}' /proc/cpuinfo | quote
  section topology
  for folder in /sys/devices/system/cpu/cpu[0-9]*/topology; do
    [ -d "$folder" ] || continue
    first "$folder/physical_package_id"
    socket=$value
    first "$folder/core_id"
    printf '%s %s\n' "$socket" "$value"
  done | quote
}

linux_disks() {
  section disks
  for folder in /sys/block/*; do
    # What has no device is a loop, a memory disk, or made of others.
    [ -e "$folder/device" ] || continue
    first "$folder/size"
    size=$value
    first "$folder/queue/rotational"
    rotational=$value
    first "$folder/device/vendor"
    vendor=$value
    first "$folder/device/model"
    printf '%s\t%s\t%s\t%s\t%s\n' "${folder##*/}" "$size" "$rotational" "$vendor" "$value"
  done | quote
}

# The time of processors goes on while a moment passes between two looks; a `sleep` that knows whole seconds only is not
# waited for. Disks and ports have files of their own, and only lines that count are told: a busy server has many.
linux_activity() {
  section cpu-times
  lines '/^cpu /p' /proc/stat | quote
  if sleep 0.2; then
    section cpu-times-later
    lines '/^cpu /p' /proc/stat | quote
  fi
  have getconf && put clock-ticks "$(getconf CLK_TCK)"
  section disk-io
  for folder in /sys/block/*; do
    [ -e "$folder/device" ] || continue
    first "$folder/stat"
    printf '%s %s\n' "${folder##*/}" "$value"
  done | quote
  show net-dev /proc/net/dev
  have sed || return 0
  for table in tcp tcp6; do
    [ -r "/proc/net/$table" ] || continue
    section "listening-$table"
    lines '/^ *[0-9]*: [0-9A-F]*:[0-9A-F]* [0-9A-F]*:0000 0A /p' "/proc/net/$table" | quote
  done
  for table in udp udp6; do
    [ -r "/proc/net/$table" ] || continue
    section "listening-$table"
    lines '/^ *[0-9]*: [0-9A-F]*:[0-9A-F]* [0-9A-F]*:0000 07 /p' "/proc/net/$table" | quote
  done
}

# Processes: those with the most memory and those with the most processor time. Names without arguments, as passwords
# are given in these. The ps of busybox does not tell shares of processors, and writes 15m for kilobytes: all of them then.
processes() {
  have ps || return 0
  if have sed && have sort && have wc && told=$(ps -A -o pid= -o rss= -o pcpu= -o user= -o comm=); then
    put processes-count "$(printf '%s\n' "$told" | wc -l)"
    section processes-memory
    printf '%s\n' "$told" | sort -k 2,2nr | sed 10q | quote
    section processes-cpu
    printf '%s\n' "$told" | sort -k 3,3nr | sed 10q | quote
  elif told=$(ps -o pid,rss,user,comm); then
    section processes
    printf '%s\n' "$told" | while read -r pid rss user command; do
      printf '%s %s - %s %s\n' "$pid" "$rss" "$user" "$command"
    done | quote
  fi
}

linux_network() {
  if [ -d /sys/class/net ]; then
    section links
    for folder in /sys/class/net/*; do
      [ -e "$folder/mtu" ] || continue
      first "$folder/mtu"
      mtu=$value
      first "$folder/operstate"
      state=$value
      first "$folder/address"
      printf '%s\t%s\t%s\t%s\n' "${folder##*/}" "$mtu" "$state" "$value"
    done | quote
  else
    tell ip-link ip -o link show
  fi
  if have ip; then
    tell ip-addr ip -o addr show
    tell ip-route ip -4 route show default
    tell ip-route ip -6 route show default
  else
    tell ifconfig ifconfig -a
    show if-inet6 /proc/net/if_inet6
  fi
  show route /proc/net/route
}

linux_virt() {
  tell detect-vm systemd-detect-virt --vm
  tell detect-container systemd-detect-virt --container
  section dmi
  for name in sys_vendor product_name board_vendor bios_vendor; do
    first "/sys/class/dmi/id/$name"
    printf '%s %s\n' "$name" "$value"
  done | quote
  first /sys/firmware/devicetree/base/model
  put device-tree "$value"
  first /sys/hypervisor/type
  put hypervisor "$value"
  first /run/systemd/container
  put container "$value"
  [ -r /proc/1/environ ] && have tr && have sed && put container "$(tr '\000' '\n' </proc/1/environ | lines 's/^container=//p' /dev/stdin)"
  [ -e /run/.containerenv ] && put container podman
  [ -e /.dockerenv ] && put container docker
  [ -d /proc/vz ] && ! [ -d /proc/bc ] && put container openvz
  show cgroup /proc/self/cgroup
}

linux() {
  show lsb-release /etc/lsb-release
  show redhat-release /etc/redhat-release
  show debian-version /etc/debian_version
  show meminfo /proc/meminfo
  show uptime /proc/uptime
  show loadavg /proc/loadavg
  section btime
  lines 's/^btime //p' /proc/stat | quote
  linux_activity
  linux_cpu
  linux_disks
  show mounts /proc/self/mounts
  linux_network
  linux_virt
  first /proc/1/comm
  put init "$value"
  [ -d /run/systemd/system ] && put init systemd
  [ -d /run/openrc ] && put init openrc
  first /sys/fs/selinux/enforce
  put selinux-enforce "$value"
  tell selinux getenforce
}

bsd() {
  section sysctl
  for key in hw.model hw.ncpu hw.ncpuonline hw.physmem hw.physmem64 hw.memsize hw.pagesize hw.logicalcpu \
    hw.physicalcpu hw.packages hw.vendor hw.product hw.disknames machdep.cpu.brand_string machdep.cpu_brand \
    machdep.dmi.system-vendor machdep.dmi.system-product kern.smp.cores kern.boottime kern.vm_guest \
    kern.hv_vmm_present kern.disks vm.loadavg vm.swapusage vm.stats.vm.v_page_size vm.stats.vm.v_free_count \
    vm.stats.vm.v_inactive_count vm.stats.vm.v_cache_count vm.stats.vm.v_laundry_count security.jail.jailed \
    kern.clockrate; do
    value=$(sysctl -n "$key") && printf '%s=%s\n' "$key" "$value"
  done | quote
  tell mount mount
  tell ifconfig ifconfig -a
  tell netstat netstat -rn
  put cpu-times "$(sysctl -n kern.cp_time)"
  sleep 0.2 && put cpu-times-later "$(sysctl -n kern.cp_time)"
  tell if-counters netstat -ibn
  have netstat || return 0
  section ports
  soon netstat -an | lines '/^tcp.*LISTEN/p;/^udp.*\*\.\*/p' /dev/stdin | quote
}

darwin() {
  tell sw-vers sw_vers
  tell vm-stat vm_stat
  section diskutil
  for disk in $(soon diskutil list physical | sed -n 's|^/dev/\(disk[0-9]*\).*|\1|p'); do
    soon diskutil info "$disk"
  done | quote
}

section fan-facts
printf ' 1\n'
system=$(uname -s)
if [ -z "$system" ]; then
  first /proc/sys/kernel/ostype
  system=$value
  first /proc/sys/kernel/osrelease
  put kernel-release "$value"
  first /proc/sys/kernel/hostname
  put hostname "$value"
fi
put kernel-name "$system"
put kernel-release "$(uname -r)"
put kernel-version "$(uname -v)"
put machine "$(uname -m)"
put hostname "$(hostname)"
put hostname "$(uname -n)"
put now "$(date +%s)"
for file in /etc/os-release /usr/lib/os-release; do
  [ -r "$file" ] || continue
  show os-release "$file"
  break
done
case $system in
  # Elsewhere -f may have another meaning: on old systems it renames the host.
  Linux | Darwin | FreeBSD | DragonFly) tell fqdn hostname -f ;;
esac
case $system in
  Linux) linux ;;
  Darwin)
    bsd
    darwin
    ;;
  FreeBSD | DragonFly)
    bsd
    tell userland freebsd-version -u
    tell swap swapinfo -k
    tell geom geom disk list
    ;;
  OpenBSD | NetBSD)
    bsd
    tell vmstat vmstat -s
    tell swap swapctl -lk
    ;;
esac
if have getconf; then
  put cpus "$(getconf _NPROCESSORS_ONLN)"
else
  tell cpus nproc
fi
# File servers are not asked, where df can leave them out: one that is down would not answer.
if soon df -P -k -l / >/dev/null; then
  tell df df -P -k -l
else
  tell df df -P -k
fi
case $system in
  Darwin | FreeBSD | DragonFly | OpenBSD | NetBSD) tell df-inodes df -k -i -l ;;
  *) if soon df -P -i -l / >/dev/null; then tell df-inodes df -P -i -l; else tell df-inodes df -P -i; fi ;;
esac
processes
tell who who
show resolv /etc/resolv.conf
path_of python python3 python python2
path_of packages apt-get dnf yum zypper pacman apk emerge xbps-install opkg pkg pkgin pkg_add brew port nix-env
tell user id -un
tell uid id -u
put home "$HOME"
put shell "$SHELL"
section end
