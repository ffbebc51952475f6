# Sees to it that the job does not begin any more, if it has not: a start that is on its way finds its name.
[ -d "$_s" ] || { mkdir -p "$_j/.over/$_n" && [ ! -d "$_s" ] && _no withdrawn; }
