/* Images as the server speaks of them, levels of all sub-pixels, channel by channel; and how to show them. */

export const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
export const textOf = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return btoa(text);
};

const UNKNOWN = [
  [96, 100, 148],
  [120, 124, 170],
];

/** Put one colour a pixel on a canvas; `colourAt` fills in the four bytes of a place. */
function put(canvas, height, width, colourAt) {
  const picture = new ImageData(width, height);
  for (let place = 0; place < height * width; place++) colourAt(picture.data, 4 * place, place);
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** Paint an image, with unknown places in a pattern. */
export function paint(canvas, model, shape, pixels, known = null) {
  const [channels, height, width] = shape;
  const size = height * width;
  const { shown } = model;
  const [green, blue] = channels < 3 ? [0, 0] : [size, 2 * size];
  const alpha = channels % 2 ? -1 : (channels - 1) * size;
  put(canvas, height, width, (data, at, place) => {
    if (known && !known[place]) {
      data.set(UNKNOWN[(Math.floor(place / width) + (place % width)) % 2], at);
      data[at + 3] = 255;
      return;
    }
    data[at] = shown[pixels[place]];
    data[at + 1] = shown[pixels[green + place]];
    data[at + 2] = shown[pixels[blue + place]];
    data[at + 3] = alpha < 0 ? 255 : shown[pixels[alpha + place]];
  });
}

/** Paint the bits of pixels. */
export function paintHeat(canvas, [, height, width], map, top, colours) {
  put(canvas, height, width, (data, at, place) => {
    data.set(colours[Math.round((255 * map[place]) / top)], at);
    data[at + 3] = 255;
  });
}

/** Paint what each pixel is to a chosen one. */
export function paintKinds(canvas, height, width, kinds, table) {
  put(canvas, height, width, (data, at, place) => {
    data.set(table[kinds[place]].colour, at);
    data[at + 3] = 255;
  });
}

/** Show a canvas so large that each pixel is a square of whole screen pixels, or smaller where it has too many. */
export function fit(canvas, [, height, width], side) {
  const scale = Math.floor(side / Math.max(height, width));
  canvas.style.inlineSize = `${scale >= 1 ? scale * width : width * Math.min(side / height, (2 * side) / width)}px`;
  canvas.style.aspectRatio = `${width} / ${height}`;
  canvas.classList.toggle("reduced", scale < 1);
}

/** The colour that a variable of the style sheet stands for, in light or in dark. */
function resolved(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

export function clear(canvas) {
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

/** The distribution of a pixel, a bar a level. */
export function paintBars(canvas, distributions) {
  const pen = canvas.getContext("2d");
  const { width, height } = canvas;
  const quiet = resolved("--quiet");
  const colours = distributions.length < 3 ? [resolved("--accent"), quiet] : ["#d62728", "#2ca02c", "#1f77b4", quiet];
  const top = Math.max(...distributions.flat());
  clear(canvas);
  distributions.forEach((shares, channel) => {
    pen.fillStyle = colours[channel];
    pen.globalAlpha = distributions.length > 1 ? 0.6 : 1;
    const step = width / shares.length;
    shares.forEach((share, level) => {
      const size = (share / top) * (height - 8);
      pen.fillRect(level * step, height - size, Math.max(1, step - (step > 6 ? 2 : 0)), size);
    });
  });
  pen.globalAlpha = 1;
}

/** Where an image lies among the images that were held out in training. */
export function paintHistogram(canvas, quantiles, nats) {
  const pen = canvas.getContext("2d");
  const { width, height } = canvas;
  const low = Math.min(quantiles[0], nats);
  const span = Math.max(quantiles.at(-1), nats) - low || 1;
  const bins = new Float64Array(32);
  const at = (value) => Math.min(31, Math.floor(((value - low) / span) * 32));
  // Between two quantiles lie equally many images, evenly for all that is known.
  for (let index = 1; index < quantiles.length; index++) {
    for (let part = 0; part < 16; part++) {
      bins[at(quantiles[index - 1] + ((quantiles[index] - quantiles[index - 1]) * (part + 0.5)) / 16)] += 1;
    }
  }
  const top = Math.max(...bins);
  clear(canvas);
  pen.fillStyle = resolved("--quiet");
  bins.forEach((count, bin) => {
    const size = (count / top) * (height - 14);
    pen.fillRect(8 + (bin * (width - 16)) / 32, height - size, (width - 16) / 32 - 1, size);
  });
  pen.fillStyle = resolved("--alarm");
  pen.fillRect(8 + ((nats - low) / span) * (width - 16) - 1.5, 0, 3, height);
}
