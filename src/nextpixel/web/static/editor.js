/* Pointing at pixels, and painting them. */

/** A canvas on which pixels are pointed at, by pointer or by arrow keys. */
export class Pointed {
  constructor(canvas, size, keyed) {
    this.canvas = canvas;
    this.size = size;
    this.keyed = keyed;
    this.row = this.column = 0;
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** The pixel under a pointer. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [height, width] = this.size();
    const limit = (value, most) => Math.min(Math.max(Math.floor(value), 0), most - 1);
    return [
      limit(((event.clientY - box.top) / box.height) * height, height),
      limit(((event.clientX - box.left) / box.width) * width, width),
    ];
  }

  #key(event) {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], " ": [0, 0] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const [height, width] = this.size();
    this.row = Math.min(Math.max(this.row + step[0], 0), height - 1);
    this.column = Math.min(Math.max(this.column + step[1], 0), width - 1);
    this.keyed(this.row, this.column, event);
  }
}

/** Paint on a canvas: `stroke` is told the ways of the brush, `moved` where it is and whether to say so. */
export function paintable(canvas, size, stroke, moved) {
  let from = null;
  const pointed = new Pointed(canvas, size, (row, column, event) => {
    if (event.key === " " || event.shiftKey) stroke([row, column], [row, column]);
    moved(row, column, true);
  });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    from = pointed.at(event);
    stroke(from, from);
    moved(...from, false);
  });
  canvas.addEventListener("pointermove", (event) => {
    const to = pointed.at(event);
    [pointed.row, pointed.column] = to;
    if (from) {
      stroke(from, to);
      from = to;
    }
    moved(...to, false);
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (from = null));
}

/** A blank image of a model. */
export function blank(model) {
  const [channels, height, width] = model.shape;
  const pixels = new Uint8Array(channels * height * width);
  if (channels % 2 === 0) pixels.fill(model.levels - 1, (channels - 1) * height * width);
  return pixels;
}

/** Which pixels are known where a half is not. */
export function knownBut(part, [, height, width]) {
  return Uint8Array.from({ length: height * width }, (_, place) => {
    const below = Math.floor(place / width) >= Math.floor(height / 2);
    const right = place % width >= Math.floor(width / 2);
    return Number(!((part === "bottom" && below) || (part === "right" && right)));
  });
}

/** An image after a stroke of the brush: every pixel that it covers on its way is painted, and no other. */
export function stroked(image, [row, column], [lastRow, lastColumn], { kind, size, levels }) {
  const [channels, height, width] = image.shape;
  const pixels = kind === "draw" ? image.pixels.slice() : image.pixels;
  const known = image.known.slice();
  const steps = Math.max(Math.abs(lastRow - row), Math.abs(lastColumn - column), 1);
  const before = Math.floor((size - 1) / 2);
  for (let step = 0; step <= steps; step++) {
    const middle = Math.round(row + ((lastRow - row) * step) / steps);
    const centre = Math.round(column + ((lastColumn - column) * step) / steps);
    for (let y = Math.max(0, middle - before); y < Math.min(height, middle - before + size); y++) {
      for (let x = Math.max(0, centre - before); x < Math.min(width, centre - before + size); x++) {
        const place = y * width + x;
        known[place] = Number(kind !== "erase");
        if (kind !== "draw") continue;
        for (let channel = 0; channel < channels; channel++) pixels[channel * height * width + place] = levels[channel];
      }
    }
  }
  return { ...image, pixels, known };
}
