# Keeps one job: its input, its output, its end. $1: the spool. $2: the token of its marks. $3: the shell, and $4: the
# line for it. $5: fed, or empty.
s=$1 t=$2
# Takes a stream down, in files that are named by where they begin; drops the oldest beyond the bound.
w() {
f=$s/$1.0 l=0 z=0
while :; do
r=$(LC_ALL=C dd bs=65536 count=256 2>&1 >>"$f") || {
rm -f "$s/pad"; printf "fan-%s-cut\n" "$t" >>"$f"; cat >/dev/null
for x in "$s"/exit.*; do [ -e "$x" ] && printf "fan-%s-exit %s\n" "$t" "${x##*.}" >>"$f"; done
break
}
n=${r%% records in*} n=${n##*[!0-9+]}
[ $((${n%+*}+${n#*+})) -lt 256 ] && break
n=$(($(wc -c <"$f")))
[ "$n" -lt 4194304 ] && continue
z=$((z+n))
printf "" >"$s/$1.$z"
printf "fan-%s-next %s\n" "$t" "$z" >>"$f"
f=$s/$1.$z l="$l $z"
while [ $((z-${l%% *})) -gt 134217728 ]; do rm -f "$s/$1.${l%% *}"; l=${l#* }; done
done
printf "fan-%s-end\n" "$t" >>"$f"
}
# Hands its input on, each piece once, whoever sent it how often.
f() {
k=0
while IFS= read -r l; do
x=${l%% *} l=${l#* }
[ "$x" -gt "$k" ] || continue
k=$x
case $l in
d*) printf %b "${l#d}";;
a) printf "fan-%s-took %s\n" "$t" "$x" 1<>"$s/e";;
z) exit;;
esac
done
}
q() { y=${20-}; }
x= y=
[ -r "/proc/$$/stat" ] && read -r y <"/proc/$$/stat" && q ${y##*) }
printf "%s %s\n" "$$" "$y" >"$s/keeper.new"; mv "$s/keeper.new" "$s/keeper"
w out <"$s/o" & a=$!
w err <"$s/e" & b=$!
exec 5<>"$s/in"
c= i=/dev/null
[ -n "$5" ] && i=$s/p && { f <&5 >"$s/p" 5>&- & c=$!; }
exec 3>"$s/o" 4>"$s/e"
# What the shell says of a command that was killed, which is what tells its end from the same exit status. As POSIX has
# it, bash says nothing.
[ -z "${BASH_VERSION-}" ] || set +o posix
exec 6>"$s/died" 7>&2
j="printf \"%s\\n\" \$\$ >\"\$1/job\"; exec \"\$2\" -c \"\$3\""
if command -v setsid >/dev/null 2>&1; then
exec 2>&6
# In a subshell: dash says it on what the command's own standard error is.
( exec setsid sh -c "$j" sh "$s" "$3" "$4" ) <"$i" >&3 2>&4 3>&- 4>&- 5>&- 6>&- 7>&-
r=$?
exec 2>&7
read -r x <"$s/died"
else
set -m 2>/dev/null
exec 2>&6
sh -c "$j" sh "$s" "$3" "$4" <"$i" >&3 2>&4 3>&- 4>&- 5>&- 6>&- 7>&- &
wait $!
r=$?
exec 2>&7
set +m 2>/dev/null
read -r x <"$s/died"
# bash tells of an exit status, too.
case $x in *"$r"*) x=;; esac
fi
exec 6>&- 7>&-
# ksh and yash have statuses of their own for it.
if [ "$r" -gt 128 ] && { [ -n "$x" ] || [ "$r" -gt 255 ]; }; then
x=$(kill -l "$r" 2>/dev/null) || x=
case $x in
[A-Z]*) r=${x#SIG};;
*) [ "$r" -le 255 ] || r=$((r%128+128));;
esac
fi
trap "" PIPE
mv "$s/run" "$s/exit.$r"
printf "fan-%s-exit %s\n" "$t" "$r" >&3
printf "fan-%s-exit %s\n" "$t" "$r" >&4
exec 3>&- 4>&-
wait "$a" "$b"
[ -n "$c" ] && kill "$c"
mv "$s/exit.$r" "$s/done.$r" && touch "$s/done.$r"
