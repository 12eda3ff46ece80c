/* The page: one state, one function that shows it, and what changes it.

Images and results are never changed, only replaced. A result keeps what it is of, and is shown while the state still has
that: so nothing stale can be seen, whatever comes when. */

import { blank, knownBut, paintable, Pointed, stroked } from "./editor.js";
import { bytesOf, clear, fit, paint, paintBars, paintHeat, paintHistogram, textOf } from "./pictures.js";
import { ask, events, models as askForModels, Refused } from "./server.js";
import { changed, complain, giveUp, set, showBy, state, work } from "./state.js";
import { showTeaching, teach } from "./teaching.js";

const $ = (id) => document.getElementById(id);
const IMAGE_SIDE = 280;
const TILE_SIDE = 84;

/** Whether an image is the one that something is of. */
const current = (result, of) => (result !== null && result.of === of ? result : null);
const completions = () => {
  const { completed, image } = state;
  return completed && (completed.of === image || image.from === completed) ? completed : null;
};

// The image --------------------------------------------------------------------------------------------------------

const OF_THE_IMAGE = ["example", "open", "bits", "pixel", "compress", "complete"];

function setImage(image, more = {}) {
  giveUp(...OF_THE_IMAGE);
  set({ image, ...more });
}

/** What stands at a pixel of an image. */
function described(image, { row, column }) {
  const { shape, pixels, known } = image;
  const [channels, height, width] = shape;
  const place = row * width + column;
  const levels = Array.from({ length: channels }, (_, channel) => pixels[channel * height * width + place]);
  return `row ${row}, column ${column}: ${known[place] ? `level ${levels.join(", ")}` : "unknown"}`;
}

/** The pixel of the image that was pointed at, if the image still has one there. */
function pointedAt({ image, where }) {
  return where && where.row < image.shape[1] && where.column < image.shape[2] ? where : null;
}

/** An image with all its pixels known. */
const made = (model, shape, pixels, label, origin) => ({
  model,
  shape,
  pixels,
  known: new Uint8Array(shape[1] * shape[2]).fill(1),
  label,
  origin,
  from: null,
});

/** Forget where an image was taken from, as it was changed. */
const changedImage = (image, changes) => ({ ...image, ...changes, from: null });

const labelOf = (image) => image.model.labels?.[image.label];
const question = (image) => ({
  model: image.model.name,
  height: image.shape[1],
  width: image.shape[2],
  pixels: textOf(image.pixels),
  label: labelOf(image),
});
const number = (id) => Number($(id).value);

function example() {
  const { model } = state;
  return work("example", async (signal) => {
    const { shape, pixels, label } = await ask("example", { model: model.name }, signal);
    const origin = model.draws ? "An example, drawn by the model." : "An example, drawn by the model at random.";
    setImage(made(model, shape, bytesOf(pixels), label === null ? "" : String(label), origin));
  });
}

/** Take a picture as the image, or restore an .npx file. */
async function open(file) {
  const magic = [0x89, 0x4e, 0x50, 0x58];
  let start;
  try {
    if (file.size > state.largest) {
      throw new Refused(`${file.name} has more than ${Math.floor(state.largest / 2 ** 20)} MB; choose a smaller file`);
    }
    start = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  } catch (error) {
    // A folder that was dropped, or a file that is gone or locked.
    return complain(error instanceof Refused ? error : new Refused(`${file.name} cannot be read; choose a picture or an .npx file`));
  }
  if (file.name?.toLowerCase().endsWith(".npx") || magic.every((byte, at) => start[at] === byte)) return restore(file);
  const { model } = state;
  return work("open", async (signal) => {
    const query = new URLSearchParams({ model: model.name, fit: $("fit").checked ? "1" : "0" });
    const { shape, pixels, notes } = await ask(`upload?${query}`, new Blob([file]), signal);
    const origin = notes.length ? `The picture was ${notes.join(", ")}.` : "The picture is taken as it is.";
    setImage(made(model, shape, bytesOf(pixels), "", origin), { spoken: origin });
  });
}

function restore(file) {
  set({ restored: [] });
  return work("restore", async (signal, tell) => {
    const pictures = [];
    for await (const event of events("restore", new Blob([file]), signal)) {
      if (event.kind === "progress") tell(event.done);
      if (event.kind !== "picture") continue;
      pictures.push(event);
      set({ restored: [...pictures] });
    }
    set({ spoken: pictures.length === 1 ? "1 picture is restored." : `${pictures.length} pictures are restored.` });
  });
}

