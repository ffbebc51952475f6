"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const { texts } = data.output;
const said = data.output.said.map(([out = null, err = null, parts = ["", "", ""]]) => [out, err, parts]);
const WIDTH = 1000, SHOWN = 2000, GROUPS = 200, CELLS = 1000000, CONTEXT = 2;
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

// The marks of the time axis: round numbers, each with its place from 0 to 1 and a text that no other has.
const UNITS = [[1, "ms"], [1000, "s"], [60000, "m"], [3600000, "h"]];
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1.5e4, 3e4, 6e4, 1.2e5, 3e5, 6e5, 9e5, 1.8e6, 3.6e6, 7.2e6, 1.44e7, 4.32e7];
const marks = (elapsed, most) => {
  let step = STEPS.find((step) => elapsed / step <= most) || 8.64e7;
  while (elapsed / step > most) step *= 2;
  const [unit, word] = [...UNITS].reverse().find(([unit]) => step % unit === 0);
  const all = [];
  const name = (at) => step < 1000 && elapsed >= 1000 ? (at / 1000).toFixed(1) + " s" : at / unit + " " + word;
  for (let at = 0; at <= elapsed; at += step) all.push({ at: elapsed ? at / elapsed : 0, text: name(at) });
  return all;
};

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

// What most hosts said in a step; null when as many said something else.
const majority = ordered.map(([most, next]) => next && most.hosts.length > next.hosts.length ? most.id : null);
const lines = (text) => text.replace(/\n$/, "").split("\n");
// For each pair of lines the length of the longest common sequence of what follows, as rows of one array.
const common = (a, b) => {
  const width = b.length + 1, table = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      table[i * width + j] = a[i] === b[j] ? table[(i + 1) * width + j + 1] + 1
        : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  return (i, j) => table[i * width + j];
};
// The second text by what sets it apart from the first; null when they have little in common, or are too long to tell.
const against = (first, second) => {
  const a = lines(first), b = lines(second);
  let start = 0, end = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start += 1;
  while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const old = a.slice(start, a.length - end), now = b.slice(start, b.length - end);
  if (old.length * now.length > CELLS) return null;
  const rest = common(old, now);
  if ((start + end + rest(0, 0)) * 2 < Math.max(a.length, b.length)) return null;
  const all = a.slice(0, start).map((line) => " " + line);
  let i = 0, j = 0;
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) { all.push(" " + old[i]); i += 1; j += 1; }
    else if (j === now.length || (i < old.length && rest(i + 1, j) >= rest(i, j + 1))) { all.push("-" + old[i]); i += 1; }
    else { all.push("+" + now[j]); j += 1; }
  }
  all.push(...a.slice(a.length - end).map((line) => " " + line));
  const near = new Set();
  all.forEach((line, index) => {
    if (line[0] !== " ") for (let k = index - CONTEXT; k <= index + CONTEXT; k += 1) near.add(k);
  });
  const shown = [];
  all.forEach((line, index) => {
    if (near.has(index)) shown.push(line);
    else if (index === 0 || near.has(index - 1)) shown.push("⋯");
  });
  return shown.join("\n");
};

const stream = (into, own, most) => {
  const comparable = most !== null && most !== own && texts[own] !== 0 && texts[most] !== 0;
  const changes = comparable ? against(texts[most], texts[own]) : null;
  const whole = make("pre", "", textOf(own));
  if (changes === null) return into.append(whole);
  const box = make("details");
  box.append(make("summary", "dim", "all of it"), whole);
  into.append(make("p", "dim", "against the majority"), difference(changes), box);
};
const output = (into, id, step) => {
  const [out, err, [ending, note, changes]] = said[id];
  const most = majority[step] === null ? [null, null] : said[majority[step]];
  if (ending) into.append(make("p", "dim", ending));
  if (note) into.append(make("p", "", note));
  if (out !== null) stream(into, out, most[0]);
  if (err !== null) { into.append(make("p", "dim", "stderr")); stream(into, err, most[1]); }
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
    output(step, cell.id, cell.step);
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
  const axis = make("div", "row axis");
  const ticks = make("span");
  for (const { at: place, text } of marks(data.elapsed, innerWidth < 600 ? 2 : 6)) {
    const tick = make("span", place > 0.9 ? "last" : place > 0 ? "inner" : "", text);
    tick.style.setProperty("left", place * 100 + "%");
    ticks.append(tick);
  }
  axis.append(make("b", "", ""), ticks);
  at("timeline").replaceChildren(axis, rows);
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
        output(box, group.id, index);
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
// What the colours mean, of those that there are.
const used = new Set(data.hosts.flatMap((host) => cells(host).map((cell) => cell.status)));
for (const word of [...(data.hosts.some((host) => host[2]) ? ["connecting"] : []), ...data.words.filter((word) => used.has(word))]) {
  const key = make("span", "key " + word);
  key.append(make("i"), make("span", "", word));
  at("legend").append(key);
}
at("app").hidden = false;
show("");
document.documentElement.dataset.ready = "yes";
})();
