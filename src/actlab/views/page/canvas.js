// Drawing on a canvas: its size, scales, axes, lines, and points by the thousand.

/** Make a canvas as fine as the screen; returns its context and its size in CSS pixels. */
export function surface(canvas, width, height) {
  const ratio = Math.max(devicePixelRatio || 1, 1);
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height, ratio };
}

/** A linear scale from values to pixels. */
export const linear = ([low, high], [start, end]) => (value) => start + ((value - low) / (high - low)) * (end - start);

/** Round numbers between two values, about `wanted` of them. */
export function ticks([low, high], wanted = 4) {
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9 * step; n += 1) found.push(n * step);
  return found;
}

/** A number as it is written beside an axis. */
export function written(value) {
  const digits = Number(value.toPrecision(6));
  const text = Math.abs(digits) >= 1e6 ? digits.toExponential() : String(digits);
  return text.replace("-", "−").replace(/e\+?/, "e");
}

/** Forget what was drawn. */
export function clear({ context, width, height }) {
  context.clearRect(0, 0, width, height);
}

/** The rectangle in which data are drawn, with room for numbers left of it and below. */
export function frame({ width, height }, { left = 30, right = 8, top = 8, bottom = 20 } = {}) {
  return { left, right: width - right, top, bottom: height - bottom };
}

function label(context, text, x, y, align, baseline) {
  context.textAlign = align;
  context.textBaseline = baseline;
  context.fillText(text, x, y);
}

/** Thin lines and numbers at ticks, [{at, text}] in pixels, on the left and at the bottom of a frame. */
export function axes({ context }, box, colours, { across = [], up = [], grid = true }) {
  context.font = `11px ${colours.font}`;
  context.lineWidth = 1;
  context.strokeStyle = colours.rule;
  context.fillStyle = colours.quiet;
  context.beginPath();
  for (const { at } of grid ? across : []) {
    context.moveTo(Math.round(at) + 0.5, box.top);
    context.lineTo(Math.round(at) + 0.5, box.bottom);
  }
  for (const { at } of grid ? up : []) {
    context.moveTo(box.left, Math.round(at) + 0.5);
    context.lineTo(box.right, Math.round(at) + 0.5);
  }
  context.moveTo(box.left, Math.round(box.bottom) + 0.5);
  context.lineTo(box.right, Math.round(box.bottom) + 0.5);
  context.stroke();
  for (const { at, text } of across) {
    const align = at > box.right - 8 ? "right" : at < box.left + 4 ? "left" : "center";
    label(context, text, at, box.bottom + 5, align, "top");
  }
  for (const { at, text } of up) label(context, text, box.left - 5, at, "right", "middle");
}

/** A line through points given as functions of their number; a gap where one is not finite. */
export function path({ context }, count, x, y, colour, width = 1.5, dash = []) {
  context.beginPath();
  let drawing = false;
  for (let i = 0; i < count; i += 1) {
    const [across, up] = [x(i), y(i)];
    if (!Number.isFinite(across) || !Number.isFinite(up)) drawing = false;
    else if (drawing) context.lineTo(across, up);
    else {
      context.moveTo(across, up);
      drawing = true;
    }
  }
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
}

/** A round spot of a radius in pixels: offsets from its middle, and how much of each pixel it covers. */
function spot(radius) {
  const reach = Math.ceil(radius);
  const found = [];
  for (let dy = -reach; dy <= reach; dy += 1) {
    for (let dx = -reach; dx <= reach; dx += 1) {
      const cover = Math.min(Math.max(radius + 0.5 - Math.hypot(dx, dy), 0), 1);
      if (cover > 0) found.push({ dx, dy, cover });
    }
  }
  return found;
}

/** Tint a surface by values on a grid of `columns` × `rows` over all of it, the lowest row first, smoothly in between. */
export class Ground {
  #canvas = document.createElement("canvas");

  /** `tint(place, data, at)` writes the colour of a place in the grid. */
  draw({ context, width, height }, columns, rows, tint) {
    const own = this.#canvas.getContext("2d");
    if (!this.image) {
      Object.assign(this.#canvas, { width: columns, height: rows });
      this.image = own.createImageData(columns, rows);
    }
    const { data } = this.image;
    for (let row = 0; row < rows; row += 1) {
      const start = 4 * (rows - 1 - row) * columns;
      for (let column = 0; column < columns; column += 1) tint(row * columns + column, data, start + 4 * column);
    }
    own.putImageData(this.image, 0, 0);
    // The outermost values lie on the edges: half a pixel of theirs is outside.
    context.imageSmoothingEnabled = true;
    context.drawImage(this.#canvas, 0.5, 0.5, columns - 1, rows - 1, 0, 0, width, height);
  }
}

/** A picture of spots that is drawn over and over. */
export class Pixels {
  #canvas = document.createElement("canvas");

  /** Begin anew, all of it transparent, for a surface. */
  start({ context, width, height, ratio }) {
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.#canvas.width !== across || this.#canvas.height !== down || !this.image) {
      Object.assign(this.#canvas, { width: across, height: down });
      this.image = context.createImageData(across, down);
      this.ratio = ratio;
    }
    this.image.data.fill(0);
  }

  /** Spots of a radius in CSS pixels, at the places that `x` and `y` give by their number, for those `wanted`. */
  spots(count, x, y, radius, colour, opacity, wanted) {
    const { data, width, height } = this.image;
    const shape = spot(radius * this.ratio);
    for (let i = 0; i < count; i += 1) {
      if (!wanted(i)) continue;
      const [across, down] = [Math.round(x(i) * this.ratio), Math.round(y(i) * this.ratio)];
      const [red, green, blue] = colour(i);
      for (const { dx, dy, cover } of shape) {
        const [px, py] = [across + dx, down + dy];
        if (px < 0 || py < 0 || px >= width || py >= height) continue;
        blend(data, 4 * (py * width + px), red, green, blue, cover * opacity);
      }
    }
  }

  /** Put the picture on a surface. */
  show({ context, width, height }) {
    this.#canvas.getContext("2d").putImageData(this.image, 0, 0);
    context.drawImage(this.#canvas, 0, 0, width, height);
  }
}

/** Lay a colour over a pixel. */
function blend(data, place, red, green, blue, opacity) {
  if (!data[place + 3]) {
    // Most pixels are empty.
    data[place] = red;
    data[place + 1] = green;
    data[place + 2] = blue;
    data[place + 3] = 255 * opacity;
    return;
  }
  const below = (data[place + 3] / 255) * (1 - opacity);
  const total = opacity + below;
  data[place] = (red * opacity + data[place] * below) / total;
  data[place + 1] = (green * opacity + data[place + 1] * below) / total;
  data[place + 2] = (blue * opacity + data[place + 2] * below) / total;
  data[place + 3] = 255 * total;
}
