// The page: what is embedded, the state, and what the reader does with it.

import { functionCards } from "./cards.js";
import { charts } from "./charts.js";
import { clock } from "./clock.js";
import { canvasColours } from "./colours.js";
import { heatMaps } from "./heat.js";
import { player } from "./player.js";
import { blobOf, joined, saving, traceRows } from "./saving.js";
import { keep, readState } from "./state.js";
import { sortable } from "./tables.js";

const content = JSON.parse(document.getElementById("content").textContent);
const root = document.documentElement;
const chips = [...document.querySelectorAll("[data-toggle]")];
const known = new Map();
const page = {
  state: readState(content.usual),
  seeds: content.usual.every,
  keep: () => keep(page.state, content.usual),
  /** The colours of an activation's pictures, as the theme is now. */
  colours(series = "var(--series-0)") {
    if (!known.has(series)) known.set(series, canvasColours(series));
    return known.get(series);
  },
  /** Draw all that moves with the epoch. */
  draw: () => moving.forEach((drawing) => drawing.draw()),
  go(epoch) {
    page.state.epoch = epoch;
    page.draw();
    page.keep();
  },
};
const moving = [];
const still = [];

const isDark = () =>
  page.state.theme ? page.state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

function showTheme() {
  if (page.state.theme) root.dataset.theme = page.state.theme;
  const button = document.querySelector("[data-theme-toggle]");
  button.textContent = isDark() ? "Light" : "Dark";
  button.setAttribute("aria-pressed", String(isDark()));
  known.clear();
}

function showChosen() {
  const { hidden } = page.state;
  for (const chip of chips) chip.setAttribute("aria-pressed", String(!hidden.has(chip.dataset.toggle)));
  for (const panel of document.querySelectorAll("[data-activation]")) {
    panel.hidden = hidden.has(panel.dataset.activation);
  }
}

const drawAll = () => [...moving, ...still].forEach((drawing) => drawing.draw());

function choose(hidden) {
  page.state.hidden = new Set(hidden);
  showChosen();
  page.keep();
  drawAll();
}

function toggleTheme() {
  page.state.theme = isDark() ? "light" : "dark";
  showTheme();
  page.keep();
  drawAll();
}

function toggleOne(name, alone) {
  const names = chips.map((chip) => chip.dataset.toggle);
  if (alone) return choose(names.filter((other) => other !== name));
  const hidden = new Set(page.state.hidden);
  if (!hidden.delete(name)) hidden.add(name);
  return choose(hidden);
}

function goTo(section) {
  const target = section && document.getElementById(section);
  if (!target) return;
  page.state.section = section;
  target.scrollIntoView();
  page.keep();
}

function listen() {
  document.querySelector("[data-theme-toggle]").addEventListener("click", toggleTheme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    showTheme();
    drawAll();
  });
  for (const chip of chips) {
    chip.addEventListener("click", (event) => toggleOne(chip.dataset.toggle, event.shiftKey));
    chip.addEventListener("dblclick", () => toggleOne(chip.dataset.toggle, true));
  }
  for (const button of document.querySelectorAll("[data-show]")) {
    const names = button.dataset.show === "none" ? chips.map((chip) => chip.dataset.toggle) : [];
    button.addEventListener("click", () => choose(names));
  }
  for (const link of document.querySelectorAll("nav a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      goTo(link.getAttribute("href").slice(1));
    });
  }
}

/** Plotly's script lies compressed in the page; it is unpacked once the first pictures are there. */
async function plotly() {
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
}

/** The seed whose own lines are drawn beside the medians. */
function oneSeed(drawn) {
  const choice = document.querySelector("[data-one]");
  if (!choice) return;
  choice.value = page.state.one === null ? "" : String(page.state.one);
  choice.addEventListener("change", () => {
    page.state.one = choice.value === "" ? null : Number(choice.value);
    page.keep();
    drawn.mark([...choice.closest("section").querySelectorAll("[data-chart]")]);
  });
}

/** The parts of the page that are there. */
function build() {
  const part = (name) => document.querySelector(`[data-${name}]`);
  const parts = {};
  if (part("controls")) moving.push(clock(part("controls").closest("section"), content.usual.epoch, page));
  const code = { functions: FUNCTIONS, objectives: OBJECTIVES };
  if (content.player) parts.player = player(part("player"), content.player, code, page);
  if (part("distributions")) parts.heat = heatMaps(part("distributions"), content.distributions, page);
  if (part("cards")) {
    const inputs = content.distributions.find(({ name }) => name === "pre-activations");
    parts.cards = functionCards(part("cards"), content.cards, inputs, page);
  }
  moving.push(...Object.values(parts));
  saving((figure) => saved(figure, parts));
}

/** What there is to save of a figure: its name, its picture and its data. */
function saved(figure, { player: playing, heat, cards }) {
  const plot = figure.querySelector("[data-chart]");
  const canvases = [...figure.querySelectorAll("canvas")];
  const [canvas] = canvases;
  const ground = getComputedStyle(document.body).backgroundColor;
  if (plot) {
    return {
      name: plot.dataset.chart,
      png: async () => blobOf(await window.Plotly.toImage(plot, { format: "png", scale: 2 })),
      rows: () => traceRows(content.charts[plot.dataset.chart].data),
    };
  }
  const kind = canvas.dataset.heat ? "heat" : canvas.dataset.card ? "cards" : "player";
  const rows = { heat: () => heat.rows(canvas), cards: () => cards.rows(canvas), player: () => playing.rows(figure) };
  const name = `${kind === "cards" ? "function" : kind === "heat" ? "distribution" : "epoch"}-${figure.dataset.activation}`;
  const png = () => new Promise((resolve) => joined(canvases, ground).toBlob(resolve));
  return { name, png, rows: rows[kind] };
}

document.querySelector(".bar").hidden = chips.length < 2;
showTheme();
showChosen();
listen();
sortable();
build();
page.draw();
// What is asked for is shown before Plotly is unpacked: the frames of its charts are there already.
goTo(page.state.section);
if (document.getElementById("plotly")) {
  // Two frames on, what stands above has been painted.
  await new Promise((resume) => requestAnimationFrame(() => setTimeout(resume)));
  await plotly();
  const drawn = charts(content.charts, page);
  still.push({ draw: () => drawn.mark() });
  drawn.mark();
  oneSeed(drawn);
}