function choose(model) {
  giveUp(...Object.keys(state.working));
  const image = made(model, model.shape, blank(model), model.labels ? "0" : "", "");
  set({ model, image, samples: null, completed: null, where: null, message: "", channel: null, seen: null, order: null, drawn: 1 });
  example();
  teach();
}

// Drawing images ---------------------------------------------------------------------------------------------------

/** Draw images into a part of the state, and show them while they come. */
function draw(name, part, path, body, result) {
  set({ [part]: result, note: null });
  return work(name, async (signal, tell) => {
    const { count } = body;
    for await (const event of events(path, body, signal)) {
      if (event.kind === "note") set({ note: { of: result.of, text: event.note } });
      if (event.kind !== "images") continue;
      const pixels = bytesOf(event.pixels);
      const size = pixels.length / count;
      result = {
        ...result,
        images: Array.from({ length: count }, (_, at) => pixels.subarray(at * size, (at + 1) * size)),
      };
      tell(event.done);
      set({ [part]: result });
    }
    const spoken = count === 1 ? "1 image is drawn." : `${count} images are drawn.`;
    set({ [part]: { ...result, whole: true }, spoken });
  });
}

function generate() {
  const { model } = state;
  const every = $("label").value === "every";
  const count = number("count");
  const label = every ? undefined : model.labels?.[$("label").value];
  const body = { model: model.name, count, label, every_class: every, temperature: number("temperature"), seed: number("seed") };
  const labels = model.labels && Array.from({ length: count }, (_, at) => (every ? at % model.labels.length : number("label")));
  return draw("generate", "samples", "sample", body, { of: model, shape: model.shape, images: [], labels });
}

function complete() {
  const { image } = state;
  const body = {
    ...question(image),
    count: number("completions"),
    candidates: number("candidates"),
    temperature: number("temperature"),
    seed: number("seed"),
    known: textOf(image.known),
  };
  return draw("complete", "completed", "complete", body, { of: image, shape: image.shape, images: [], labels: null });
}

// Finding out ------------------------------------------------------------------------------------------------------

function findBits() {
  const { image } = state;
  return work("bits", async (signal) => {
    const answer = await ask("bits", question(image), signal);
    const map = new Float32Array(bytesOf(answer.map).buffer);
    const top = map.reduce((most, bits) => Math.max(most, bits), 1e-9);
    set({ bits: { ...answer, of: image, map, top }, spoken: `${answer.nats.toFixed(2)} nats.` });
  });
}

/** Ask what the model expects at a pixel, when the pointer rests there. */
function findPixel(row, column, aloud) {
  const { image } = state;
  const bits = current(state.bits, image);
  if (!bits) return;
  if (!aloud && state.pixel?.of === bits && state.pixel.row === row && state.pixel.column === column) return;
  const pixel = { of: bits, row, column, bits: bits.map[row * image.shape[2] + column], distributions: null, text: "" };
  pixel.text = `Row ${row}, column ${column}: ${pixel.bits.toFixed(2)} bits.`;
  set({ pixel });
  work("pixel", async (signal) => {
    await new Promise((resolve) => setTimeout(resolve, 120));
    signal.throwIfAborted();
    const body = { ...question(image), row, column };
    if (image.model.labels && body.label === undefined) body.label = bits.classes[0][0];
    const { distributions, values } = await ask("pixel", body, signal);
    const shares = values.map((value, channel) => [value, (100 * distributions[channel][value]).toPrecision(3)]);
    const told = shares.map(([value, share]) => `level ${value} was given ${share} %`).join(", ");
    const ofClass = image.model.labels ? `, as a ${body.label}` : "";
    const text = `Row ${row}, column ${column}: ${pixel.bits.toFixed(2)} bits; ${told}${ofClass}.`;
    set({ pixel: { ...pixel, distributions, text }, ...(aloud ? { spoken: text } : {}) });
  });
}

function compress() {
  const { image } = state;
  return work("compress", async (signal) => {
    const { sizes, data } = await ask("compress", question(image), signal);
    const spoken = Object.entries(sizes).map(([name, bytes]) => `${name}: ${bytes} bytes.`);
    set({ sizes: { of: image, sizes, data: bytesOf(data) }, spoken: spoken.join(" ") });
  });
}

// Files ------------------------------------------------------------------------------------------------------------

