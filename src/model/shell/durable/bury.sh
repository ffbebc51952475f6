# Removes the spool $1 and leaves its name behind: a start of that job which is still on its way finds it, and does nothing.
_bury() {
if { [ -d "$_j/.over" ] || mkdir "$_j/.over" || { rm -f "$1"/out.* "$1"/err.* "$1/pad"; mkdir "$_j/.over"; }; } &&
mv "$1" "$_j/.over/"; then
rm -rf "$_j/.over/${1##*/}"/*
else
rm -rf "$1"/*
fi
} 2>/dev/null
# Names stay for a day, and at most 512 of them.
_forget() {
find "$_j/.over"/* -prune -mtime +1 -exec rm -rf {} \;
ls -t "$_j/.over" | tail -n +513 | while IFS= read -r _v; do rm -rf "$_j/.over/$_v"; done
} 2>/dev/null
