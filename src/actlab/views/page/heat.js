// Heat maps of distributions over the epochs: a strip for each layer, all activations on one scale.

import { octets } from "./arrays.js";
import { axes, clear, linear, path, surface, ticks, written } from "./canvas.js";
import { watched } from "./sizes.js";

const STRIP = 118;
const MARGIN = { left: 40, right: 8, top: 18, bottom: 20 };

/** The share that a byte stands for: the bytes are square roots. */
export const share = (octet, top) => (octet / 255) ** 2 * top;

/** The place among some epochs of the last one that is not after `epoch`. */
export function placeBefore(epochs, epoch) {
  let place = 0;
  while (place + 1 < epochs.length && epochs[place + 1] <= epoch + 1e-9) place += 1;
  return place;
}

/**
 * The heat maps of a page.
 *
 * @param section the element that holds them.
 * @param quantities what is embedded: see `actlab.views.report.distributions`.
 * @param page { state, colours, keep, go }.
 */
export function heatMaps(section, quantities, page) {
  const figures = [...section.querySelectorAll("[data-heat]")];
  const choices = [...section.querySelectorAll("[data-quantity]")];
  const chosen = () => quantities.find((quantity) => quantity.name === page.state.quantity) ?? quantities[0];
  const unpacked = new Map();
  const shares = (quantity, name) => {
    const key = `${quantity.name} ${name}`;
    if (!unpacked.has(key)) unpacked.set(key, octets(quantity.panels[name]));
    return unpacked.get(key);
  };
  const pictures = new Map();
  const { sizes, visible } = watched(figures, () => draw());
  const draw = () => {
    const quantity = chosen();
    section.querySelector("[data-sentence]").textContent = quantity.sentence;
    legend(section.querySelector("[data-scale]"), quantity);
    for (const choice of choices) choice.checked = choice.value === quantity.name;
    for (const canvas of figures) {
      canvas.style.height = `${MARGIN.bottom + STRIP * quantity.layers.length}px`;
      const size = sizes.get(canvas);
      if (!size || !visible.has(canvas)) continue;
      const name = canvas.dataset.heat;
      paint(surface(canvas, ...size), quantity, pictured(pictures, quantity, name, shares(quantity, name), page), page);
    }
  };
  for (const choice of choices) {
    choice.addEventListener("change", () => {
      page.state.quantity = choice.value;
      page.keep();
      draw();
    });
  }
  for (const canvas of figures) listen(canvas, chosen, shares, sizes, page);
  const rows = (canvas) => table(chosen(), shares(chosen(), canvas.dataset.heat));
  return { draw, rows };
}

/** The rectangle of one layer's strip; the first layer's is the lowest. */
function strip(width, layer, count) {
  const top = (count - 1 - layer) * STRIP + MARGIN.top;
  return { left: MARGIN.left, right: width - MARGIN.right, top, bottom: top + STRIP - MARGIN.top - 4 };
}

/** The strips of an activation as pictures, made once for each quantity and theme. */
function pictured(pictures, quantity, name, octetsOf, page) {
  const { heat } = page.colours();
  const key = `${quantity.name} ${name}`;
  if (pictures.get(key)?.heat !== heat) {
    const made = quantity.layers.map((_, layer) => image(octetsOf, layer, quantity, heat));
    pictures.set(key, { heat, made });
  }
  return pictures.get(key).made;
}

function paint(drawn, quantity, pictures, page) {
  const colours = page.colours();
  const { context, width } = drawn;
  const { epochs } = quantity;
  clear(drawn);
  quantity.layers.forEach((name, layer) => {
    const box = strip(width, layer, quantity.layers.length);
    const x = linear([0, Math.max(epochs.at(-1), 1)], [box.left, box.right]);
    context.imageSmoothingEnabled = false;
    context.drawImage(pictures[layer], box.left, box.top, box.right - box.left, box.bottom - box.top);
    const up = quantity.ticks.map(([place, text]) => ({ at: box.bottom - place * (box.bottom - box.top), text }));
    const across = ticks([0, Math.max(epochs.at(-1), 1)], 4)
      .filter((epoch) => Number.isInteger(epoch))
      .map((epoch) => ({ at: x(epoch), text: layer === 0 ? written(epoch) : "" }));
    axes(drawn, box, colours, { across, up, grid: false });
    context.textAlign = "left";
    context.textBaseline = "bottom";
    context.fillText(name, box.left, box.top - 2);
    path(drawn, 2, () => x(page.state.epoch), (i) => (i ? box.top : box.bottom), colours.ink, 1);
  });
}

