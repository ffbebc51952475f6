# Starts the job, unless there is one of this name: whoever makes the folder starts it, and nobody else.
[ -d "$_j" ] || mkdir -p "$_j" || _no home
[ -O "$_j" ] && [ ! -L "$_j" ] || _no owner
set -- "$_j"/*
[ $# -gt 32 ] && find "$_j" -name "done.*" -mtime +7 -exec sh -c "rm -rf \"\${1%/*}\"" sh {} \; 2>/dev/null
[ $# -gt 512 ] && _no many
if mkdir "$_s" 2>/dev/null; then
_boot
printf "%s\n" "$_t" >"$_s/token" && printf "%s\n" "$_b" >"$_s/boot" && printf "%s\n" "$_m" >"$_s/title" &&
printf "%8192s" "" >"$_s/pad" && printf "" >"$_s/out.0" && printf "" >"$_s/err.0" && printf "" >"$_s/run" &&
mkfifo "$_s/in" "$_s/p" "$_s/o" "$_s/e" || { rm -rf "$_s"; _no room; }
if command -v setsid >/dev/null 2>&1; then
setsid -f sh -c "$_k" sh "$_s" "$_t" "$_x" "$_l" "$_i" </dev/null >/dev/null 2>&1 ||
setsid sh -c "$_k" sh "$_s" "$_t" "$_x" "$_l" "$_i" </dev/null >/dev/null 2>&1 &
else
( trap "" HUP; exec sh -c "$_k" sh "$_s" "$_t" "$_x" "$_l" "$_i" ) </dev/null >/dev/null 2>&1 &
fi
else
[ -d "$_s" ] || { mkdir "$_s"; _no home; }
fi
