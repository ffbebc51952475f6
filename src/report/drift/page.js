"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const CONTEXT = 3, SHOWN = 500, ROWS = 5000;
const at = id => document.getElementById(id);
// Text nodes only: nothing that a host said is markup.
const make = (tag, text, name) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (name) node.className = name;
  return node;
};
const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
// What would move or hide other text is shown as an escape.
const seen = text => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, c => "\\u{" + c.codePointAt(0).toString(16) + "}");

document.title = "fan diff: " + seen(data.title);
at("title").textContent = seen(data.title);
at("facts").textContent = `${count(data.hosts, "host")}, compared with ${seen(data.against)}`;
for (const root of data.roots) {
  const parts = [`${root.same} the same`];
  for (const [what, words] of [["differ", "differ"], ["added", "added"], ["missing", "missing"]])
    if (root[what]) parts.push(`${root[what]} ${words}`);
  at("roots").append(make("li", `${seen(root.name)}: ${root.folder || root.differ + root.added + root.missing ? parts.join(", ") : root.same ? "the same on all" : "not compared"}`));
}
if (data.uncompared.length) {
  at("uncompared").append(make("p", "Not compared:", "bad"));
  const list = make("ul");
  data.uncompared.forEach(line => list.append(make("li", seen(line), "bad")));
  at("uncompared").append(list);
}

// The part of two lines that differs, between what they begin and end with alike.
const marked = (cell, text, other) => {
  text = seen(text); other = seen(other);
  let from = 0, end = 0;
  const most = Math.min(text.length, other.length);
  while (from < most && text[from] === other[from]) from++;
  while (end < most - from && text[text.length - 1 - end] === other[other.length - 1 - end]) end++;
  const to = text.length - end;
  cell.append(text.slice(0, from));
  if (to > from) cell.append(make("mark", text.slice(from, to)));
  cell.append(text.slice(to));
};
const line = (left, right, leftAt, rightAt, kind) => {
  const row = make("tr");
  row.append(make("td", left === null ? "" : String(leftAt), "n"));
  const one = make("td", undefined, left !== null && kind !== "=" ? "del" : "");
  row.append(one, make("td", right === null ? "" : String(rightAt), "n"));
  const other = make("td", undefined, right !== null && kind !== "=" ? "add" : "");
  row.append(other);
  if (kind === "=") { one.textContent = seen(left); other.textContent = seen(right); }
  else if (left !== null && right !== null) { marked(one, left, right); marked(other, right, left); }
  else { one.textContent = left === null ? "" : seen(left); other.textContent = right === null ? "" : seen(right); }
  return row;
};
const gap = lines => {
  const row = make("tr", undefined, "gap"), cell = make("td", `${count(lines, "equal line")}`);
  cell.colSpan = 4;
  row.append(cell);
  return row;
};
const table = (rows, leftName, rightName, only) => {
  const box = make("table"), head = make("tr");
  for (const name of [leftName, rightName]) {
    const cell = make("th", seen(name));
    cell.colSpan = 2;
    head.append(cell);
  }
  const columns = make("colgroup");
  columns.append(make("col"), make("col"), make("col"), make("col"));
  const top = make("thead");
  top.append(head);
  const body = make("tbody");
  let shown = 0;
  rows.forEach(([kind, left, right, text, other], place) => {
    const lines = text.split("\n");
    if (kind === "=") {
      const before = place === 0 ? 0 : CONTEXT, after = place === rows.length - 1 ? 0 : CONTEXT;
      lines.forEach((text, k) => {
        const hidden = only && k >= before && k < lines.length - after;
        if (hidden) { if (k === before) body.append(gap(lines.length - after - before)); }
        else if (shown++ < ROWS) body.append(line(text, text, left + k + 1, right + k + 1, "="));
      });
      return;
    }
    const lefts = kind === "+" ? [] : lines, rights = kind === "+" ? lines : kind === "~" ? other.split("\n") : [];
    for (let k = 0; k < Math.max(lefts.length, rights.length); k++)
      if (shown++ < ROWS) body.append(line(k < lefts.length ? lefts[k] : null, k < rights.length ? rights[k] : null, left + k + 1, right + k + 1, kind));
  });
  if (shown > ROWS) body.append(gap(shown - ROWS));
  box.append(columns, top, body);
  return box;
};
const one = (item, only) => {
  const box = make("article"), head = make("header");
  head.append(make("h2", seen(item.path)), make("span", item.how + (item.below ? `, with ${count(item.below, "path")} below` : ""), "dim"));
  box.append(head);
  item.groups.forEach(group => {
    const told = make("div", undefined, "group");
    told.append(make("b", seen(group.names)), make("span", ": " + seen(group.what) + (group.note ? ` (${group.note})` : "")));
    box.append(told);
    if (group.rows) box.append(table(group.rows, group.left, group.names, only));
  });
  return box;
};
const haystack = data.items.map(item => JSON.stringify([item.path, item.how, item.groups.map(group => [group.names, group.hosts, group.what, (group.rows || []).map(row => [row[3], row[4]])])]).toLowerCase());
const draw = () => {
  const wanted = JSON.stringify(at("search").value.trim().toLowerCase()).slice(1, -1), only = at("only").checked;
  const found = data.items.filter((_, k) => haystack[k].includes(wanted));
  at("items").replaceChildren(...found.slice(0, SHOWN).map(item => one(item, only)));
  if (found.length > SHOWN) at("items").append(make("p", `and ${found.length - SHOWN} more: search for them`, "dim"));
  at("found").textContent = wanted ? `${found.length} of ${count(data.items.length, "difference")}` : count(data.items.length, "difference");
};
if (data.items.length) {
  at("tools").hidden = false;
  at("search").addEventListener("input", draw);
  at("only").addEventListener("change", draw);
  draw();
} else {
  at("items").replaceChildren(make("p", data.uncompared.length ? "No differences in what was compared." : "No differences."));
}
