// The loss of each batch that was looked at, the best constant answer beside it, and what was seen inside one layer.

import { octets } from "./arrays.js";
import { axes, clear, path, surface, ticks, written } from "./canvas.js";
import { share } from "./heat.js";
import { pins, stepAxis } from "./layer_heat.js";
import { watched } from "./sizes.js";
import { columnAt, columns, inWords } from "./steps.js";

const LEFT = 52;
const RIGHT = 10;

const numbers = (values) => values.map((value) => (value === "∞" ? Infinity : value === null ? NaN : value));

/** From values to pixels, by their logarithms where they reach over more than two decades; with ticks. */
export function heights(values, top, bottom) {
  const finite = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  if (!finite.length) return { y: () => NaN, marks: [] };
  const log = low > 0 && high / low > 100;
  const scale = log ? Math.log10 : (value) => value;
  const room = 0.06 * (scale(high) - scale(low)) || 0.5;
  const [from, to] = [scale(low) - room, scale(high) + room];
  const y = (value) => bottom - ((scale(value) - from) / (to - from)) * (bottom - top);
  const places = ticks([from, to], 4).filter((place) => !log || Number.isInteger(place));
  const marks = places.map((place) => (log ? 10 ** place : place)).map((value) => ({ at: y(value), text: written(value) }));
  return { y, marks };
}

/** The curve of the losses. */
export function lossCurve(canvas, { steps, loss, constant }, findings, page) {
  const [losses, constants] = [numbers(loss), numbers(constant)];
  const { sizes, visible } = watched([canvas], () => draw());
  const readout = canvas.closest("figure").querySelector("[data-readout]");
  const placed = findings.map((own) => ({ ...own, column: columnAt(Float64Array.from([...steps, Infinity]), own.step) }));
  const frame = ([width, height]) => ({ left: LEFT, right: width - RIGHT, top: 22, bottom: height - 24 });
  const draw = () => {
    const size = sizes.get(canvas);
    if (!size || !visible.has(canvas)) return;
    const drawn = surface(canvas, ...size);
    const colours = page.colours();
    const box = frame(size);
    const edges = columns(steps, page.state.scale);
    const x = (i) => box.left + ((edges[i] + edges[i + 1]) / 2) * (box.right - box.left);
    const { y, marks } = heights([...losses, ...constants], box.top, box.bottom);
    clear(drawn);
    axes(drawn, box, colours, { up: marks });
    path(drawn, steps.length, x, (i) => y(constants[i]), colours.quiet, 1.5, [6, 4]);
    path(drawn, steps.length, x, (i) => y(losses[i]), `rgb(${colours.series.join()})`, 2);
    losses.forEach((value, i) => {
      // A gap says nothing of what it is: infinite, or no number.
      if (!Number.isFinite(value)) drawn.context.fillRect(x(i) - 1.5, box.top, 3, 7);
    });
    stepAxis(drawn.context, steps, edges, box, colours);
    pins(drawn.context, box, edges, placed, page);
  };
  const say = (i) => {
    const beside = Number.isFinite(constants[i]) ? `; best constant answer ${inWords(constants[i])}` : "";
    readout.textContent = `step ${steps[i]}: loss ${Number.isNaN(losses[i]) ? "not a number, or not seen" : inWords(losses[i])}${beside}`;
  };
  let at = steps.length - 1;
  const under = (event) => {
    const box = frame(sizes.get(canvas));
    const along = Math.min(Math.max((event.offsetX - box.left) / (box.right - box.left), 0), 1);
    return columnAt(columns(steps, page.state.scale), along);
  };
  for (const kind of ["pointermove", "click"]) canvas.addEventListener(kind, (event) => say((at = under(event))));
  canvas.addEventListener("focus", () => say(at));
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    say((at = Math.min(Math.max(at + by, 0), steps.length - 1)));
  });
  return { draw };
}

/** The distributions in one layer over the steps. */
export function insideLayer(section, quantities, page) {
  const select = section.querySelector("select");
  const canvases = [...section.querySelectorAll("[data-inside]")];
  const known = new Map(quantities.map((own) => [own.name, { ...own, octets: octets(own.cells) }]));
  const { sizes, visible } = watched(canvases, () => draw());
  const pictures = new Map();
  const draw = () => {
    const layer = [...select.options].some((option) => option.value === page.state.layer) ? page.state.layer : select.value;
    select.value = layer;
    for (const canvas of canvases) {
      const own = known.get(canvas.dataset.inside);
      const row = own.layers.indexOf(layer);
      canvas.closest("figure").hidden = row < 0;
      const size = sizes.get(canvas);
      if (row < 0 || !size || !visible.has(canvas)) continue;
      paintInside(surface(canvas, ...size), own, picture(pictures, own, row, page.colours().heat), page);
    }
  };
  select.addEventListener("change", () => page.choose({ layer: select.value, column: page.state.column }));
  for (const canvas of canvases) {
    const own = known.get(canvas.dataset.inside);
    canvas.addEventListener("pointermove", (event) => {
      const row = own.layers.indexOf(select.value);
      const size = sizes.get(canvas);
      if (row < 0 || !size) return;
      const box = insideBox(size);
      const part = (value, from, to) => Math.min(Math.max((value - from) / (to - from), 0), 0.9999);
      const column = columnAt(columns(own.steps, page.state.scale), part(event.offsetX, box.left, box.right));
      const bin = Math.floor(part(-event.offsetY, -box.bottom, -box.top) * own.words.length);
      const octet = own.octets[(row * own.steps.length + column) * own.words.length + bin];
      const words = `${Number((100 * share(octet, own.top)).toPrecision(2))} %`;
      canvas.closest("figure").querySelector("[data-readout]").textContent = `step ${own.steps[column]}, ${own.words[bin]}: ${words}`;
    });
  }
  return { draw };
}

const insideBox = ([width, height]) => ({ left: LEFT, right: width - RIGHT, top: 8, bottom: height - 24 });

function picture(pictures, own, row, ramp) {
  const key = `${own.name} ${row}`;
  if (pictures.get(key)?.ramp === ramp) return pictures.get(key).made;
  const [across, bins] = [own.steps.length, own.words.length];
  const made = document.createElement("canvas");
  Object.assign(made, { width: across, height: bins });
  const context = made.getContext("2d");
  const pixels = context.createImageData(across, bins);
  for (let i = 0; i < across; i += 1) {
    for (let bin = 0; bin < bins; bin += 1) {
      const octet = own.octets[(row * across + i) * bins + bin];
      if (octet) pixels.data.set([...ramp[octet], 255], 4 * ((bins - 1 - bin) * across + i));
    }
  }
  context.putImageData(pixels, 0, 0);
  pictures.set(key, { ramp, made });
  return made;
}

function paintInside(drawn, own, made, page) {
  const { context, width, height } = drawn;
  const colours = page.colours();
  const box = insideBox([width, height]);
  const edges = columns(own.steps, page.state.scale);
  clear(drawn);
  context.imageSmoothingEnabled = false;
  for (let i = 0; i < own.steps.length; i += 1) {
    const [from, to] = [edges[i], edges[i + 1]].map((edge) => box.left + edge * (box.right - box.left));
    context.drawImage(made, i, 0, 1, made.height, from, box.top, Math.max(to - from, 0.5), box.bottom - box.top);
  }
  const up = own.ticks.map(([place, text]) => ({ at: box.bottom - place * (box.bottom - box.top), text }));
  axes(drawn, box, colours, { up, grid: false });
  stepAxis(context, own.steps, edges, box, colours);
}
