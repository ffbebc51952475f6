"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const { texts } = data.output;
const said = data.output.said.map(([out = null, err = null, parts = ["", "", ""]]) => [out, err, parts]);
const WIDTH = 1000, SHOWN = 2000, GROUPS = 200;
const at = (id) => document.getElementById(id);
// Everything from hosts becomes text by this one function.
const make = (tag, name, text) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
};
const seconds = (ms) => ms < 60000 ? (ms / 1000).toFixed(1) + "s"
  : Math.floor(ms / 60000) + "m" + String(Math.floor(ms / 1000) % 60).padStart(2, "0") + "s";

// Cells of a host: step, status, beginning, length, what was said.
const cells = (host) => {
  const list = [];
  for (let i = 0; i < host[3].length; i += 5) {
    const [step, status, began, took, id] = host[3].slice(i, i + 5);
    list.push({ step, status: data.words[status], began, took, id });
  }
  return list;
};

// Groups of each step: what was said, its status, and by whom; the largest first.
const groups = data.steps.map(() => new Map());
data.hosts.forEach((host, index) => {
  for (const cell of cells(host)) {
    const key = cell.id + " " + cell.status;
    const found = groups[cell.step].get(key);
    if (found) found.hosts.push(index);
    else groups[cell.step].set(key, { id: cell.id, status: cell.status, hosts: [index] });
  }
});
const ordered = groups.map((map) => [...map.values()].sort((a, b) => b.hosts.length - a.hosts.length));

const textOf = (id) => id === null ? "" : texts[id] === 0 ? "(left out of this page; the JSON report has it)\n" : texts[id];
// Made when first searched in.
let lower = null;
const matches = (id, query) => {
  lower ??= texts.map((text) => text === 0 ? "" : text.toLowerCase());
  const [out, err, parts] = said[id];
  return (out !== null && lower[out].includes(query)) || (err !== null && lower[err].includes(query))
    || parts.some((part) => part.toLowerCase().includes(query));
};

const difference = (text) => {
  const pre = make("pre");
  for (const line of text.split("\n")) {
    const kind = line.startsWith("+") ? "add" : line.startsWith("-") ? "del" : "";
    pre.append(make("span", kind, line), "\n");
  }
  return pre;
};
const output = (into, id) => {
  const [out, err, [ending, note, changes]] = said[id];
  if (ending) into.append(make("p", "dim", ending));
  if (note) into.append(make("p", "", note));
  if (out !== null) into.append(make("pre", "", textOf(out)));
  if (err !== null) into.append(make("p", "dim", "stderr"), make("pre", "", textOf(err)));
  if (changes) into.append(difference(changes));
};

// Names as ranges: the last number of each name, runs of equal width.
const fold = (names) => {
  const shapes = new Map();
  for (const name of names) {
    const match = /^(.*?)(\d{1,15})(\D*)$/.exec(name);
    const key = match ? JSON.stringify([match[1], match[3], match[2].length]) : JSON.stringify([name]);
    if (!shapes.has(key)) shapes.set(key, []);
    if (match) shapes.get(key).push(match[2]);
  }
  return [...shapes].map(([key, numbers]) => {
    const [before, after] = JSON.parse(key);
    if (after === undefined) return before;
    numbers.sort();
    const runs = [];
    for (const number of numbers) {
      const last = runs[runs.length - 1];
      if (last && Number(last[1]) + 1 === Number(number)) last[1] = number;
      else runs.push([number, number]);
    }
    const shown = runs.map(([from, to]) => from === to ? from : from + "-" + to).join(",");
    return before + (numbers.length > 1 ? "[" + shown + "]" : shown) + after;
  }).join(",");
};

const SVG = "http://www.w3.org/2000/svg";
const bar = (host) => {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 " + WIDTH + " 10");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const scale = WIDTH / Math.max(1, data.elapsed);
  const shapes = new Map();
  const add = (kind, from, took) => {
    const x = (from * scale).toFixed(1), w = Math.max(1.5, took * scale).toFixed(1);
    shapes.set(kind, (shapes.get(kind) || "") + "M" + x + " 0h" + w + "v10h-" + w + "z");
  };
  if (host[2]) add("connecting", host[2][0], host[2][1]);
  for (const cell of cells(host)) add(cell.status, cell.began, cell.took);
  for (const [kind, d] of shapes) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", kind);
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
};

let pressed = null;
const details = (host, row) => {
  if (pressed) pressed.setAttribute("aria-pressed", "false");
  pressed = row;
  row.setAttribute("aria-pressed", "true");
  const box = at("details");
  box.replaceChildren(make("h3", "", host[0] + ": " + host[1]));
  for (const cell of cells(host)) {
    const step = make("details", "step");
    const title = make("summary", "", data.steps[cell.step] + " ");
    title.append(make("span", cell.status, cell.status), " " + seconds(cell.took) + " (from " + seconds(cell.began) + ")");
    step.append(title);
    output(step, cell.id);
    step.open = cell.status === "failed" || cell.status === "unknown";
    box.append(step);
  }
};

const show = (query) => {
  const rows = document.createDocumentFragment();
  let hosts = 0;
  for (const host of data.hosts) {
    if (query && !host[0].toLowerCase().includes(query) && !cells(host).some((cell) => matches(cell.id, query))) continue;
    hosts += 1;
    if (hosts > SHOWN) continue;
    const row = make("button", "row");
    row.type = "button";
    row.append(make("b", "", host[0]), bar(host), make("span", host[1], host[1]));
    row.addEventListener("click", () => details(host, row));
    rows.append(row);
  }
  at("timeline").replaceChildren(rows);
  at("details").replaceChildren();
  pressed = null;
  at("found").textContent = (query || hosts > SHOWN)
    ? hosts + (hosts === 1 ? " host" : " hosts") + (hosts > SHOWN ? ", the first " + SHOWN + " shown" : "") : "";
  const steps = document.createDocumentFragment();
  data.steps.forEach((title, index) => {
    const found = ordered[index].filter((group) => !query || matches(group.id, query)
      || group.hosts.some((host) => data.hosts[host][0].toLowerCase().includes(query)));
    if (found.length === 0) return;
    const step = make("details", "step");
    const count = found.reduce((sum, group) => sum + group.hosts.length, 0);
    const summary = make("summary", "", title + " ");
    summary.append(make("span", "dim", count + (count === 1 ? " host, " : " hosts, ") + found.length + (found.length === 1 ? " group" : " groups")));
    step.append(summary);
    // Filled when it is looked at: thousands of groups cost nothing before.
    step.addEventListener("toggle", () => {
      if (!step.open || step.childElementCount > 1) return;
      for (const group of found.slice(0, GROUPS)) {
        const box = make("div", "group");
        const heading = make("h3", "", fold(group.hosts.map((host) => data.hosts[host][0])) + " (" + group.hosts.length + ") ");
        heading.append(make("span", group.status, group.status));
        box.append(heading);
        output(box, group.id);
        step.append(box);
      }
      if (found.length > GROUPS) step.append(make("p", "dim", "and " + (found.length - GROUPS) + " groups more: search for a host"));
    });
    step.open = Boolean(query) || found.some((group) => group.status === "failed" || group.status === "unknown");
    steps.append(step);
  });
  at("steps").replaceChildren(steps);
};

let timer = 0;
at("search").addEventListener("input", (event) => {
  clearTimeout(timer);
  timer = setTimeout(() => show(event.target.value.trim().toLowerCase()), 150);
});
at("app").hidden = false;
show("");
document.documentElement.dataset.ready = "yes";
})();
