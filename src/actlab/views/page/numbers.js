// Networks that predict numbers: what they say beside what is to be said, and what is left between.

import { axes, clear, frame, linear, path, ticks, written } from "./canvas.js";

/** How many points the curve over a single input has. */
export const FIT_POINTS = 241;
// Standard deviations at which a colour is full, and up to which residuals are drawn.
const FULL = 1.5;
const RESIDUALS = 1.5;
const LEFT = 44;

/** The colour of a standardised number: one class colour far below the mean, grey at it, the other far above. */
export function shade(value, colours) {
  const share = Math.min(Math.abs(value) / FULL, 1);
  const colour = colours.classes[value < 0 ? 0 : 1];
  return [0, 1, 2].map((k) => 140 + share * (colour[k] - 140));
}

/** How the ground is tinted by the predictions on it. */
export function tintOfNumbers(logits, outputs, colours) {
  return (place, data, at) => {
    const colour = shade(logits[place * outputs], colours);
    for (let k = 0; k < 3; k += 1) data[at + k] = colour[k];
    data[at + 3] = 110;
  };
}

/** A range with a little room on both sides. */
const roomy = ([low, high]) => [low - 0.06 * (high - low || 1), high + 0.06 * (high - low || 1)];

function numbersAt(range, scale, wanted) {
  return ticks(range, wanted).map((value) => ({ at: scale(value), text: written(value) }));
}

/**
 * The fit: over a single input the curve among the samples; else each prediction over its target, right on the line.
 *
 * @param view { x, targets, predictions, outputs, line, unit, span }: the single input, or null; targets and predictions,
 *   `outputs` a sample; the curve { x, y } over the input; mean and scale of the first target; its range, standardised.
 */
export function fit(drawn, pixels, view, colours) {
  clear(drawn);
  const box = frame(drawn, { left: LEFT });
  const own = (value) => view.unit.mean + view.unit.scale * value;
  const range = roomy(view.span.map(own));
  const across = view.x ? roomy(view.xSpan) : range;
  const x = linear(across, [box.left, box.right]);
  const y = linear(range, [box.bottom, box.top]);
  axes(drawn, box, colours, { across: numbersAt(across, x, 3), up: numbersAt(range, y, 3) });
  const inside = (value) => Math.min(Math.max(y(own(value)), box.top), box.bottom);
  const [first, n] = [(values) => (i) => values[i * view.outputs], view.count];
  const [target, prediction] = [first(view.targets), first(view.predictions)];
  pixels.start(drawn);
  const place = view.x ? (i) => x(view.x[i]) : (i) => x(own(target(i)));
  const up = (i) => inside(view.x ? target(i) : prediction(i));
  pixels.spots(n, place, up, n > 1000 ? 1.2 : 1.6, (i) => shade(target(i), colours), 0.7, () => true);
  pixels.show(drawn);
  const series = `rgb(${colours.series.join()})`;
  if (!view.x) {
    path(drawn, 2, (i) => x(range[i]), (i) => y(range[i]), colours.axis, 1, [3, 3]);
    return;
  }
  path(drawn, FIT_POINTS, (i) => x(view.line.x[i]), (i) => inside(view.line.y[i * view.outputs]), series, 2.5);
}

/** Prediction minus target: over a single input, or over the target. Those beyond stand at the edge. */
export function residuals(drawn, pixels, view, colours) {
  clear(drawn);
  const box = frame(drawn, { left: LEFT });
  const own = (value) => view.unit.mean + view.unit.scale * value;
  const most = RESIDUALS * view.unit.scale;
  const across = view.x ? roomy(view.xSpan) : roomy(view.span.map(own));
  const x = linear(across, [box.left, box.right]);
  const y = linear([-most, most], [box.bottom, box.top]);
  axes(drawn, box, colours, { across: numbersAt(across, x, 3), up: numbersAt([-most, most], y, 3) });
  path(drawn, 2, (i) => (i ? box.right : box.left), () => y(0), colours.axis, 1);
  pixels.start(drawn);
  const target = (i) => view.targets[i * view.outputs];
  const off = (i) => view.unit.scale * (view.predictions[i * view.outputs] - target(i));
  const place = view.x ? (i) => x(view.x[i]) : (i) => x(own(target(i)));
  const up = (i) => Math.min(Math.max(y(off(i)), box.top), box.bottom);
  pixels.spots(view.count, place, up, view.count > 1000 ? 1.2 : 1.6, () => colours.series, 0.6, () => true);
  pixels.show(drawn);
}
