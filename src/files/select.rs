//! Which names of a folder take part: globs, and `.fanignore` files.
