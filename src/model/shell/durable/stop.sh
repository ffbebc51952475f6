# Ends the jobs whose names begin with _q: TERM to their groups, KILL 5 s later.
_some=
for _s in "$_j"/"$_q"*; do
[ -d "$_s" ] || continue
_some=1
_state "$_s"
if [ "$_e" = runs ] && read -r _p <"$_s/job"; then
for _k in TERM KILL; do
kill "-$_k" "-$_p" 2>/dev/null || kill "-$_k" "$_p" 2>/dev/null
_c=0
while [ $_c -lt 10 ] && [ -e "$_s/run" ]; do _c=$((_c+1)); sleep 0.5 2>/dev/null || { sleep 1; _c=$((_c+1)); }; done
[ -e "$_s/run" ] || break
done
_state "$_s"
fi
case $_e in
done) _end; printf "%s  %s\n" "${_s##*/}" "$_f";;
runs|begins) printf "%s  still running\n" "${_s##*/}"; _r=1;;
*) printf "%s  lost\n" "${_s##*/}";;
esac
done
[ -n "$_some" ] || { printf "no job of this name\n" >&2; exit 1; }
exit ${_r:-0}
