"use strict";

/* Images as the server speaks of them: levels of all sub-pixels, channel by channel, and how to show them. */

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const textOf = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return btoa(text);
};

/** Paint one image, a canvas pixel for each, with `unknown` places in a pattern. */
function show(canvas, model, pixels, known = null) {
  const [channels, height, width] = model.shape;
  const size = height * width;
  const picture = new ImageData(width, height);
  for (let place = 0; place < size; place++) {
    const value = (channel) => model.shown[pixels[channel * size + place]];
    const grey = channels < 3;
    let colour = [0, 1, 2].map((channel) => value(grey ? 0 : channel));
    const alpha = channels % 2 ? 255 : value(channels - 1);
    if (known && !known[place]) {
      const light = (Math.floor(place / width) + (place % width)) % 2;
      colour = light ? [120, 124, 170] : [96, 100, 148];
    }
    picture.data.set([...colour, known && !known[place] ? 255 : alpha], 4 * place);
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** How large to show an image of some pixels so that each is a square of whole screen pixels. */
function enlarge(canvas, model, wanted) {
  const scale = Math.max(1, Math.floor(wanted / Math.max(model.shape[1], model.shape[2])));
  canvas.style.width = `${model.shape[2] * scale}px`;
  canvas.style.aspectRatio = `${model.shape[2]} / ${model.shape[1]}`;
}

/** A canvas on which pixels are pointed at, by pointer or by arrow keys. */
class Pointed {
  constructor(canvas, size, moved) {
    this.canvas = canvas;
    this.size = size;
    this.moved = moved;
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

  go(row, column, event) {
    this.row = row;
    this.column = column;
    this.moved(row, column, event);
  }

  #key(event) {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], " ": [0, 0] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const [height, width] = this.size();
    this.go(
      Math.min(Math.max(this.row + step[0], 0), height - 1),
      Math.min(Math.max(this.column + step[1], 0), width - 1),
      event,
    );
  }
}

/** The image that the user works on, and which of its pixels are known. */
class Editor {
  constructor(canvas, tool, told, changed) {
    this.canvas = canvas;
    this.tool = tool;
    this.told = told;
    this.changed = changed;
    this.model = null;
    this.pointed = new Pointed(canvas, () => this.model.shape.slice(1), (row, column, event) => this.#keyed(row, column, event));
    this.from = null;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.from = this.pointed.at(event);
      this.#stroke(this.from, this.from);
    });
    canvas.addEventListener("pointermove", (event) => {
      const to = this.pointed.at(event);
      [this.pointed.row, this.pointed.column] = to;
      if (this.from) this.#stroke(this.from, to);
      if (this.from) this.from = to;
      this.#tell();
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (this.from = null));
  }

  /** Take a blank image of a model. */
  begin(model) {
    this.model = model;
    const [channels, height, width] = model.shape;
    this.pixels = new Uint8Array(channels * height * width);
    if (channels % 2 === 0) this.pixels.fill(model.levels - 1, (channels - 1) * height * width);
    this.known = new Uint8Array(height * width).fill(1);
    this.pointed.row = this.pointed.column = 0;
    enlarge(this.canvas, model, 280);
    this.paint();
  }

  take(pixels) {
    this.pixels = pixels.slice();
    this.known.fill(1);
    this.paint();
  }

  /** Make a half unknown, or nothing. */
  forget(part) {
    const [, height, width] = this.model.shape;
    this.known.forEach((_, place) => {
      const below = Math.floor(place / width) >= Math.floor(height / 2);
      const right = place % width >= Math.floor(width / 2);
      this.known[place] = Number(!((part === "bottom" && below) || (part === "right" && right)));
    });
    this.paint();
  }

  paint() {
    this.changed();
    show(this.canvas, this.model, this.pixels, this.known);
  }

  #keyed(row, column, event) {
    if (event.key === " " || event.shiftKey) this.#stroke([row, column], [row, column]);
    this.#tell(true);
  }

  /** Paint all pixels that the brush covers on its way; every pixel is painted or not. */
  #stroke([row, column], [lastRow, lastColumn]) {
    const steps = Math.max(Math.abs(lastRow - row), Math.abs(lastColumn - column), 1);
    for (let step = 0; step <= steps; step++) {
      this.#dab(Math.round(row + ((lastRow - row) * step) / steps), Math.round(column + ((lastColumn - column) * step) / steps));
    }
    this.paint();
  }

  #dab(row, column) {
    const [channels, height, width] = this.model.shape;
    const { kind, size, levels } = this.tool();
    const before = Math.floor((size - 1) / 2);
    for (let y = Math.max(0, row - before); y < Math.min(height, row - before + size); y++) {
      for (let x = Math.max(0, column - before); x < Math.min(width, column - before + size); x++) {
        const place = y * width + x;
        this.known[place] = Number(kind !== "erase");
        if (kind !== "draw") continue;
        for (let channel = 0; channel < channels; channel++) this.pixels[channel * height * width + place] = levels[channel];
      }
    }
  }

  #tell(aloud = false) {
    const [channels, height, width] = this.model.shape;
    const place = this.pointed.row * width + this.pointed.column;
    const values = Array.from({ length: channels }, (_, channel) => this.pixels[channel * height * width + place]);
    const what = this.known[place] ? `level ${values.join(", ")}` : "unknown";
    this.told(`row ${this.pointed.row}, column ${this.pointed.column}: ${what}`, aloud);
  }
}
