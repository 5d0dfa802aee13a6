// The functions with what goes into them: value and derivative, and under the curve where this run's networks live.

import { octets } from "./arrays.js";
import { axes, clear, frame, linear, path, surface } from "./canvas.js";
import { placeBefore, share } from "./heat.js";
import { watched } from "./sizes.js";

const ACROSS = [-6, 6];
const UP = [-1.6, 3.2];

/**
 * The cards of a page.
 *
 * @param section the element that holds them.
 * @param cards by activation: x, value and derivative.
 * @param inputs the distributions of pre-activations, or undefined.
 * @param page { state, colours }.
 */
export function functionCards(section, cards, inputs, page) {
  const canvases = [...section.querySelectorAll("[data-card]")];
  const unpacked = new Map();
  const { sizes, visible } = watched(canvases, () => draw());
  const draw = () => {
    for (const canvas of canvases) {
      const name = canvas.dataset.card;
      const size = sizes.get(canvas);
      if (!size || !visible.has(canvas)) continue;
      if (inputs?.panels[name] && !unpacked.has(name)) unpacked.set(name, octets(inputs.panels[name]));
      const seen = unpacked.has(name) ? density(inputs, unpacked.get(name), page.state) : null;
      paint(surface(canvas, ...size), cards[name], seen, page.colours(cards[name].colour));
      const readout = canvas.closest("figure").querySelector("[data-readout]");
      readout.textContent = seen ? told(seen) : "";
    }
  };
  const rows = (canvas) => {
    const card = cards[canvas.dataset.card];
    return [["x", "value", "derivative"], ...card.x.map((x, i) => [x, card.value[i], card.derivative[i]])];
  };
  return { draw, rows };
}

/** Pre-activations at the state's epoch and layer: shares by bin, and how much lies beyond the picture. */
function density(inputs, bytes, state) {
  const place = placeBefore(inputs.epochs, state.epoch);
  const layer = Math.max(inputs.layers.indexOf(state.layer), 0);
  const bins = inputs.words.length;
  const found = [];
  let outside = 0;
  for (let bin = 0; bin < bins; bin += 1) {
    const [low, high] = [inputs.edges[bin], inputs.edges[bin + 1]];
    const part = share(bytes[(layer * inputs.epochs.length + place) * bins + bin], inputs.top);
    found.push({ low, high, height: part / (high - low) });
    if (high <= ACROSS[0] || low >= ACROSS[1]) outside += part;
  }
  return { bins: found, outside, layer: inputs.layers[layer], epoch: inputs.epochs[place] };
}

function told({ outside, layer, epoch }) {
  const beyond = outside >= 0.0005 ? `, ${(100 * outside).toFixed(1)} % beyond ±6` : "";
  return `${layer}, epoch ${epoch}${beyond}`;
}

function paint(drawn, card, seen, colours) {
  const box = frame(drawn, { left: 24 });
  const x = linear(ACROSS, [box.left, box.right]);
  const y = linear(UP, [box.bottom, box.top]);
  const colour = `rgb(${colours.series.join()})`;
  clear(drawn);
  const across = [-6, -3, 0, 3, 6].map((value) => ({ at: x(value), text: `${value}`.replace("-", "−") }));
  const up = [-1, 0, 1, 2, 3].map((value) => ({ at: y(value), text: `${value}`.replace("-", "−") }));
  axes(drawn, box, colours, { across, up });
  if (seen) crowd(drawn, seen.bins, x, box, colours);
  path(drawn, 2, (i) => (i ? box.right : box.left), () => y(0), colours.axis, 1);
  const inside = (value) => (value >= UP[0] && value <= UP[1] ? y(value) : NaN);
  path(drawn, card.x.length, (i) => x(card.x[i]), (i) => inside(card.derivative[i] ?? NaN), colour, 1.5, [2, 3]);
  path(drawn, card.x.length, (i) => x(card.x[i]), (i) => inside(card.value[i] ?? NaN), colour, 2.5);
}

/** The distribution as an area standing on the lower edge, the fullest bin two fifths of the picture high. */
function crowd({ context }, bins, x, box, colours) {
  const tallest = Math.max(...bins.map(({ height }) => height), 1e-12);
  context.fillStyle = `rgba(${colours.series.join()}, 0.25)`;
  for (const { low, high, height } of bins) {
    const [left, right] = [Math.max(x(low), box.left), Math.min(x(high), box.right)];
    const tall = (height / tallest) * 0.4 * (box.bottom - box.top);
    if (right > left) context.fillRect(left, box.bottom - tall, right - left + 0.3, tall);
  }
}
