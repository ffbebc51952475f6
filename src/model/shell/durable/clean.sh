# Removes what is kept of the jobs whose names begin with _q and that do not run; of _old minutes ago or earlier.
for _s in "$_j"/"$_q"*; do
[ -d "$_s" ] || continue
_state "$_s"
# One that does not begin within a minute has nobody left to begin it.
[ "$_e" = begins ] && [ -n "$(find "$_s" -prune -mmin +1)" ] && _e=lost
case $_e in
runs|begins) [ -n "$_old" ] || printf "%s  running, not removed\n" "${_s##*/}"; continue;;
done) _a=$_f;;
*) _a=$_s;;
esac
[ -z "$_old" ] || [ -n "$(find "$_a" -mmin "+$_old")" ] || continue
_bury "$_s" && printf "%s  removed\n" "${_s##*/}"
done
_forget
exit 0
