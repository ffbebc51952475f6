# Sends what is in the spool from here on, and takes orders, until the input ends.
_c=0
while :; do
_state "$_s"
case $_e in
none) _no gone;;
rebooted|vanished) _no $_e;;
runs) [ "${_ended-}" = 1 ] && _no running;;
begins) [ -n "$_w" ] || { _c=$((_c+1)); [ $_c -lt 20 ] && sleep 0.5 && continue; _no vanished; };;
esac
break
done
_t=
[ -r "$_s/token" ] && read -r _t <"$_s/token"
_h=
[ "$(command -v tail)" -ef /bin/busybox ] && _h=1
# $1: the stream. $2: the file. $3: the byte in it.
_tail() {
_v=$2 _o=$3
if [ ! -e "$_s/$1.$_v" ]; then
_g=
for _f in "$_s/$1".*; do
_f=${_f##*.}
[ "$_f" -gt "$_v" ] && { [ -z "$_g" ] || [ "$_f" -lt "$_g" ]; } && _g=$_f
done
_v=$_g _o=0
fi
printf "fan-%s-at %s %s\n" "$_t" "$_v" "$_o"
_f=$_s/$1.$_v
[ -n "$_h" ] || exec tail -c +$((_o+1)) -f "$_f"
while _g=$(wc -c <"$_f"); do
if [ "$_g" -gt "$_o" ]; then tail -c +$((_o+1)) "$_f" | head -c $((_g-_o)); _o=$_g; else sleep 0.1 || sleep 1; fi
done
}
_job() { printf "fan-%s-job %s %s\nfan-%s-start\n" "$_a" "$_t" "$_n" "$_a"; }
# On each stream before anything of the spool: the streams do not wait for each other.
_job; _job >&2
exec 6>&2 2>/dev/null
_tail out $_zo 6>&- & _x=$!
_tail err $_ze >&6 6>&- & _y=$!
# The group of the job, or the job where it leads none.
_kill() { [ -e "$_s/run" ] && read -r _p <"$_s/job" && { kill "-$1" "-$_p" || kill "-$1" "$_p"; }; }
while read -r _q _r; do
case $_q in
i) printf "%s\n" "$_r" 1<>"$_s/in";;
out) kill "$_x"; _tail out $_r 6>&- & _x=$!;;
err) kill "$_y"; _tail err $_r >&6 6>&- & _y=$!;;
term) _kill TERM;;
kill) _kill KILL;;
look) _state "$_s"; printf "fan-%s-is %s\n" "$_t" "$_e ${_f##*.}" >&6;;
bury) kill "$_x" "$_y"
for _x in "$_j/${_n%-*}"-*; do [ -d "$_x" ] && _bury "$_x"; done
_forget
exit 0;;
# The keeper renames its last file meanwhile: a folder may not be empty at the first try.
clean) kill "$_x" "$_y"
for _i in 1 2 3 4 5 6 7 8 9; do
rm -rf "$_j/${_n%-*}"-*
for _x in "$_j/${_n%-*}"-*; do :; done
[ -e "$_x" ] || break
done
exit 0;;
esac
done
kill "$_x" "$_y"
