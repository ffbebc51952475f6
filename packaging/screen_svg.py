#!/usr/bin/env python3
"""What a command printed, colours included, as a picture of a terminal: standard input to an SVG on standard output."""

import html
import re
import sys
import unicodedata

COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "36": "#56d4dd", "2": "#8b949e"}
ADVANCE, LINE, MARGIN, SIZE = 8.4, 19, 16, 14


def spans(line):
    """The pieces of a line with the colour of each."""
    style, at = "", 0
    for code in re.finditer(r"\x1b\[([0-9;]*)m", line):
        yield line[at : code.start()], style
        style, at = ("" if code[1] in ("", "0") else code[1]), code.end()
    yield line[at:], style


def main():
    lines = [f"$ {sys.argv[1]}"] + sys.stdin.read().rstrip("\n").split("\n")
    plain = ["".join(text for text, _ in spans(line)) for line in lines]
    columns = max(sum(2 if unicodedata.east_asian_width(c) == "W" else 1 for c in line) for line in plain)
    width, height = round(columns * ADVANCE + 2 * MARGIN), len(lines) * LINE + 2 * MARGIN
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{html.escape(sys.argv[1])} in a terminal">'
    )
    print(f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>')
    print(
        f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" '
        f'font-size="{SIZE}" fill="#c9d1d9">'
    )
    for number, line in enumerate(lines):
        parts = []
        for text, style in spans(line):
            if text:
                colours = [COLOURS[code] for code in style.split(";") if code in COLOURS]
                fill = f' fill="{colours[-1]}"' if colours else ""
                weight = ' font-weight="bold"' if "1" in style.split(";") or number == 0 else ""
                parts.append(f"<tspan{fill}{weight}>{html.escape(text)}</tspan>")
        y = MARGIN + number * LINE + SIZE
        print(f'<text x="{MARGIN}" y="{y}" xml:space="preserve">{"".join(parts)}</text>')
    print("</g>\n</svg>")


main()
