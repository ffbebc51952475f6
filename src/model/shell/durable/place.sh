# Where spools are. Sets _j, and _s for the job of this name.
umask 077
_no() { printf "fan-%s-spool %s\n" "$_a" "$1" >&2; exit 1; }
case ${XDG_STATE_HOME-} in
/*) _j=$XDG_STATE_HOME/fan/jobs;;
*) if [ -n "${HOME-}" ] && [ -d "$HOME" ]; then _j=$HOME/.local/state/fan/jobs
else _j=/var/tmp; [ -d /var/tmp ] || _j=/tmp; _j=$_j/fan-jobs-$(id -u); fi;;
esac
_s=$_j/$_n
# The first of the jobs whose names begin like this.
if [ -n "${_q-}" ]; then
for _s in "$_j"/"$_q"*; do [ -d "$_s" ] && break; done
_n=${_s##*/}
fi
# What tells one start of the machine from another.
_boot() {
_b=
if [ -r /proc/sys/kernel/random/boot_id ]; then read -r _b </proc/sys/kernel/random/boot_id
else _b=$(sysctl -n kern.bootsessionuuid 2>/dev/null || sysctl -n kern.boottime 2>/dev/null); fi
}
# When a process was started, where that can be seen.
_since() {
_u=
[ -r "/proc/$1/stat" ] && read -r _u <"/proc/$1/stat" && _field ${_u##*) }
}
_field() { _u=${20-}; }
# How a job ended, of its file.
_end() { case ${_f##*.} in [0-9]*) _f="exit ${_f##*.}";; *) _f="signal ${_f##*.}";; esac; }
# How far a job is: done, runs, rebooted, vanished, none.
_state() {
_e=none
[ -d "$1" ] || return 0
for _f in "$1"/exit.* "$1"/done.*; do [ -e "$_f" ] && _e=done && return 0; done
_e=begins
[ -e "$1/keeper" ] || return 0
_p= _v= _o=
read -r _p _v <"$1/keeper"; read -r _o <"$1/boot"
_boot; _since "$_p"
_e=runs
[ "$_o" = "$_b" ] && [ "$_u" = "$_v" ] && kill -0 "$_p" 2>/dev/null && return 0
for _f in "$1"/exit.* "$1"/done.*; do [ -e "$_f" ] && _e=done && return 0; done
_e=vanished
[ "$_o" = "$_b" ] || _e=rebooted
}
