#!/bin/sh
# Builds the documentation as a site, in target/book, and checks every link of it. Needs mdbook and python3.
set -eu
cd "$(dirname "$0")/.."

rm -rf target/book target/book-src
mkdir -p target
cp -R docs target/book-src
for page in CHANGELOG SECURITY CONTRIBUTING; do
    name=$(echo "$page" | tr '[:upper:]' '[:lower:]')
    # Links of these pages go into docs/, which is the root of the site.
    sed -e 's#](docs/#](#g' "$page.md" >"target/book-src/$name.md"
    find target/book-src -name '*.md' -exec sed -i \
        -e "s#](\(\(\.\./\)*\)\.\./$page\.md#](\1$name.md#g" -e "s#]($page\.md#]($name.md#g" {} +
done
# mdbook calls a folder's README its index, and does not change the links to it.
for page in target/book-src/README.md target/book-src/recipes/README.md; do
    mv "$page" "$(dirname "$page")/index.md"
done
find target/book-src -name '*.md' -exec sed -i -e 's#](\([a-z/.]*\)README\.md#](\1index.md#g' {} +
printf '%s\n' '' '# The project' '' '- [Changes](changelog.md)' '- [Security](security.md)' \
    '- [Contributing](contributing.md)' >>target/book-src/SUMMARY.md
mdbook build
packaging/check_links.py target/book
echo "target/book/index.html"
