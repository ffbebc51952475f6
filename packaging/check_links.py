#!/usr/bin/env python3
"""Every relative link of the HTML pages below a folder leads to a file, and to a place in it, that is there."""

import html.parser
import pathlib
import sys
import urllib.parse


class Page(html.parser.HTMLParser):
    """The links of a page, and the places that it has."""

    def __init__(self, path):
        super().__init__()
        self.links, self.places = [], {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.places.update(filter(None, (attributes.get("id"), attributes.get("name"))))
        for name in ("href", "src"):
            if attributes.get(name):
                self.links.append(attributes[name])


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    pages = {path: Page(path) for path in root.rglob("*.html")}
    broken, count = [], 0
    for path, page in pages.items():
        if path.name in ("print.html", "404.html", "toc.html"):
            continue
        for link in page.links:
            url = urllib.parse.urlsplit(link)
            if url.scheme or url.netloc:
                continue
            count += 1
            target = (path.parent / urllib.parse.unquote(url.path)).resolve() if url.path else path
            there = target.exists() and root in (target, *target.parents)
            if there and target in pages:
                there = urllib.parse.unquote(url.fragment) in pages[target].places
            if not there:
                broken.append(f"{path.relative_to(root)}: {link}")
    print("\n".join(sorted(set(broken))))
    print(f"{len(pages)} pages, {count} links, {len(set(broken))} broken")
    return 1 if broken or not pages else 0


sys.exit(main())
