# Says what is kept of the jobs whose names begin with _q.
for _s in "$_j"/"$_q"*; do
[ -d "$_s" ] || continue
_state "$_s"
case $_e in
done) _end; _e=$_f;;
runs) _e=running;;
rebooted|vanished) _e=lost;;
esac
_m=
[ -f "$_s/title" ] && [ ! -h "$_s/title" ] && [ -r "$_s/title" ] && read -r _m <"$_s/title"
set -- $(ls -ld "$_s/token") - - - - - - - -
_d="$6 $7 $8"
set -- $(du -sk "$_s")
printf "%s  %-11s  %s  %s kB  %s\n" "${_s##*/}" "$_e" "$_d" "$1" "$_m"
done
exit 0
