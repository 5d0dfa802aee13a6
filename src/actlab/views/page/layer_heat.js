// What was measured in every layer at every step that was looked at: a row for each layer, the input's at the bottom.

import { counts } from "./arrays.js";
import { clear, surface } from "./canvas.js";
import { watched } from "./sizes.js";
import { columnAt, columns, decoded, inWords, labelled, rowNames, shade } from "./steps.js";

const TOP = 20;
const BOTTOM = 22;
const PIN = 8;
// Numbers of findings stand there.
const RIGHT = 2 * PIN + 6;

/** How high a row is: all of them together are seen without scrolling, if that leaves something to be seen. */
export const rowHeight = (rows, alone) => Math.min(Math.max((alone ? 1000 : 420) / Math.max(rows, 1), 1.5), alone ? 26 : 22);

/** Room for names left of the rows. */
const leftOf = (width) => Math.min(Math.max(0.24 * width, 78), 190);

/**
 * The heat maps of a page.
 *
 * @param section the element that holds them.
 * @param content { steps, measures, findings, functions }: see `actlab.views.report.layer_heat`.
 * @param page { state, colours, choose }.
 */
export function layerHeat(section, content, page) {
  const canvases = [...section.querySelectorAll("[data-layers]")];
  const measures = new Map(content.measures.map((own) => [own.name, { ...own, codes: counts(own.cells) }]));
  const pictures = new Map();
  const { sizes, visible } = watched(canvases, () => draw());
  const draw = () => {
    for (const canvas of canvases) {
      const measure = measures.get(canvas.dataset.layers);
      const alone = page.state.measure === measure.name;
      const figure = canvas.closest("figure");
      figure.hidden = Boolean(page.state.measure) && !alone;
      canvas.style.height = `${TOP + BOTTOM + measure.rows.length * rowHeight(measure.rows.length, alone)}px`;
      const size = sizes.get(canvas);
      if (!size || !visible.has(canvas) || figure.hidden) continue;
      paint(surface(canvas, ...size), measure, pictured(pictures, measure, page), content, page);
    }
  };
  for (const canvas of canvases) listen(canvas, measures.get(canvas.dataset.layers), sizes, content, page);
  return { draw, said: (canvas) => said(measures.get(canvas.dataset.layers), content, page.state), measures };
}

/** Where the rows lie, and how high each is. */
function boxOf(width, measure, page) {
  const height = rowHeight(measure.rows.length, page.state.measure === measure.name);
  const left = leftOf(width);
  return { left, right: width - RIGHT, top: TOP, bottom: TOP + height * measure.rows.length, height };
}

/** All cells as a picture of a pixel each, made once for each theme. */
function pictured(pictures, measure, page) {
  const colours = page.colours();
  const known = pictures.get(measure.name);
  if (known?.heat === colours.heat) return known.picture;
  const [across, down] = [measure.columns, measure.rows.length];
  const picture = document.createElement("canvas");
  Object.assign(picture, { width: across, height: down });
  const context = picture.getContext("2d");
  const pixels = context.createImageData(across, down);
  measure.codes.forEach((code, place) => {
    const [row, column] = [Math.floor(place / across), place % across];
    const at = shade(code, measure);
    if (at < 0) return;
    const [red, green, blue] = at > 255 ? colours.wrongChannels : colours.heat[at];
    pixels.data.set([red, green, blue, 255], 4 * ((down - 1 - row) * across + column));
  });
  context.putImageData(pixels, 0, 0);
  pictures.set(measure.name, { heat: colours.heat, picture });
  return picture;
}

function paint(drawn, measure, picture, content, page) {
  const { context, width } = drawn;
  const colours = page.colours();
  const box = boxOf(width, measure, page);
  const edges = columns(content.steps, page.state.scale);
  const x = (edge) => box.left + edge * (box.right - box.left);
  clear(drawn);
  context.imageSmoothingEnabled = false;
  const down = box.bottom - box.top;
  if (page.state.scale === "scale") {
    for (let i = 0; i < measure.columns; i += 1) {
      const [from, to] = [x(edges[i]), x(edges[i + 1])];
      context.drawImage(picture, i, 0, 1, picture.height, from, box.top, Math.max(to - from, 0.5), down);
    }
  } else context.drawImage(picture, box.left, box.top, box.right - box.left, down);
  context.strokeStyle = colours.rule;
  context.strokeRect(box.left - 0.5, box.top - 0.5, box.right - box.left + 1, down + 1);
  names(context, measure, box, colours);
  stepAxis(context, content.steps, edges, box, colours);
  chosenCell(context, measure, box, edges, content, page);
  pins(context, box, edges, content.findings, page, (own) => own.rows[measure.along] ?? []);
}

/** The end of a name that fits. */
function fitting(text, room) {
  const most = Math.floor(room / 5.9);
  return text.length <= most ? text : `…${text.slice(1 - most)}`;
}

function names(context, measure, box, colours) {
  context.font = `10.5px ${colours.font}`;
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillStyle = colours.quiet;
  for (const { row, text } of rowNames(measure.rows, box.height)) {
    context.fillText(fitting(text, box.left - 8), box.left - 6, box.bottom - (row + 0.5) * box.height);
  }
}

