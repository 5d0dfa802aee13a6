// A small network computed anew from its weights: no DOM, no drawing.

/** Where the parameters of each layer begin among all of them. */
function starts(layers) {
  let next = 0;
  return layers.map((layer) => {
    const start = next;
    if (layer.kind === "dense") next += layer.inputs * layer.units + (layer.bias ? layer.units : 0);
    if (layer.kind === "act") next += layer.parameters.reduce((sum, count) => sum + count, 0);
    return start;
  });
}

function dense(layer, parameters, start, x, y, count) {
  const { inputs, units } = layer;
  const bias = start + inputs * units;
  for (let i = 0; i < count; i += 1) {
    for (let j = 0; j < units; j += 1) {
      let sum = layer.bias ? parameters[bias + j] : 0;
      for (let k = 0; k < inputs; k += 1) sum += x[i * inputs + k] * parameters[start + k * units + j];
      y[i * units + j] = sum;
    }
  }
}

/** The values of each trainable parameter of a function, one for each unit. */
function byUnit(layer, parameters, start) {
  let next = start;
  return layer.parameters.map((count) => {
    const first = next;
    next += count;
    return Array.from({ length: layer.inputs }, (_, j) => parameters[first + (count === 1 ? 0 : j)]);
  });
}

function elementwise(layer, parameters, start, x, y, count, value) {
  const { units } = layer;
  if (!layer.parameters.length) {
    for (let i = 0; i < count * units; i += 1) y[i] = value(x[i]);
    return;
  }
  const own = byUnit(layer, parameters, start);
  for (let j = 0; j < units; j += 1) {
    const given = own.map((values) => values[j]);
    for (let i = j; i < count * units; i += units) y[i] = value(x[i], ...given);
  }
}

function grouping(layer, parameters, start, x, y, count, value) {
  const own = byUnit(layer, parameters, start);
  for (let i = 0; i < count; i += 1) {
    y.set(value(x.subarray(i * layer.inputs, (i + 1) * layer.inputs), ...own), i * layer.units);
  }
}

/**
 * A network with room for the outputs of `capacity` samples.
 *
 * @param layers as `actlab.views.report.page_data.layers` describes them.
 * @param functions by key: values in JavaScript.
 */
export function network(layers, functions, capacity) {
  const first = starts(layers);
  const outputs = layers.map((layer) => new Float64Array(capacity * layer.units));
  /** Compute layers `from` and following for `count` samples, x row by row; returns the last layer's outputs. */
  const run = (parameters, x, count, from = 0) => {
    let given = x;
    for (let n = from; n < layers.length; n += 1) {
      const layer = layers[n];
      const y = outputs[n];
      if (layer.kind === "dense") dense(layer, parameters, first[n], given, y, count);
      else if (layer.kind === "scale") for (let i = 0; i < count * layer.units; i += 1) y[i] = layer.factor * given[i];
      else if (layer.grouping) grouping(layer, parameters, first[n], given, y, count, functions[layer.function]);
      else elementwise(layer, parameters, first[n], given, y, count, functions[layer.function]);
      given = y;
    }
    return given;
  };
  return { layers, outputs, run };
}

/** Room for what `judge` says of `count` samples. */
export function outcome(count) {
  return { probability: new Float64Array(count), loss: new Float64Array(count), right: new Uint8Array(count) };
}

/**
 * What a network's outputs say about samples: loss, whether the class is right, likelihood.
 *
 * @param objective of the outputs of one sample and its label: [loss, right, likelihood].
 * @returns {{ accuracy: number, loss: number }} means over the samples.
 */
export function judge(logits, labels, outputs, count, found, objective) {
  let right = 0;
  let total = 0;
  for (let i = 0; i < count; i += 1) {
    const said = objective(logits.subarray(i * outputs, (i + 1) * outputs), labels[i]);
    [found.loss[i], found.right[i], found.probability[i]] = said;
    right += found.right[i];
    total += found.loss[i];
  }
  return { accuracy: right / count, loss: total / count };
}

/**
 * What a network's outputs say about samples whose targets are numbers: loss and prediction.
 *
 * @param objective of the outputs of one sample and its targets: [loss].
 * @param scale what one standard deviation of a target is in its unit.
 * @returns {{ error: number, loss: number }} see `missed`.
 */
export function judgeNumbers(logits, targets, outputs, count, found, objective, scale) {
  for (let i = 0; i < count; i += 1) {
    const [from, to] = [i * outputs, (i + 1) * outputs];
    [found.loss[i]] = objective(logits.subarray(from, to), targets.subarray(from, to));
    found.right[i] = 1;
  }
  found.predictions.set(logits.subarray(0, count * outputs));
  return missed(found, targets, scale);
}

/** The root of the mean squared error of predictions in the target's unit, and the mean of their losses. */
export function missed({ predictions, loss }, targets, scale) {
  let squares = 0;
  for (let k = 0; k < predictions.length; k += 1) squares += (predictions[k] - targets[k]) ** 2;
  const total = loss.reduce((sum, own) => sum + own, 0);
  return { error: scale * Math.sqrt(squares / predictions.length), loss: total / loss.length };
}

/** Numbers on the straight line from one array to another, into a third. */
export function between(a, b, share, into) {
  for (let i = 0; i < into.length; i += 1) into[i] = share === 0 ? a[i] : a[i] + share * (b[i] - a[i]);
  return into;
}
