// The page of a training that was watched: what is embedded, the state, and what the reader does with it.

import { canvasColours } from "./colours.js";
import { layerHeat } from "./layer_heat.js";
import { insideLayer, lossCurve } from "./losses.js";
import { tellState, toldState } from "./observed_state.js";
import { sortable } from "./tables.js";

const content = JSON.parse(document.getElementById("content").textContent);
const root = document.documentElement;
const page = { state: toldState(content, location.hash), colours, choose };
const parts = [];
let known = null;

function colours() {
  if (!known) {
    known = canvasColours("var(--series-0)");
    known.paper = getComputedStyle(document.body).backgroundColor;
  }
  return known;
}

function keep() {
  const hash = tellState(page.state);
  try {
    history.replaceState(null, "", `${location.pathname}${location.search}${hash ? `#${hash}` : ""}`);
  } catch {
    // Some viewers lend the page no address; it works without.
  }
}

const isDark = () =>
  page.state.theme ? page.state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

function showTheme() {
  if (page.state.theme) root.dataset.theme = page.state.theme;
  const button = document.querySelector("[data-theme-toggle]");
  button.textContent = isDark() ? "Light" : "Dark";
  button.setAttribute("aria-pressed", String(isDark()));
  known = null;
}

/** A layer and the place of a step are looked at everywhere. */
function choose({ layer, column }) {
  Object.assign(page.state, { layer, column });
  show();
  keep();
}

const nodes = [...document.querySelectorAll("svg.layers .node")].map((element) => ({
  element,
  names: new Set(JSON.parse(element.dataset.names)),
}));

/** The node of a layer: itself, what lies in it, or what it lies in. */
function nodeOf(layer) {
  for (let name = layer; name; name = name.includes(":") ? name.split(":")[0] : name.split(".").slice(0, -1).join(".")) {
    const own = nodes.find(({ names }) => names.has(name));
    if (own) return own;
    const inside = nodes.find(({ names }) => [...names].some((other) => other.startsWith(`${name}.`) || other.startsWith(`${name}:`)));
    if (inside) return inside;
  }
  return null;
}

function show() {
  const { state } = page;
  for (const choice of document.querySelectorAll("[data-scale-choice]")) choice.checked = choice.value === state.scale;
  for (const choice of document.querySelectorAll("[data-measure]")) choice.checked = choice.value === (state.measure ?? "");
  document.querySelector("[data-panels]")?.classList.toggle("alone", Boolean(state.measure));
  for (const item of document.querySelectorAll("[data-finding]")) {
    item.classList.toggle("chosen", Number(item.dataset.finding) === state.finding);
  }
  const chosen = state.layer ? nodeOf(state.layer) : null;
  for (const own of nodes) own.element.classList.toggle("chosen", own === chosen);
  const said = document.querySelector("[data-node-readout]");
  if (said) said.textContent = chosen ? chosen.element.dataset.title : "";
  parts.forEach((part) => part.draw());
  for (const canvas of document.querySelectorAll("[data-layers]")) {
    canvas.closest("figure").querySelector("[data-readout]").textContent = heat.said(canvas);
  }
}

/** A finding is lit in the rows, on the curve and in the drawing. */
function light(number, where) {
  const own = content.findings.find((finding) => finding.number === number);
  page.state.finding = number;
  const layer = own.layers[0] ?? page.state.layer;
  choose({ layer, column: own.column });
  document.getElementById(where)?.scrollIntoView({ block: "start" });
  if (where === "model") inSight(layer);
}

/** Bring the node of a layer into the window of the drawing. */
function inSight(layer) {
  const own = layer && nodeOf(layer);
  const box = document.querySelector(".drawing");
  if (!own || !box) return;
  const [outer, inner] = [box.getBoundingClientRect(), own.element.getBoundingClientRect()];
  box.scrollTop += inner.top - outer.top - outer.height / 2;
  box.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
}

function goTo(section) {
  const target = section && document.getElementById(section);
  if (!target) return;
  page.state.section = section;
  target.scrollIntoView();
  keep();
}

function listen() {
  const again = () => {
    showTheme();
    show();
  };
  document.querySelector("[data-theme-toggle]").addEventListener("click", () => {
    page.state.theme = isDark() ? "light" : "dark";
    again();
    keep();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  const choices = { "[data-scale-choice]": "scale", "[data-measure]": "measure" };
  for (const [selector, key] of Object.entries(choices)) {
    for (const choice of document.querySelectorAll(selector)) {
      choice.addEventListener("change", () => {
        page.state[key] = choice.value || null;
        show();
        keep();
      });
    }
  }
  for (const button of document.querySelectorAll("[data-light]")) {
    button.addEventListener("click", () => light(Number(button.dataset.light), button.dataset.where));
  }
  for (const { element, names } of nodes) {
    element.addEventListener("click", () => choose({ layer: rowsOf(names), column: page.state.column }));
  }
  for (const link of document.querySelectorAll("nav a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      goTo(link.getAttribute("href").slice(1));
    });
  }
  document.querySelector(".drawing")?.addEventListener("keydown", alongNodes);
}

/** The row that a node of the drawing stands for; its own name where it has none. */
function rowsOf(names) {
  const rows = content.measures.flatMap((own) => own.rows);
  const within = (row) => [...names].some((name) => row === name || row.startsWith(`${name}.`) || row.startsWith(`${name}:`));
  return rows.find((row) => names.has(row)) ?? rows.find(within) ?? [...names][0];
}

/** Arrow keys walk through the drawing, from the input up. */
function alongNodes(event) {
  const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (!by || !nodes.length) return;
  event.preventDefault();
  const at = nodes.indexOf(page.state.layer ? nodeOf(page.state.layer) : null);
  const next = nodes[Math.min(Math.max(at + by, 0), nodes.length - 1)];
  page.state.layer = [...next.names][0];
  show();
  inSight(page.state.layer);
}

const part = (name) => document.querySelector(`[data-${name}]`);
const heat = part("panels") ? layerHeat(part("panels"), content, page) : { draw() {}, said: () => "" };
parts.push(heat);
if (part("losses")) parts.push(lossCurve(part("losses"), content.losses, content.findings, page));
if (part("insides")) parts.push(insideLayer(part("insides"), content.insides, page));
showTheme();
listen();
sortable();
show();
const first = content.findings.find(({ layers }) => layers.length);
inSight(page.state.layer ?? first?.layers[0] ?? content.bottom);
goTo(page.state.section);
// Two frames on, what stands in the window has been painted.
await new Promise((resume) => requestAnimationFrame(() => setTimeout(resume)));
root.dataset.drawn = document.querySelectorAll("canvas").length;
