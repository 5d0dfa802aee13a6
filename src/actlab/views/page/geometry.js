// Lines in the plane: level lines of a function on a grid, and the grid itself. No DOM, no drawing.

/** Points (x, y) of a grid of `columns` × `rows` over a box [[low, high], [low, high]], the lowest row first. */
export function gridPoints([[left, right], [bottom, top]], columns, rows) {
  const points = new Float64Array(2 * columns * rows);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const place = 2 * (row * columns + column);
      points[place] = left + ((right - left) * column) / (columns - 1);
      points[place + 1] = bottom + ((top - bottom) * row) / (rows - 1);
    }
  }
  return points;
}

/** Coordinate lines over a box, `lines` in each direction, each of `steps` + 1 points: (x, y) one after the other. */
export function coordinateLines([[left, right], [bottom, top]], lines, steps) {
  const points = new Float64Array(4 * lines * (steps + 1));
  let next = 0;
  for (const upright of [true, false]) {
    for (let line = 0; line < lines; line += 1) {
      for (let step = 0; step <= steps; step += 1) {
        const across = line / (lines - 1);
        const along = step / steps;
        points[next] = left + (right - left) * (upright ? across : along);
        points[next + 1] = bottom + (top - bottom) * (upright ? along : across);
        next += 2;
      }
    }
  }
  return points;
}

/**
 * The line on which values on a grid are zero, by marching squares.
 *
 * @param value a function of the place in the grid, row · columns + column.
 * @param segment is called with the two ends of each piece, in columns and rows.
 */
export function zeroLine(value, columns, rows, segment) {
  for (let row = 0; row + 1 < rows; row += 1) {
    for (let column = 0; column + 1 < columns; column += 1) {
      const place = row * columns + column;
      const [a, b] = [value(place), value(place + 1)];
      const [c, d] = [value(place + columns + 1), value(place + columns)];
      // Most squares lie on one side: nothing is made for them.
      if (a > 0 === b > 0 && b > 0 === c > 0 && c > 0 === d > 0) continue;
      const sides = crossings([a, b, c, d], column, row);
      // Where two lines meet in one square, its corners are joined in turn.
      for (let i = 0; i + 3 < sides.length; i += 4) segment(sides[i], sides[i + 1], sides[i + 2], sides[i + 3]);
    }
  }
}

/** Where the four sides of a square are crossed: x and y in turn. */
function crossings([a, b, c, d], column, row) {
  const found = [];
  if (a > 0 !== b > 0) found.push(column + a / (a - b), row);
  if (b > 0 !== c > 0) found.push(column + 1, row + b / (b - c));
  if (c > 0 !== d > 0) found.push(column + d / (d - c), row + 1);
  if (d > 0 !== a > 0) found.push(column, row + a / (a - d));
  return found;
}