/** Steps below the columns. */
export function stepAxis(context, numbers, edges, box, colours) {
  context.font = `10.5px ${colours.font}`;
  context.textBaseline = "top";
  context.fillStyle = colours.quiet;
  context.strokeStyle = colours.axis;
  context.lineWidth = 1;
  for (const i of labelled(edges, box.right - box.left, 9 + 6.4 * String(numbers.at(-1)).length)) {
    const at = box.left + ((edges[i] + edges[i + 1]) / 2) * (box.right - box.left);
    context.beginPath();
    context.moveTo(at, box.bottom);
    context.lineTo(at, box.bottom + 4);
    context.stroke();
    context.textAlign = at > box.right - 10 ? "right" : "center";
    context.fillText(String(numbers[i]), at > box.right - 10 ? box.right : at, box.bottom + 6);
  }
}

function chosenCell(context, measure, box, edges, content, page) {
  const row = measure.rows.indexOf(page.state.layer);
  const column = page.state.column;
  context.strokeStyle = page.colours().ink;
  context.lineWidth = 1;
  if (row >= 0) {
    const top = box.bottom - (row + 1) * box.height;
    context.strokeRect(box.left - 1, top - 1, box.right - box.left + 2, box.height + 2);
  }
  if (column !== null) {
    const at = box.left + ((edges[column] + edges[column + 1]) / 2) * (box.right - box.left);
    context.beginPath();
    context.moveTo(at, box.top - 3);
    context.lineTo(at, box.bottom + 4);
    context.stroke();
  }
}

/** Findings where they begin: a line at their step with their numbers above it, and these again at their rows' ends. */
export function pins(context, box, edges, findings, page, rowsOf = () => []) {
  const colours = page.colours();
  const spots = new Map();
  const at = (x, y, own, colour) => {
    const key = `${Math.round(x / PIN)} ${Math.round(y / PIN)}`;
    const held = spots.get(key) ?? { x, y, colour, numbers: [] };
    held.numbers.push(own.number);
    spots.set(key, held);
  };
  for (const own of findings) {
    const x = box.left + ((edges[own.column] + edges[own.column + 1]) / 2) * (box.right - box.left);
    const strong = page.state.finding === own.number;
    const rows = rowsOf(own);
    const colour = own.severity === "warning" ? colours.wrong : colours.quiet;
    context.strokeStyle = colour;
    context.lineWidth = strong ? 2 : 1;
    context.setLineDash(strong ? [] : [3, 3]);
    context.beginPath();
    context.moveTo(x, box.top);
    context.lineTo(x, box.bottom);
    context.stroke();
    context.setLineDash([]);
    at(x, box.top - PIN - 1, own, colour);
    if (!rows.length) continue;
    const [first, last] = [Math.min(...rows), Math.max(...rows)];
    const [up, down] = [box.bottom - (last + 1) * box.height, box.bottom - first * box.height];
    context.strokeRect(x, up, Math.max(box.right - x, 3), down - up);
    at(box.right + PIN + 3, (up + down) / 2, own, colour);
  }
  for (const spot of spots.values()) pill(context, spot, box.right + 2 * PIN + 5, colours);
}

/** Numbers of findings on a ground that is as wide as they are, within the canvas. */
function pill(context, { x, y, colour, numbers }, most, colours) {
  const text = numbers.join(" ");
  context.font = `bold 10.5px ${colours.font}`;
  const half = Math.max(PIN, context.measureText(text).width / 2 + 5);
  const middle = Math.min(x, most - half);
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(middle - half, y - PIN, 2 * half, 2 * PIN, PIN);
  context.fill();
  context.fillStyle = colours.paper;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, middle, y + 0.5);
}

/** What is seen at the chosen layer and step, in words. */
function said(measure, content, { layer, column }) {
  const row = measure.rows.indexOf(layer);
  if (row < 0 || column === null) return "";
  const value = decoded(measure.codes[row * measure.columns + column], measure);
  const computes = measure.along === "functions" ? content.functions[layer] : "";
  const beside = computes && !layer.endsWith(computes) ? ` (${computes})` : "";
  return `${layer}${beside}, step ${content.steps[column]}: ${inWords(value, !measure.log)}`;
}

/** Pointer, tap and arrow keys choose a cell. */
function listen(canvas, measure, sizes, content, page) {
  const readout = canvas.closest("figure").querySelector("[data-readout]");
  const at = (event) => {
    const box = boxOf(sizes.get(canvas)[0], measure, page);
    const row = Math.floor((box.bottom - event.offsetY) / box.height);
    const along = (event.offsetX - box.left) / (box.right - box.left);
    const column = columnAt(columns(content.steps, page.state.scale), Math.min(Math.max(along, 0), 1));
    return { layer: measure.rows[Math.min(Math.max(row, 0), measure.rows.length - 1)], column };
  };
  canvas.addEventListener("pointermove", (event) => {
    readout.textContent = said(measure, content, at(event));
  });
  canvas.addEventListener("pointerleave", () => {
    readout.textContent = said(measure, content, page.state);
  });
  canvas.addEventListener("click", (event) => page.choose(at(event)));
  canvas.addEventListener("focus", () => {
    if (measure.rows.includes(page.state.layer) && page.state.column !== null) return;
    page.choose({ layer: measure.rows[0], column: page.state.column ?? content.steps.length - 1 });
  });
  canvas.addEventListener("keydown", (event) => {
    const [right, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    if (right === undefined) return;
    event.preventDefault();
    const row = Math.min(Math.max(measure.rows.indexOf(page.state.layer) + up, 0), measure.rows.length - 1);
    const column = Math.min(Math.max((page.state.column ?? 0) + right, 0), content.steps.length - 1);
    page.choose({ layer: measure.rows[row], column });
  });
}
