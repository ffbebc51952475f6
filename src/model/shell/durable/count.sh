# Says how many jobs do not run, and are kept.
_c=0
for _s in "$_j"/*; do
[ -d "$_s" ] || continue
_state "$_s"
case $_e in runs|begins) ;; *) _c=$((_c+1));; esac
done
[ $_c = 0 ] || printf "%s\n" $_c
