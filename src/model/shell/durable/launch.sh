# Starts the job, unless there is one of this name, or was: whoever makes the folder starts it, and nobody else.
[ -d "$_j" ] || mkdir -p "$_j" || _no home
[ -O "$_j" ] && [ ! -L "$_j" ] || _no owner
if [ ! -d "$_s" ]; then
set -- "$_j"/*
# Those that ended long ago, or whose keeper is gone.
[ $# -gt 32 ] && find "$_j"/* -prune -mtime +7 2>/dev/null | while IFS= read -r _g; do
_state "$_g"
[ "$_e" = runs ] || rm -rf "$_g"
done
set -- "$_j"/*
[ $# -gt 512 ] && _no many
fi
if mkdir "$_s" 2>/dev/null; then
# A name is left behind before its folder goes: this cannot miss it.
[ -d "$_j/.over/$_n" ] && { rmdir "$_s"; _no gone; }
_boot
printf "%s\n" "$_t" >"$_s/token" && printf "%s\n" "$_b" >"$_s/boot" && printf "%s\n" "$_m" >"$_s/title" &&
printf "%8192s" "" >"$_s/pad" && printf "" >"$_s/out.0" && printf "" >"$_s/err.0" && printf "" >"$_s/died" && printf "" >"$_s/run" &&
mkfifo "$_s/in" "$_s/p" "$_s/o" "$_s/e" || { rm -rf "$_s"; _no room; }
if command -v setsid >/dev/null 2>&1; then
setsid -f sh -c "$_k" sh "$_s" "$_t" "$_x" "$_l" "$_i" </dev/null >/dev/null 2>&1 ||
setsid sh -c "$_k" sh "$_s" "$_t" "$_x" "$_l" "$_i" </dev/null >/dev/null 2>&1 &
else
( trap "" HUP; exec sh -c "$_k" sh "$_s" "$_t" "$_x" "$_l" "$_i" ) </dev/null >/dev/null 2>&1 &
fi
else
[ -d "$_s" ] || { mkdir "$_s" || _no home; rmdir "$_s"; _no gone; }
fi