function save(name, bytes, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Save images of a model as a PNG file, which the server makes, so that every value is kept. */
function savePng(name, model, shape, images) {
  return work("save", async (signal) => {
    const pixels = new Uint8Array(images.length * images[0].length);
    images.forEach((image, at) => pixels.set(image, at * image.length));
    const [, height, width] = shape;
    const body = { model: model.name, count: images.length, height, width, pixels: textOf(pixels) };
    const { data } = await ask("picture", body, signal);
    save(`${model.name}-${name}.png`, bytesOf(data), "image/png");
  });
}

// Showing ----------------------------------------------------------------------------------------------------------

function tell(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function options(select, entries) {
  select.replaceChildren(
    ...entries.map(([value, text]) => {
      const option = document.createElement("option");
      option.value = value;
      option.textContent = text;
      return option;
    }),
  );
}

/** Show the state. */
function render() {
  tell("message-text", state.message);
  $("message").hidden = !state.message;
  tell("spoken", state.spoken);
  const { model, image, working } = state;
  tell("waiting", state.compiling ? `The server is ${state.compiling}.` : "");
  if (!model) return;
  if (changed("model", model)) renderModel(model);
  for (const name of ["generate", "complete", "restore", "explain", "bits", "compress"]) {
    const progress = $(`${name}-progress`);
    progress.classList.toggle("idle", !working[name]);
    // The last two do not tell how far they are.
    if (progress.hasAttribute("value")) progress.value = working[name]?.done ?? 0;
    const stop = document.querySelector(`[data-stops=${name}]`);
    if (stop) stop.disabled = !working[name];
  }
  if (changed("image", image)) {
    paint($("editor"), model, image.shape, image.pixels, image.known);
    $("image-label").value = image.label;
  }
  if (changed("size", image.shape)) {
    for (const id of ["editor", "heat", "drawn"]) fit($(id), image.shape, IMAGE_SIDE);
  }
  const where = pointedAt(state);
  tell("where", where ? described(image, where) : "Paint with the pointer, or with arrow keys and space.");
  tell("origin", working.example ? "The model draws an example …" : image.origin);
  renderTiles("samples", model, current(state.samples, model));
  renderTiles("completed", model, completions());
  tell("complete-note", state.note && completions()?.of === state.note.of ? state.note.text : "");
  renderBits(image, current(state.bits, image));
  renderSizes(image, current(state.sizes, image));
  if (changed("restored", state.restored)) renderRestored(state.restored);
  showTeaching();
}

function renderModel(model) {
  const [channels, height, width] = model.shape;
  const size = model.any_size ? `${channels} channels and any size` : `${channels} × ${height} × ${width}`;
  tell(
    "about",
    `${model.family}, ${model.parameters.toLocaleString("en")} parameters; images of ${size}, ${model.levels} levels` +
      (model.nats == null ? "" : `; ${model.nats.toFixed(2)} nats on held-out images`) +
      (model.reconstructs
        ? ", each given a code made of the image itself: no density, and not comparable with other models"
        : ""),
  );
  const visible = {
    labels: model.labels,
    grey: channels < 3,
    colour: channels > 2,
    drawing: model.draws,
    typicality: model.nats != null && !model.labels,
  };
  for (const [name, is] of Object.entries(visible)) {
    for (const element of document.querySelectorAll(`.for-${name}`)) element.hidden = !is;
  }
  $("compress-section").hidden = !model.compresses;
  $("histogram-figure").hidden = !model.quantiles || Boolean(model.labels);
  if (model.labels) {
    const names = model.labels.map((name, index) => [index, name]);
    options($("label"), [["every", "every class"], ...names]);
    options($("image-label"), [["", "unknown"], ...names]);
  }
  tell("fit-text", model.any_size ? "convert it, and reduce it if it is very large" : "crop and convert it to the model's size");
  tell("given", model.reconstructs ? " of the image given its code" : "");
  $("level").max = model.levels - 1;
  $("level").value = model.levels - 1;
}

function renderTiles(part, model, result) {
  // Of images that are not drawn to the end, what is still blank would count as known.
  $(`save-${part}`).disabled = !result?.whole;
  $(part).setAttribute("aria-busy", String(Boolean(state.working[part === "samples" ? "generate" : "complete"])));
  if (!changed(part, result)) return;
  const images = result?.images ?? [];
  const tiles = $(part);
  while (tiles.children.length > images.length) tiles.lastChild.remove();
  images.forEach((pixels, at) => {
    let button = tiles.children[at];
    if (!button) {
      button = document.createElement("button");
      button.type = "button";
      button.ariaLabel = `Image ${at + 1}: go on with it`;
      button.append(document.createElement("canvas"));
      tiles.append(button);
    }
    button.disabled = !result.whole;
    fit(button.firstChild, result.shape, TILE_SIDE);
    paint(button.firstChild, model, result.shape, pixels);
  });
}

function renderBits(image, bits) {
  const unknown = changed("unknown", image.known) ? image.known.reduce((sum, known) => sum + 1 - known, 0) : null;
  if (unknown !== null) {
    tell("bits-note", unknown ? `The ${unknown} unknown pixels count with the values under them.` : "");
  }
  if (changed("bits", bits)) {
    const { model } = image;
    tell("nats", bits ? bits.nats.toFixed(2) : "–");
    tell("bits-per-dim", bits ? bits.bits_per_dim.toFixed(4) : "–");
    tell("complexity", bits ? `${bits.complexity.toFixed(3)} beyond ${bits.complexity_format}` : "–");
    const typical = bits?.typicality === undefined ? "–" : `${bits.typicality.toFixed(2)} nats from the mean`;
    tell("typicality", typical);
    const shares = bits?.classes?.slice(0, 3).map(([name, share]) => `${name} ${(100 * share).toFixed(1)} %`);
    tell("classes", shares ? shares.join(", ") : bits && model.labels ? labelOf(image) : "–");
    tell("heat-scale", bits ? `Black: 0 bits, brightest: ${bits.top.toFixed(2)} bits a pixel.` : "Where the bits are.");
    if (bits) {
      paintHeat($("heat"), image.shape, bits.map, bits.top, state.colours);
    } else {
      clear($("heat"));
    }
    const comparable = bits && bits.share_below !== null;
    if (comparable) {
      paintHistogram($("histogram"), model.quantiles, bits.nats);
    } else {
      clear($("histogram"));
    }
    tell(
      "histogram-text",
      comparable
        ? `Red: this image, ${bits.nats.toFixed(1)} nats; grey: held-out images, ${model.quantiles[0].toFixed(0)} to ` +
            `${model.quantiles.at(-1).toFixed(0)} nats. ${(100 * bits.share_below).toFixed(0)} % of them are more likely.`
        : "Where it lies among images that were held out in training.",
    );
  }
  const pixel = bits && current(state.pixel, bits);
  tell("pixel-text", pixel?.text ?? (bits ? "Point at a pixel to see what the model expects there." : "What the model expects at a pixel."));
  const distributions = pixel?.distributions ?? null;
  if (changed("bars", distributions)) {
    if (distributions) {
      paintBars($("bars"), distributions);
    } else {
      clear($("bars"));
    }
  }
}

function renderSizes(image, sizes) {
  $("save-npx").disabled = !sizes;
  if (!changed("sizes", sizes, state.formats)) return;
  const rows = state.formats.map((name) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    const bytes = sizes?.sizes[name];
    for (const text of bytes === undefined ? ["–", "–"] : [bytes, ((8 * bytes) / image.pixels.length).toFixed(3)]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    return row;
  });
  $("sizes").tBodies[0].replaceChildren(...rows);
}

function renderRestored(pictures) {
  const tiles = $("restored");
  while (tiles.children.length > pictures.length) tiles.lastChild.remove();
  pictures.slice(tiles.children.length).forEach((picture) => {
    const figure = document.createElement("div");
    const use = document.createElement("button");
    use.type = "button";
    use.ariaLabel = `${picture.name}: go on with it`;
    use.dataset.use = "";
    const image = document.createElement("img");
    image.alt = "";
    image.src = `data:image/png;base64,${picture.data}`;
    use.append(image);
    const keep = document.createElement("button");
    keep.type = "button";
    keep.className = "keep";
    keep.textContent = "Save";
    keep.ariaLabel = `Save ${picture.name}`;
    figure.title = `${picture.name}, ${picture.shape.join(" × ")}`;
    figure.append(use, keep);
    tiles.append(figure);
  });
}

// What the user does -----------------------------------------------------------------------------------------------

function wire() {
  const brush = () => {
    const { shape, levels } = state.model;
    const most = levels - 1;
    const colours = [1, 3, 5].map((at) => Math.round((parseInt($("colour").value.slice(at, at + 2), 16) / 255) * most));
    return {
      kind: document.querySelector("[name=tool]:checked").value,
      size: Math.max(1, number("brush") || 1),
      levels: shape[0] < 3 ? [number("level"), most] : [...colours, most],
    };
  };
  const size = () => state.image.shape.slice(1);
  paintable(
    $("editor"),
    size,
    (from, to) => setImage(changedImage(stroked(state.image, from, to, brush()), {})),
    (row, column, aloud) => {
      const where = { row, column };
      set({ where, ...(aloud ? { spoken: described(state.image, where) } : {}) });
    },
  );
  const onSubmit = (id, doing) =>
    $(id).addEventListener("submit", (event) => {
      event.preventDefault();
      doing();
    });
  onSubmit("tools", () => {});
  onSubmit("restore", () => {});
  onSubmit("generate", generate);
  onSubmit("complete", complete);
  onSubmit("bits", findBits);
  onSubmit("compress", compress);
  $("model").addEventListener("change", () => choose(state.models.find((model) => model.name === $("model").value)));
  $("image-label").addEventListener("change", () => setImage(changedImage(state.image, { label: $("image-label").value })));
  for (const button of document.querySelectorAll("[data-unknown]")) {
    button.addEventListener("click", () => {
      const { image } = state;
      setImage(changedImage(image, { known: knownBut(button.dataset.unknown, image.shape) }));
    });
  }
  for (const button of document.querySelectorAll("[data-stops]")) {
    button.addEventListener("click", () => giveUp(button.dataset.stops));
  }
  $("blank").addEventListener("click", () => {
    const { model, image } = state;
    setImage(made(model, model.shape, blank(model), image.label, ""));
  });
  $("example").addEventListener("click", example);
  $("dismiss").addEventListener("click", () => set({ message: "" }));
  for (const id of ["file", "npx"]) {
    $(id).addEventListener("change", async () => {
      const [file] = $(id).files;
      if (file) await open(file);
      $(id).value = "";
    });
  }
  wireTiles();
  const heat = new Pointed($("heat"), size, (row, column) => findPixel(row, column, true));
  for (const name of ["pointermove", "pointerdown"]) {
    $("heat").addEventListener(name, (event) => {
      const [row, column] = heat.at(event);
      heat.row = row;
      heat.column = column;
      findPixel(row, column, false);
    });
  }
  wireDrops();
}

function wireTiles() {
  const place = (event, tiles) => {
    const tile = [...tiles.children].findIndex((child) => child.contains(event.target));
    return event.target === tiles ? -1 : tile;
  };
  $("samples").addEventListener("click", (event) => {
    const at = place(event, $("samples"));
    if (at < 0) return;
    const { model, samples } = state;
    const label = samples.labels ? String(samples.labels[at]) : "";
    const origin = `Image ${at + 1} of those that were generated.`;
    setImage(made(model, samples.shape, samples.images[at], label, origin), { spoken: `Image ${at + 1} is now your image.` });
  });
  $("completed").addEventListener("click", (event) => {
    const at = place(event, $("completed"));
    if (at < 0) return;
    const { image, completed } = state;
    const origin = `Completion ${at + 1}.`;
    const taken = made(image.model, completed.shape, completed.images[at], image.label, origin);
    giveUp(...OF_THE_IMAGE);
    set({ image: { ...taken, from: completed }, spoken: `Completion ${at + 1} is now your image.` });
  });
  $("restored").addEventListener("click", (event) => {
    const at = place(event, $("restored"));
    const button = event.target.closest("button");
    if (at < 0 || !button) return;
    const { name, data, file } = state.restored[at];
    if (button.dataset.use === undefined) {
      // Names of folders are left out, as a download has none.
      save(name.split("/").at(-1), bytesOf(file ?? data), file ? "application/octet-stream" : "image/png");
    } else {
      open(new Blob([bytesOf(data)]));
    }
  });
  $("save-samples").addEventListener("click", () => {
    const { model, samples } = state;
    savePng("samples", model, samples.shape, samples.images);
  });
  $("save-completed").addEventListener("click", () => {
    const { model } = state;
    const { shape, images } = completions();
    savePng("completions", model, shape, images);
  });
  $("save-image").addEventListener("click", () => {
    const { model, image } = state;
    savePng("image", model, image.shape, [image.pixels]);
  });
  $("save-npx").addEventListener("click", () => save(`${state.model.name}.npx`, state.sizes.data, "application/octet-stream"));
}

function wireDrops() {
  const holdsFile = (event) => event.dataTransfer?.types.includes("Files");
  const mark = (is) => document.body.classList.toggle("dropping", is);
  addEventListener("dragover", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    mark(true);
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) mark(false);
  });
  addEventListener("drop", async (event) => {
    mark(false);
    if (!holdsFile(event)) return;
    event.preventDefault();
    const [file, ...others] = event.dataTransfer.files;
    if (!file || !state.model) return;
    await open(file);
    if (others.length && !state.message) set({ message: `Only the first of ${others.length + 1} files was opened.` });
  });
}

async function begin() {
  try {
    const { models, ...others } = await askForModels();
    set({ models, ...others });
    options($("model"), models.map((model) => [model.name, model.name]));
    for (const part of ["main", "#to-teach"]) document.querySelector(part).hidden = false;
    wire();
    choose(models[0]);
  } catch (error) {
    complain(error);
  }
}

showBy(render);
begin();