/** One layer as a picture of a pixel for each epoch and bin. */
function image(octetsOf, layer, { epochs, words }, ramp) {
  const [across, bins] = [epochs.length, words.length];
  const picture = document.createElement("canvas");
  Object.assign(picture, { width: across, height: bins });
  const context = picture.getContext("2d");
  const pixels = context.createImageData(across, bins);
  for (let epoch = 0; epoch < across; epoch += 1) {
    for (let bin = 0; bin < bins; bin += 1) {
      const octet = octetsOf[(layer * across + epoch) * bins + bin];
      const [red, green, blue] = ramp[octet];
      pixels.data.set([red, green, blue, octet ? 255 : 0], 4 * ((bins - 1 - bin) * across + epoch));
    }
  }
  context.putImageData(pixels, 0, 0);
  return picture;
}

/** What the colours mean: shares at their places on the scale, which is one of square roots. */
function legend(element, quantity) {
  const marks = [0, 0.001, 0.01, 0.03, 0.1, 0.25, 0.5, 1].filter((value) => value <= quantity.top);
  const shown = [];
  for (const value of marks) {
    const place = Math.sqrt(value / quantity.top);
    if (!shown.length || place - shown.at(-1).place > 0.13) shown.push({ value, place });
  }
  element.replaceChildren(
    ...shown.map(({ value, place }) => {
      const mark = document.createElement("span");
      mark.style.left = `${100 * place}%`;
      mark.textContent = `${Number((100 * value).toPrecision(3))} %`;
      return mark;
    }),
  );
}

/** The bin and epoch under the pointer in words; a click goes to the epoch. */
function listen(canvas, chosen, shares, sizes, page) {
  const readout = canvas.closest("figure").querySelector("[data-readout]");
  const at = (event) => {
    const quantity = chosen();
    const [width] = sizes.get(canvas);
    const layer = quantity.layers.length - 1 - Math.floor(event.offsetY / STRIP);
    const box = strip(width, layer, quantity.layers.length);
    const along = Math.min(Math.max((event.offsetX - box.left) / (box.right - box.left), 0), 1);
    const up = Math.min(Math.max((box.bottom - event.offsetY) / (box.bottom - box.top), 0), 0.999);
    const bins = quantity.words.length;
    const bin = Math.floor(up * bins);
    const place = placeBefore(quantity.epochs, along * quantity.epochs.at(-1));
    return { quantity, layer, bin, place, bins };
  };
  canvas.addEventListener("pointermove", (event) => {
    const { quantity, layer, bin, place, bins } = at(event);
    if (layer < 0) return;
    const octet = shares(quantity, canvas.dataset.heat)[(layer * quantity.epochs.length + place) * bins + bin];
    const percent = Number((100 * share(octet, quantity.top)).toPrecision(2));
    readout.textContent = `epoch ${quantity.epochs[place]}, ${quantity.words[bin]}: ${percent} %`;
  });
  canvas.addEventListener("pointerleave", () => {
    readout.textContent = "";
  });
  canvas.addEventListener("click", (event) => page.go(at(event).quantity.epochs[at(event).place]));
}

/** The shares as rows of a table. */
function table(quantity, octetsOf) {
  const bins = quantity.words.length;
  const rows = [["layer", "epoch", "from", "to", "share"]];
  quantity.layers.forEach((name, layer) => {
    quantity.epochs.forEach((epoch, place) => {
      for (let bin = 0; bin < bins; bin += 1) {
        const octet = octetsOf[(layer * quantity.epochs.length + place) * bins + bin];
        const value = share(octet, quantity.top).toPrecision(3);
        rows.push([name, epoch, quantity.edges[bin], quantity.edges[bin + 1], Number(value)]);
      }
    });
  });
  return rows;
}
