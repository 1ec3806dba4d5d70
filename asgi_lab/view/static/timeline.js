// A scene of asgi-lab on a canvas: to zoom into, to ask, to play. One module without dependencies;
// the notebook, the report and the live page all paint with it.
//
//   mount(element, {theme, scene, items}, options) -> view
//     items    the columns of the scene's items (asgi_lab.scene.payload): bytes, or base64 of them
//     options  describe(seq) -> string | Promise<string>   the full words of an event
//              onSelect(seq), onLane(conn)                 the reader has chosen an event, a request
//              onFlag(flag)                                or what is wrong (null: nothing any more)
//              theme: "light" | "dark" | "auto"; controls: true | false; maxHeight: pixels
//   view.update(payload)   another scene; the view keeps its zoom where it can
//   view.append(delta)     what a running trace has come to meanwhile:
//     {axis, lanes: [[number, lane], ...], texts: [new ones], items, replace: [lane, ...], boxes,
//      flags, title, alt}; items of the lanes in `replace` are dropped first; `fold` counts within `items`
//   view.point(number)     at the flags of a diagnosis
//   view.select(seq), view.highlight(conn), view.say(words), view.setTheme(theme), view.destroy()
//
// Sections: numbers and words; columns; look; shapes; rows (flow right); columns (flow down);
// grid (states); the view; its controls; the notebook.

// ------------------------------------------------------------------ numbers and words

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

const three = (value) => value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);

export function duration(ns) {
  if (ns < 0) return "-" + duration(-ns);
  if (ns < 1) return "0 µs";
  if (ns >= 120e9) {
    const seconds = Math.round(ns / 1e9);
    return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  }
  if (ns < 1000) return `${ns.toFixed(0)} ns`;
  for (const [unit, size] of [["µs", 1e3], ["ms", 1e6]]) {
    const digits = three(ns / size);
    if (Number(digits) < 1000) return `${digits} ${unit}`;
  }
  return `${three(ns / 1e9)} s`;
}

// The round step (1, 2 or 5 times a power of ten) of at most so many ticks.
function roundStep(span, most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(span / most, 1e-9)));
  return [1, 2, 5, 10].map((m) => m * power).find((step) => step * most >= span);
}

// A moment as a tick says it: as many digits as the step needs.
function moment(t, step) {
  if (Math.abs(t) < step / 2) return "0";
  const [unit, size] = [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]].find(
    ([, size]) => Math.abs(t) >= size * 0.9995) ?? ["ns", 1];
  const digits = clamp(Math.ceil(Math.log10(size / step) - 1e-9), 0, 9);
  return `${(t / size).toFixed(digits)} ${unit}`;
}

// ------------------------------------------------------------------ columns

const LAYOUT = [
  ["begin", Float64Array], ["end", Float64Array], ["lane", Int32Array], ["label", Int32Array],
  ["event", Int32Array], ["fold", Int32Array], ["role", Uint8Array], ["share", Uint8Array],
];

export function bytesOf(data) {
  if (data == null) return new Uint8Array(0);
  if (typeof data === "string") {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(data);
    const text = atob(data);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
  }
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function columnsOf(data) {
  let bytes = bytesOf(data);
  const size = LAYOUT.reduce((sum, [, type]) => sum + type.BYTES_PER_ELEMENT, 0);
  const count = Math.floor(bytes.byteLength / size);
  if (bytes.byteOffset % 8) bytes = bytes.slice();
  let at = bytes.byteOffset;
  const columns = { count };
  for (const [name, type] of LAYOUT) {
    columns[name] = new type(bytes.buffer, at, count);
    at += count * type.BYTES_PER_ELEMENT;
  }
  return columns;
}

// The columns without some lanes, and with others' columns after them.
function joined(columns, without, more) {
  const kept = new Int32Array(columns.count);
  const number = new Int32Array(columns.count).fill(-1);
  let count = 0;
  for (let i = 0; i < columns.count; i++) {
    if (without.has(columns.lane[i])) continue;
    number[i] = count;
    kept[count++] = i;
  }
  const all = { count: count + more.count };
  for (const [name, type] of LAYOUT) {
    const column = (all[name] = new type(all.count));
    for (let i = 0; i < count; i++) column[i] = columns[name][kept[i]];
    column.set(more[name], count);
  }
  for (let i = 0; i < count; i++) if (all.fold[i] >= 0) all.fold[i] = number[all.fold[i]];
  for (let i = count; i < all.count; i++) if (all.fold[i] >= 0) all.fold[i] += count;
  return all;
}

// Which items a lane has: bars in slot 2 * lane, marks (and what speaks for many) in the next, each
// in order of their begin. `reach` is the furthest end so far, so that what is still there at a
// moment is found by bisection.
function indexOf(columns, lanes, many) {
  const { count, begin, end, lane, role, fold } = columns;
  const start = new Int32Array(2 * lanes + 1);
  const slot = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const mark = begin[i] === end[i] || role[i] === many ? 1 : 0;
    slot[i] = lane[i] >= 0 && lane[i] < lanes ? 2 * lane[i] + mark : -1;
    if (slot[i] >= 0) start[slot[i] + 1]++;
  }
  for (let s = 0; s < 2 * lanes; s++) start[s + 1] += start[s];
  const order = new Int32Array(start[2 * lanes]);
  const next = start.slice();
  for (let i = 0; i < count; i++) if (slot[i] >= 0) order[next[slot[i]]++] = i;
  const reach = new Float64Array(order.length);
  for (let s = 0; s < 2 * lanes; s++) {
    let sorted = true;
    for (let k = start[s] + 1; k < start[s + 1] && sorted; k++) {
      sorted = begin[order[k - 1]] <= begin[order[k]];
    }
    if (!sorted) order.subarray(start[s], start[s + 1]).sort((a, b) => begin[a] - begin[b] || a - b);
    let furthest = -Infinity;
    for (let k = start[s]; k < start[s + 1]; k++) {
      reach[k] = furthest = Math.max(furthest, end[order[k]]);
    }
  }
  const members = new Int32Array(count);
  for (let i = 0; i < count; i++) if (fold[i] >= 0 && fold[i] < count) members[fold[i]]++;
  return { start, order, reach, members };
}

// Whether two boxes, [left, top, right, bottom] each, have a place in common.
const overlap = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

function bisect(low, high, before) {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

// ------------------------------------------------------------------ look

const FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";

const CSS = `
.asgilab { position: relative; font: 13px/1.4 ${FONT}; color: var(--ink); background: var(--paper);
  --soft: color-mix(in srgb, var(--ink) 64%, var(--paper)); padding: 6px 8px; border-radius: 4px; }
.asgilab * { box-sizing: border-box; }
.asgilab-title { font-weight: 600; font-size: 15px; margin: 2px 0 6px; overflow-wrap: anywhere; }
.asgilab-bar { display: flex; flex-wrap: wrap; gap: 4px; align-items: center; margin: 0 0 6px; }
.asgilab-bar button { font: inherit; color: inherit; background: none; min-width: 30px; height: 28px;
  padding: 0 7px; border: 1px solid var(--grid); border-radius: 4px; cursor: pointer;
  display: inline-flex; align-items: center; justify-content: center; }
.asgilab-bar button:hover { background: color-mix(in srgb, var(--ink) 9%, var(--paper)); }
.asgilab-bar button[aria-pressed=true] { background: color-mix(in srgb, var(--ink) 16%, var(--paper)); }
.asgilab-bar svg { width: 14px; height: 14px; fill: currentColor; }
.asgilab-bar .gap { width: 8px; }
.asgilab-bar input { font: inherit; color: inherit; background: none; height: 28px; width: 17em;
  padding: 0 8px; border: 1px solid var(--grid); border-radius: 4px; }
.asgilab-bar input::placeholder { color: var(--soft); opacity: 1; }
.asgilab :focus-visible { outline: 2px solid var(--focus); outline-offset: 1px; }
.asgilab-count { color: var(--soft); }
.asgilab-stage { position: relative; }
.asgilab canvas.asgilab-timeline { display: block; width: 100%; touch-action: pan-y; cursor: default; }
.asgilab canvas.dragging { cursor: grabbing; }
.asgilab canvas.over { cursor: pointer; }
.asgilab-tip { position: absolute; z-index: 9; pointer-events: none; max-width: 34em; padding: 4px 8px;
  white-space: pre-line; overflow-wrap: anywhere; background: var(--ink); color: var(--paper);
  border-radius: 4px; font-size: 12.5px; }
.asgilab [hidden] { display: none !important; }
.asgilab-legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 6px 0 0; padding: 0;
  list-style: none; color: var(--soft); font-size: 12.5px; }
.asgilab-legend li { display: inline-flex; align-items: center; gap: 6px; margin: 0; }
.asgilab-legend canvas { width: 26px; height: 14px; }
.asgilab-detail { margin: 6px 0 0; padding: 6px 10px; border-left: 3px solid var(--focus);
  background: color-mix(in srgb, var(--ink) 5%, var(--paper)); }
.asgilab-detail pre, .asgilab-text { font: 12.5px/1.45 ui-monospace, 'DejaVu Sans Mono', monospace;
  margin: 2px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; color: inherit; background: none;
  max-height: 22em; overflow: auto; padding: 0; }
.asgilab-text { white-space: pre; overflow-wrap: normal; max-height: 40em; padding: 6px 0; }
.asgilab-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media print { .asgilab-bar, .asgilab-tip { display: none !important; } }
`;

function modeOf(wanted) {
  if (wanted === "light" || wanted === "dark") return wanted;
  const jupyter = document.body?.dataset.jpThemeLight;
  if (jupyter) return jupyter === "false" ? "dark" : "light";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

// The theme in one mode: styles by number of the role, with patterns once they are asked for.
class Look {
  constructor(theme, mode) {
    this.mode = mode;
    this.paper = theme.paper[mode];
    this.ink = theme.ink[mode];
    this.grid = theme.grid[mode];
    this.styles = theme.roles.map((style) => ({ ...style, colour: style[mode] }));
    this.byRole = new Map(this.styles.map((style, code) => [style.role, code]));
    this.patterns = new Map();
    this.soft = mix(this.ink, this.paper, 0.36);
  }

  style(role) {
    return this.styles[this.byRole.get(role)] ?? { role, colour: this.ink, shape: "line", height: 1 };
  }

  meaning(style, held) {
    const said = style.meaning ?? style.role;
    return ["hold", "blocked"].includes(style.role) ? said.replace("loop", held) : said;
  }

  // A pattern that moves along with what it fills.
  pattern(ctx, style, shift, y) {
    const key = style.role;
    let pattern = this.patterns.get(key);
    if (!pattern) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 8;
      const image = tile.getContext("2d");
      image.fillStyle = style.colour;
      for (let x = 0; x < 8; x++) {
        for (let y = 0; y < 8; y++) if (inked(style.shape, x, y)) image.fillRect(x, y, 1, 1);
      }
      pattern = ctx.createPattern(tile, "repeat");
      this.patterns.set(key, pattern);
    }
    pattern.setTransform(new DOMMatrix().translate(shift, y));
    return pattern;
  }
}

// Whether a shape's pattern has ink at a pixel.
function inked(shape, x, y) {
  if (shape === "dashed") return (x & 7) < 5;
  if (shape === "hatched") return ((x + y) & 7) < 4;
  if (shape === "dotted") return (x & 3) < 2 && (y & 3) < 2;
  return true;
}

function mix(a, b, share) {
  const parts = [1, 3, 5].map((i) => {
    const [u, v] = [parseInt(a.slice(i, i + 2), 16), parseInt(b.slice(i, i + 2), 16)];
    return Math.round(u + (v - u) * share).toString(16).padStart(2, "0");
  });
  return `#${parts.join("")}`;
}

// ------------------------------------------------------------------ shapes

const LOW = new Set(["half", "low"]);
const PATTERNED = new Set(["dashed", "hatched", "dotted"]);

// Where in a row of height `h` a bar lies: [top, height]. Halves stand on the floor of the row.
function placeOf(style, h) {
  const height = clamp(h * style.height, Math.min(2, h), h);
  return LOW.has(style.shape) ? [h * 0.9 - height, height] : [(h - height) / 2, height];
}

function drawBar(ctx, look, style, x, y, w, h, shift = 0) {
  let [top, height] = placeOf(style, h);
  if (height > 2) [top, height] = [Math.round(y + top) - y, Math.round(height)];
  if (style.shape === "outlined" && w > 3 && height > 4) {
    ctx.fillStyle = style.colour + "33";
    ctx.fillRect(x, y + top, w, height);
    ctx.strokeStyle = style.colour;
    ctx.lineWidth = 1.5;
    ctx.strokeRect(x + 0.75, y + top + 0.75, w - 1.5, height - 1.5);
    return;
  }
  ctx.fillStyle = PATTERNED.has(style.shape) && w > 3
    ? look.pattern(ctx, style, shift, y + top) : style.colour;
  ctx.fillRect(x, y + top, w, height);
}

function drawMark(ctx, look, style, x, y, s) {
  ctx.beginPath();
  const r = s / 2;
  const stroke = () => {
    ctx.strokeStyle = look.paper;
    ctx.lineWidth = 4;
    ctx.stroke();
    ctx.strokeStyle = style.colour;
    ctx.lineWidth = 2;
    ctx.stroke();
  };
  switch (style.shape) {
    case "bar": ctx.moveTo(x, y - s * 0.8); ctx.lineTo(x, y + s * 0.8); return stroke();
    case "tick": ctx.moveTo(x, y + r * 0.4); ctx.lineTo(x, y + s); return stroke();
    case "cross":
      ctx.moveTo(x - r, y - r); ctx.lineTo(x + r, y + r);
      ctx.moveTo(x + r, y - r); ctx.lineTo(x - r, y + r);
      return stroke();
    case "right": ctx.moveTo(x - r, y - r); ctx.lineTo(x + r, y); ctx.lineTo(x - r, y + r); break;
    case "left": ctx.moveTo(x + r, y - r); ctx.lineTo(x - r, y); ctx.lineTo(x + r, y + r); break;
    case "square": ctx.rect(x - r * 0.8, y - r * 0.8, s * 0.8, s * 0.8); break;
    case "star":
      for (let k = 0; k < 10; k++) {
        const length = k % 2 ? r * 0.55 : r * 1.3;
        const angle = (k * Math.PI) / 5 - Math.PI / 2;
        ctx.lineTo(x + length * Math.cos(angle), y + length * Math.sin(angle));
      }
      break;
    case "triangle": ctx.moveTo(x, y - r * 1.15); ctx.lineTo(x + r * 1.2, y + r); ctx.lineTo(x - r * 1.2, y + r); break;
    case "circle": ctx.arc(x, y, r * 1.08, 0, 2 * Math.PI); break;
    default:
      ctx.moveTo(x, y - r); ctx.lineTo(x + r, y); ctx.lineTo(x, y + r); ctx.lineTo(x - r, y);
  }
  ctx.closePath();
  ctx.strokeStyle = look.paper;
  ctx.lineWidth = 2;
  ctx.stroke();
  ctx.fillStyle = style.colour;
  ctx.fill();
  const sign = { triangle: [-0.22, 0.36, 0.24, 0.14], circle: [-0.1, 0.46, -0.34, 0.15] }[style.shape];
  if (!sign) return;
  const [bar, long, dot, high] = sign.map((part) => part * s); // an exclamation mark, an i
  ctx.fillStyle = look.paper;
  ctx.fillRect(x - s * 0.075, y + bar, s * 0.15, long);
  ctx.fillRect(x - s * 0.075, y + dot, s * 0.15, high);
}

const BARS = new Set(["solid", "hatched", "outlined", "thin", "half", "low", "dotted", "dashed", "line", "bold"]);

function drawSwatch(canvas, look, style, arrow) {
  const ratio = devicePixelRatio || 1;
  [canvas.width, canvas.height] = [26 * ratio, 14 * ratio];
  const ctx = canvas.getContext("2d");
  ctx.scale(ratio, ratio);
  if (arrow) drawArrow(ctx, style, 2, 7, 24, 7);
  else if (NODES.has(style.role)) drawNode(ctx, look, style, 1, 1, 24, 12);
  else if (BARS.has(style.shape)) drawBar(ctx, look, style, 1, 0, 24, 14);
  else drawMark(ctx, look, style, 13, 7, 9);
}

const NODES = new Set(["state", "end", "been", "illegal"]);

function drawNode(ctx, look, style, x, y, w, h) {
  const illegal = style.role === "illegal";
  const been = style.role === "been";
  ctx.beginPath();
  ctx.roundRect(x, y, w, h, style.role === "end" ? 4 : h / 2);
  ctx.fillStyle = illegal ? look.paper : style.colour;
  ctx.fill();
  ctx.strokeStyle = illegal ? style.colour : look.soft;
  ctx.lineWidth = been ? 2 : 1.2;
  ctx.setLineDash(illegal ? [5, 4] : []);
  ctx.stroke();
  ctx.setLineDash([]);
}

function drawArrow(ctx, style, x0, y0, x1, y1) {
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [dx, dy] = [(x1 - x0) / length, (y1 - y0) / length];
  ctx.strokeStyle = ctx.fillStyle = style.colour;
  ctx.lineWidth = style.shape === "bold" ? 2.6 : 1.7;
  ctx.setLineDash(style.shape === "dashed" ? [5, 4] : []);
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1 - dx * 6, y1 - dy * 6);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x1 - dx * 8 - dy * 4.5, y1 - dy * 8 + dx * 4.5);
  ctx.lineTo(x1 - dx * 8 + dy * 4.5, y1 - dy * 8 - dx * 4.5);
  ctx.fill();
}

// Words, cut to a width, with an ellipsis.
function fitted(ctx, text, width) {
  if (width < 8) return "";
  if (ctx.measureText(text).width <= width) return text;
  const n = bisect(0, text.length, (n) => ctx.measureText(text.slice(0, n) + "…").width <= width);
  return n > 1 ? text.slice(0, n - 1) + "…" : "";
}

// Words over a picture, readable on whatever is there.
function words(ctx, look, text, x, y, width, colour = look.ink) {
  const told = fitted(ctx, text, width);
  if (!told) return;
  ctx.strokeStyle = look.paper;
  ctx.lineWidth = 3;
  ctx.lineJoin = "round";
  ctx.strokeText(told, x, y);
  ctx.fillStyle = colour;
  ctx.fillText(told, x, y);
}

// ------------------------------------------------------------------ many items on few pixels

// So many items that several share a pixel: each pixel has the role that most are at there. Bars are
// summed up in bands of lanes: what covers a pixel whole in differences, the rest in parts.
class Raster {
  constructor(width, height, styles) {
    [this.width, this.height, this.styles] = [width, height, styles];
    this.image = new ImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.colours = styles.map((style) => pixelOf(style.colour));
    this.whole = styles.map(() => null);
    this.part = styles.map(() => null);
    this.used = [];
    this.best = new Float32Array(width);
    this.which = new Int16Array(width);
    [this.low, this.high] = [width, 0]; // where in the band there is anything
  }

  // A bar, from x0 to x1 in pixels.
  add(role, x0, x1, weight) {
    const { width } = this;
    if (x1 < 0 || x0 >= width) return;
    if (!this.used.includes(role)) {
      this.used.push(role);
      this.whole[role] ??= new Float32Array(width + 1);
      this.part[role] ??= new Float32Array(width);
    }
    const [low, high] = [Math.max(x0, 0), Math.min(x1, width)];
    const [a, b] = [Math.floor(low), Math.floor(high)];
    const [whole, part] = [this.whole[role], this.part[role]];
    if (a < this.low) this.low = a;
    if (b > this.high) this.high = b;
    if (a === b) {
      if (a < width) part[a] += Math.max(high - low, 0.02) * weight;
      return;
    }
    part[a] += (a + 1 - low) * weight;
    if (b < width) part[b] += (high - b) * weight;
    if (b > a + 1) { whole[a + 1] += weight; whole[b] -= weight; }
  }

  // Paint what has been added into the pixel rows y0 to y1, and begin anew.
  flush(y0, y1) {
    const { width, styles, used, best, which, pixels, low } = this;
    const high = Math.min(this.high + 1, width);
    best.fill(0, low, high);
    which.fill(-1, low, high);
    for (const role of used) {
      const [whole, part] = [this.whole[role], this.part[role]];
      let sum = 0;
      for (let x = low; x < high; x++) {
        sum += whole[x];
        const share = sum + part[x];
        if (share > best[x] + 1e-4) { best[x] = share; which[x] = role; }
      }
      whole.fill(0, low, high + 1);
      part.fill(0, low, high);
    }
    const tall = y1 - y0;
    for (const role of used) {
      const style = styles[role];
      const thick = tall > 4;
      const [top, height] = thick ? placeOf(style, tall - 2) : [0, tall];
      const from = Math.max(y0 + Math.floor(thick ? top + 1 : 0), 0);
      const until = Math.min(Math.max(y0 + Math.ceil(thick ? top + 1 + height : tall), from + 1), this.height);
      const colour = this.colours[role];
      const plain = !thick || !PATTERNED.has(style.shape);
      for (let y = from; y < until; y++) {
        for (let x = low, at = y * width + low; x < high; x++, at++) {
          if (which[x] === role && (plain || inked(style.shape, x, y))) pixels[at] = colour;
        }
      }
    }
    used.length = 0;
    [this.low, this.high] = [width, 0];
  }

  tick(role, x, y0, y1) {
    const at = Math.round(x);
    if (at < 0 || at >= this.width) return;
    for (let y = Math.max(y0, 0); y < Math.min(y1, this.height); y++) {
      this.pixels[y * this.width + at] = this.colours[role];
    }
  }
}

function pixelOf(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

// ------------------------------------------------------------------ rows (flow right)

const ROW = 26;
const CURVE = 92;
const LAYER = 46;
const HEADING = 28;
const AXIS = 26;
const EDGE = 12;
const DENSE = 10000;
const URGENT = new Set(["raise", "cancel", "finding", "mark"]);

class Rows {
  constructor(view) {
    this.view = view;
    const { scene } = view;
    this.steps = scene.axis.unit !== "ns";
    this.curves = (scene.areas ?? []).length > 0;
    this.base = this.curves ? CURVE : this.steps ? LAYER : ROW;
  }

  // ---- where things are

  // Which lanes are shown, under which headings.
  arrange() {
    const { scene, shown } = this.view;
    this.rows = [];
    const heads = new Map((scene.groups ?? []).map((group) => [group.first, group]));
    scene.lanes.forEach((lane, index) => {
      if (heads.has(index)) this.rows.push({ group: heads.get(index), lane: -1 });
      if (shown[index]) this.rows.push({ lane: index });
    });
    this.headings = this.rows.filter((row) => row.group).length;
    this.rowOf = new Int32Array(scene.lanes.length).fill(-1);
    this.rows.forEach((row, index) => { if (row.lane >= 0) this.rowOf[row.lane] = index; });
    this.gutter = this.measure();
  }

  get lanes() { return Math.max(this.rows.length - this.headings, 1); }

  get below() {
    const { boxes, flags } = this.view.scene;
    if (this.steps) return 8 + 4 * (boxes ?? []).length;
    return (flags ?? []).some((flag) => flag.lane < 0) ? 26 : 6;
  }

  get natural() { return AXIS + this.lanes * this.base + this.headings * HEADING + this.below; }

  // The columns left of the picture: what each row says, and how wide that is.
  measure() {
    const { scene, ctx, width } = this.view;
    ctx.font = `13px ${FONT}`;
    const { lanes } = scene;
    const names = scene.columns ?? [];
    const wanted = width > 1500 ? names : width > 700 ? ["#", "status", "total"] : ["#", "status"];
    const widest = (texts, head = "") => {
      let longest = head;
      for (const text of texts) if (text.length > longest.length) longest = text;
      return Math.ceil(Math.max(ctx.measureText(longest).width, ctx.measureText(head).width));
    };
    const before = [];
    const after = [];
    names.forEach((name, k) => {
      if (!wanted.includes(name) || !lanes.some((lane) => lane.facts?.[k])) return;
      const column = { name, k, width: widest(lanes.map((lane) => lane.facts?.[k] ?? ""), name) };
      (name === "#" ? before : after).push(column);
    });
    const name = names.includes("#") ? "request" : "";
    const label = widest(lanes.map((lane) => lane.label), name);
    const rest = [...before, ...after].reduce((sum, column) => sum + column.width + 12, 0);
    const most = Math.max(width * (width > 700 ? 0.4 : 0.5) - rest, 60);
    this.fields = [...before, { name, k: -1, width: Math.min(label, most) }, ...after];
    let x = 4;
    for (const field of this.fields) { field.x = x; x += field.width + 12; }
    return Math.max(x, 40) + (this.curves ? 24 : 0);
  }

  fit() { // a height of rows in which all are seen
    const room = this.view.height - AXIS - this.headings * HEADING - this.below;
    return Math.min(room / this.lanes, this.base);
  }

  get rowHeight() { return this.view.rowHeight ?? this.fit(); }

  place() {
    const h = this.rowHeight;
    this.top = new Float64Array(this.rows.length + 1);
    this.rows.forEach((row, k) => { this.top[k + 1] = this.top[k] + (row.group ? HEADING : h); });
    this.most = Math.max(this.top[this.rows.length] + this.below - (this.view.height - AXIS) - 1, 0);
    this.view.scroll = clamp(this.view.scroll, 0, this.most);
  }

  bounds() {
    const { axis } = this.view.scene;
    const end = Math.max(axis.end, axis.begin + 1);
    return this.steps ? [axis.begin - 0.5, end + 0.9] : [axis.begin, end];
  }

  home() {
    const [from, to] = this.bounds();
    if (!this.steps) return [from, to];
    return [from, Math.min(to, from + Math.max((this.room || 600) / 26, 3))];
  }

  get left() { return this.gutter + EDGE; }

  get room() { return this.view.width - this.left - EDGE; }

  x(at) {
    const { from, to } = this.view;
    return this.left + ((at - from) / (to - from)) * this.room;
  }

  at(x) {
    const { from, to } = this.view;
    return from + ((x - this.left) / this.room) * (to - from);
  }

  y(row) { return AXIS + this.top[row] - this.view.scroll; }

  middle(row) { return (this.y(row) + this.y(row + 1)) / 2; }

  rowAt(y) {
    const inside = y - AXIS + this.view.scroll;
    if (y < AXIS || inside < 0 || inside >= this.top[this.rows.length]) return -1;
    return bisect(0, this.rows.length, (k) => this.top[k + 1] <= inside);
  }

  // The part of a slot of the index that a stretch of the axis shows.
  range(slot, from, to) {
    const { start, order, reach } = this.view.index;
    const { begin } = this.view.columns;
    const low = bisect(start[slot], start[slot + 1], (k) => reach[k] < from);
    return [low, bisect(low, start[slot + 1], (k) => begin[order[k]] <= to)];
  }

  // The first and last row of what spans lanes, as far as they are shown.
  span(box) {
    let [first, last] = [box.lane, box.until];
    while (first <= last && this.rowOf[first] < 0) first++;
    while (last > first && this.rowOf[last] < 0) last--;
    return this.rowOf[first] >= 0 ? [this.rowOf[first], this.rowOf[last]] : null;
  }

  reveal(lane) {
    const row = this.rowOf[lane];
    if (row < 0) return;
    const [top, bottom] = [this.top[row], this.top[row + 1]];
    const room = this.view.height - AXIS;
    if (top < this.view.scroll || bottom > this.view.scroll + room) {
      this.view.scroll = clamp(top - room / 2, 0, this.most);
    }
  }

  // ---- moving

  wheel(dx, dy) {
    if (Math.abs(dx) > 0.5) return this.view.pan(dx / this.room) || true;
    return this.view.scrollBy(dy);
  }

  drag(dx, dy) {
    this.view.pan(dx / this.room);
    this.view.scrollBy(dy);
  }

  key(dx, dy) {
    if (dx) this.view.pan(dx * 0.1);
    else this.view.scrollBy(dy * 60);
  }

  zoomRows(factor, around) {
    const { view } = this;
    const before = this.rowHeight;
    const least = this.fit();
    const after = clamp(before * factor, least, Math.max(80, least));
    const place = (view.scroll + around - AXIS) / before;
    view.rowHeight = after <= least * 1.001 ? null : after;
    this.place();
    view.scroll = clamp(place * after - around + AXIS, 0, this.most);
  }

  // ---- painting

  paint(ctx) {
    const { view } = this;
    const { height, width, look } = view;
    this.place();
    const first = bisect(0, this.rows.length, (k) => this.top[k + 1] <= view.scroll);
    const last = bisect(first, this.rows.length, (k) => this.y(k) < height);
    ctx.save();
    ctx.beginPath();
    ctx.rect(this.left - EDGE, AXIS, this.room + 2 * EDGE, height - AXIS);
    ctx.clip();
    if (!this.steps) this.paintBands(ctx);
    this.paintGrid(ctx);
    if (this.steps) this.paintRings(ctx);
    this.paintItems(ctx, first, last);
    this.paintAreas(ctx, first, last);
    this.paintArrows(ctx);
    this.paintNotes(ctx);
    this.paintFlags(ctx);
    ctx.restore();
    this.paintAxis(ctx);
    this.paintGutter(ctx, first, last);
    this.paintDim(ctx, first, last);
    this.paintPicked(ctx);
    ctx.fillStyle = look.grid;
    ctx.fillRect(0, AXIS - 1, width, 1);
  }

  ticks() {
    const { scene, from, to } = this.view;
    const { room } = this;
    if (this.steps) {
      const every = Math.max(1, Math.ceil(58 / (room / Math.max(to - from, 1))));
      return (scene.axis.ticks ?? []).filter((tick, k) => k % every === 0);
    }
    const step = roundStep(to - from, Math.max(room / 110, 2));
    const zero = scene.axis.begin;
    const ticks = [];
    for (let k = Math.ceil((from - zero) / step - 1e-9); zero + k * step <= to; k++) {
      ticks.push({ at: zero + k * step, label: moment(k * step, step) });
    }
    return ticks;
  }

  paintGrid(ctx) {
    const { look, height } = this.view;
    ctx.fillStyle = look.grid;
    for (const tick of this.ticks()) ctx.fillRect(Math.round(this.x(tick.at)), AXIS, 1, height - AXIS);
  }

  paintAxis(ctx) {
    const { look } = this.view;
    const { left, room } = this;
    ctx.fillStyle = look.soft;
    ctx.font = `12px ${FONT}`;
    ctx.textBaseline = "middle";
    let free = left - EDGE;
    for (const tick of this.ticks()) {
      const x = this.x(tick.at);
      const wide = ctx.measureText(tick.label).width;
      const at = Math.min(x - wide / 2, left + room + EDGE - wide);
      if (x < left - 1 || x > left + room + 1 || at < free) continue;
      ctx.fillText(tick.label, at, AXIS / 2);
      free = at + wide + 10;
    }
  }

  // Stretches over all lanes, behind them.
  paintBands(ctx) {
    const { scene, look, height } = this.view;
    for (const box of scene.boxes ?? []) {
      const rows = this.span(box);
      if (!rows) continue;
      const [x0, x1] = [this.x(box.begin), this.x(box.end)];
      const [y0, y1] = [Math.max(this.y(rows[0]), AXIS), Math.min(this.y(rows[1] + 1), height)];
      ctx.fillStyle = look.style(box.role).colour;
      ctx.fillRect(x0, y0, Math.max(x1 - x0, 1.5), y1 - y0);
    }
  }

  // Rings around rings.
  paintRings(ctx) {
    const { scene, look } = this.view;
    for (const box of scene.boxes ?? []) {
      const rows = this.span(box);
      if (!rows) continue;
      const style = look.style(box.role);
      const [x0, x1] = [this.x(box.begin - 0.32), this.x(box.end + 0.32)];
      const [y0, y1] = [this.y(rows[0]) + 5, this.y(rows[1] + 1) - 2 + 4 * (box.until - box.lane)];
      ctx.beginPath();
      ctx.roundRect(x0, y0, x1 - x0, y1 - y0, 8);
      ctx.fillStyle = style.colour + (look.mode === "light" ? "1c" : "20");
      ctx.fill();
      ctx.strokeStyle = style.colour;
      ctx.lineWidth = 1.5;
      ctx.stroke();
    }
  }

  paintItems(ctx, first, last) {
    const { view } = this;
    if (!view.columns.count) return;
    const { from, to } = view;
    view.visible = 0;
    for (let k = first; k < last; k++) {
      const { lane } = this.rows[k];
      if (lane < 0) continue;
      for (const slot of [2 * lane, 2 * lane + 1]) {
        const [low, high] = this.range(slot, from, to);
        view.visible += high - low;
      }
    }
    const dense = view.visible > DENSE || this.rowHeight < 2;
    if (dense) this.paintDense(ctx, first, last);
    for (let k = first; k < last; k++) {
      if (this.rows[k].lane < 0) continue;
      if (!dense) this.paintBars(ctx, k);
      if (!dense || this.rowHeight >= 8) this.paintMarks(ctx, k, dense ? 1.2 : 0.55);
    }
  }

  paintBars(ctx, row) {
    const { look, columns, index, from, to, scene } = this.view;
    const { begin, end, role, share, label } = columns;
    const [y, h] = [this.y(row), this.top[row + 1] - this.top[row]];
    const inset = h > 8 ? 2 : 0;
    const shift = this.x(scene.axis.begin) % 8;
    const [least, most] = [this.left - EDGE, this.left + this.room + EDGE];
    const [low, high] = this.range(2 * this.rows[row].lane, from, to);
    for (let k = low; k < high; k++) {
      const i = index.order[k];
      const x0 = Math.max(this.x(begin[i]), least);
      const x1 = Math.min(this.x(end[i]), most);
      const part = (h - 2 * inset) * (share[i] / 255);
      drawBar(ctx, look, look.styles[role[i]], x0, y + h - inset - part, Math.max(x1 - x0, 1), part, shift);
      if (label[i] && h >= 14) this.paintName(ctx, scene.texts[label[i]], x0, x1, y, h);
    }
  }

  // What a bar is called, and where it begins: bars of one kind may touch.
  paintName(ctx, name, x0, x1, y, h) {
    ctx.fillStyle = this.view.look.paper;
    if (x0 > this.left) ctx.fillRect(x0 - 1, y, 2, h);
    ctx.font = `12px ${FONT}`;
    ctx.textBaseline = "middle";
    ctx.fillStyle = "#1a1a1a";
    if (ctx.measureText(name).width + 10 < x1 - x0) ctx.fillText(name, x0 + 5, y + h / 2 + 0.5);
  }

  // Marks, as far as there is room: of several in one place the first, and what is urgent.
  paintMarks(ctx, row, apart) {
    const { look, columns, index, from, to } = this.view;
    const { begin, role, fold } = columns;
    const [y, h] = [this.y(row), this.top[row + 1] - this.top[row]];
    const size = clamp(h * 0.46, 3, 11);
    const [low, high] = this.range(2 * this.rows[row].lane + 1, from, to);
    const draw = (i, style) => {
      if (h >= 7) return drawMark(ctx, look, style, this.x(begin[i]), y + h / 2, size);
      ctx.fillStyle = style.colour;
      return ctx.fillRect(this.x(begin[i]) - 0.75, y, 1.5, h);
    };
    const urgent = [];
    let before = -Infinity;
    for (let k = low; k < high; k++) {
      const i = index.order[k];
      const style = look.styles[role[i]];
      if (index.members[i]) {
        if (!this.unfolded(i)) this.paintFold(ctx, i, y, h);
      } else if (fold[i] < 0 || this.unfolded(fold[i])) {
        if (URGENT.has(style.role)) urgent.push(i);
        else if (this.x(begin[i]) - before >= size * apart) {
          before = this.x(begin[i]);
          draw(i, style);
        }
      }
    }
    before = -Infinity;
    for (const i of urgent) {
      if (this.x(begin[i]) - before < 1) continue;
      before = this.x(begin[i]);
      draw(i, look.styles[role[i]]);
    }
  }

  // Whether there is room for each of the many that one bar speaks for.
  unfolded(fold) {
    const { begin, end } = this.view.columns;
    return this.x(end[fold]) - this.x(begin[fold]) > this.view.index.members[fold] * 7;
  }

  paintFold(ctx, i, y, h) {
    const { look, columns, index } = this.view;
    const style = look.styles[columns.role[i]];
    const [x0, x1] = [this.x(columns.begin[i]), this.x(columns.end[i])];
    const [least, most] = [Math.max(x0, this.left), Math.min(x1, this.left + this.room)];
    const height = Math.max(h * 0.26, Math.min(h, 3));
    ctx.fillStyle = style.colour;
    ctx.fillRect(x0, y + (h - height) / 2, Math.max(x1 - x0, 3), height);
    if (h < 14) return;
    ctx.font = `600 11.5px ${FONT}`;
    ctx.textBaseline = "middle";
    const text = `×${index.members[i].toLocaleString("en")}`;
    const wide = ctx.measureText(text).width;
    if (most - least > wide + 8) words(ctx, look, text, (least + most - wide) / 2, y + h / 2 + 0.5, wide + 1);
  }

  paintDense(ctx, first, last) {
    const { look, columns, index, from, to, height } = this.view;
    const { begin, end, role, share } = columns;
    const { left, room } = this;
    // By whole points: finer pixels cost four times as much, and show no more.
    const w = Math.max(Math.round(room), 1);
    const h = Math.max(Math.round(Math.min(this.y(last), height) - AXIS), 1);
    const raster = new Raster(w, h, look.styles);
    const scale = w / (to - from);
    const tall = look.styles.map((style) => URGENT.has(style.role));
    const ticks = [];
    let band = null;
    for (let k = first; k < last; k++) {
      const { lane } = this.rows[k];
      if (lane < 0) continue;
      const y0 = Math.floor(this.y(k) - AXIS);
      const y1 = Math.max(Math.floor(this.y(k + 1) - AXIS), y0 + 1);
      if (band && y0 >= band[1]) { raster.flush(...band); band = null; }
      band ??= [y0, y1];
      let [low, high] = this.range(2 * lane, from, to);
      for (let n = low; n < high; n++) {
        const i = index.order[n];
        raster.add(role[i], (begin[i] - from) * scale, (end[i] - from) * scale, share[i] / 255);
      }
      [low, high] = this.range(2 * lane + 1, from, to);
      for (let n = low; n < high; n++) {
        const i = index.order[n];
        if (tall[role[i]]) ticks.push([role[i], (begin[i] - from) * scale, ...band]);
      }
    }
    if (band) raster.flush(...band);
    for (const tick of ticks) raster.tick(...tick);
    this.sheet ??= document.createElement("canvas");
    [this.sheet.width, this.sheet.height] = [w, h];
    this.sheet.getContext("2d").putImageData(raster.image, 0, 0);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(this.sheet, left, AXIS, room, h);
  }

  paintAreas(ctx, first, last) {
    const { scene, look } = this.view;
    for (const area of scene.areas ?? []) {
      const row = this.rowOf[area.lane];
      if (row < first || row >= last) continue;
      const [y, h] = [this.y(row) + 12, this.top[row + 1] - this.top[row] - 18];
      const level = (value) => y + h - (h * clamp(value, 0, area.top)) / (area.top || 1);
      const { edges, values } = area;
      ctx.beginPath();
      ctx.moveTo(this.x(edges[0]), y + h);
      values.forEach((value, k) => {
        ctx.lineTo(this.x(edges[k]), level(value));
        ctx.lineTo(this.x(edges[k + 1] ?? edges[k]), level(value));
      });
      ctx.lineTo(this.x(edges[edges.length - 1]), y + h);
      ctx.fillStyle = look.style(area.role).colour;
      ctx.fill();
      ctx.fillStyle = look.soft;
      ctx.fillRect(this.left, Math.round(y + h), this.room, 1);
      ctx.fillStyle = look.grid;
      ctx.fillRect(this.left, Math.round(y), this.room, 1);
    }
  }

  // Arrows, then their words: each beside its arrow, where nothing else has been said.
  paintArrows(ctx) {
    const { scene, look } = this.view;
    const arrows = [];
    for (const arrow of scene.arrows ?? []) {
      const [a, b] = [this.rowOf[arrow.source] ?? -1, this.rowOf[arrow.target] ?? -1];
      const x = this.x(arrow.at);
      if (a < 0 || b < 0 || x < this.left - EDGE || x > this.left + this.room + EDGE) continue;
      drawArrow(ctx, look.style(arrow.role), x, this.middle(a), x, this.middle(b));
      arrows.push([arrow, x, a, b]);
    }
    ctx.font = `12px ${FONT}`;
    ctx.textBaseline = "middle";
    const free = new Map();
    for (const [arrow, x, a, b] of arrows) {
      if (!arrow.label) continue;
      const gaps = [];
      for (let k = a; k !== b; k += Math.sign(b - a)) gaps.push(Math.min(k, k + Math.sign(b - a)));
      const gap = gaps.find((k) => (free.get(k) ?? 0) <= x)
        ?? gaps.reduce((best, k) => ((free.get(k) ?? 0) < (free.get(best) ?? 0) ? k : best), gaps[0]);
      const taken = free.get(gap) ?? 0;
      if (gap === undefined || taken > x + 20) continue;
      const y = this.y(gap + 1) - 6;
      const width = Math.min(ctx.measureText(arrow.label).width, 250);
      const most = this.left + this.room + EDGE;
      const before = x + 6 + width > most && x - 6 - width > taken; // no room after it
      const start = before ? x - 6 - width : Math.max(x + 6, taken);
      words(ctx, look, arrow.label, start, y, Math.min(width + 1, most - start));
      free.set(gap, start + width + 10);
    }
  }

  paintNotes(ctx) {
    const { scene, look } = this.view;
    ctx.font = `600 12px ${FONT}`;
    ctx.textBaseline = "middle";
    const { left, room } = this;
    for (const note of scene.notes ?? []) {
      const row = note.lane >= 0 ? this.rowOf[note.lane] : -1;
      const place = this.x(note.at);
      if ((note.lane >= 0 && row < 0) || place < left - EDGE || place > left + room + EDGE) continue;
      const wide = Math.min(ctx.measureText(note.text).width, room);
      const y = row >= 0 ? this.middle(row) : AXIS + 9;
      if (this.steps && note.lane < 0) {
        ctx.font = `11px ${FONT}`;
        const text = note.text.replace("⋮ ", "+");
        words(ctx, look, text, place - ctx.measureText(text).width / 2, y, 160, look.soft);
        continue;
      }
      const bar = row >= 0 ? this.barAt(note.lane, note.at, 0) : -1;
      const { begin, end } = this.view.columns;
      const beside = bar >= 0 && this.x(end[bar]) - this.x(begin[bar]) < wide + 30;
      const start = clamp(beside ? this.x(end[bar]) + 10 : place - wide / 2, left + 6,
        Math.max(left + room - wide - 6, left + 6));
      ctx.fillStyle = `${look.paper}e6`;
      ctx.fillRect(start - 6, y - 9, wide + 12, 18);
      words(ctx, look, note.text, start, y, wide + 1);
    }
  }

  // What is wrong: a sign and a name beside the moment at which it shows; of several that have no
  // room beside one another, the worst. What shows in no lane is below them.
  paintFlags(ctx) {
    const { scene, look, flag: chosen } = this.view;
    this.flags = [];
    ctx.font = `600 12px ${FONT}`;
    ctx.textBaseline = "middle";
    for (const flag of scene.flags ?? []) {
      const row = flag.lane >= 0 ? this.rowOf[flag.lane] : -1;
      const x = this.x(flag.at);
      const y = row >= 0 ? this.middle(row) : this.y(this.rows.length) + 12;
      if ((flag.lane >= 0 && row < 0) || y < AXIS || y > this.view.height) continue;
      if (x < this.left - EDGE || x > this.left + this.room + EDGE) continue;
      const place = this.placesOf(ctx, flag, x, y, row)
        .find(({ box }) => !this.flags.some((other) => overlap(box, other.box)));
      if (place) this.flags.push({ flag, y, ...place });
    }
    for (const { flag, y, box: [x0, y0, x1, y1], named } of this.flags) {
      const style = look.style(flag.role);
      if (named) {
        ctx.beginPath();
        ctx.roundRect(x0, y0, x1 - x0, y1 - y0, 4);
        ctx.fillStyle = look.paper;
        ctx.fill();
        ctx.strokeStyle = style.colour;
        ctx.lineWidth = chosen?.number === flag.number ? 3 : 1.5;
        ctx.stroke();
        ctx.fillStyle = look.ink;
        ctx.fillText(flag.label, x0 + 21, y + 0.5);
      }
      drawMark(ctx, look, style, x0 + (named ? 11.5 : 9), y, 14);
    }
  }

  // Where a flag may be, the best first: on a bar that is long, before its moment, after a short bar.
  placesOf(ctx, flag, x, y, row) {
    const [least, most] = [this.left - EDGE, this.left + this.room + EDGE];
    const bar = row >= 0 ? this.barAt(flag.lane, flag.at, 0) : -1;
    const end = bar >= 0 ? this.x(this.view.columns.end[bar]) : x;
    const places = [];
    const add = (start, wide, named) => {
      if (start < least || start + wide > most) return;
      places.push({ box: [start, y - 9, start + wide, y + 9], named });
    };
    if (flag.label) {
      const wide = ctx.measureText(flag.label).width + 27;
      if (end - x > wide + 14) add(x + 7, wide, true);
      for (const start of [x - 7 - wide, Math.max(end, x) + 7, x + 7]) add(start, wide, true);
    }
    for (const start of [x - 20, x + 4]) add(start, 18, false);
    return places;
  }

  paintGutter(ctx, first, last) {
    const { view } = this;
    const { scene, look, height } = view;
    ctx.textBaseline = "middle";
    ctx.font = `12px ${FONT}`;
    ctx.fillStyle = look.soft;
    const right = (field, text, y) => {
      ctx.fillText(text, field.x + field.width - ctx.measureText(text).width, y);
    };
    for (const field of this.fields) {
      if (field.k < 0) ctx.fillText(field.name, field.x, AXIS / 2);
      else right(field, field.name, AXIS / 2);
    }
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, AXIS, view.width, height - AXIS);
    ctx.clip();
    const every = Math.max(1, Math.ceil(14 / this.rowHeight));
    const areas = new Map((scene.areas ?? []).map((area) => [area.lane, area]));
    for (let k = first; k < last; k++) {
      const row = this.rows[k];
      const y = this.middle(k);
      if (row.group) { this.paintHeading(ctx, row.group, y + 2); continue; }
      if (k % every !== every >> 1 && row.lane !== view.chosen) continue;
      const lane = scene.lanes[row.lane];
      for (const field of this.fields) {
        const name = field.k < 0;
        const failed = lane.role === "raise" && (name || field.name === "status");
        ctx.font = `${name ? 13 : 12}px ${FONT}`;
        ctx.fillStyle = failed ? look.style("raise").colour : name ? look.ink : look.soft;
        if (!name) { right(field, lane.facts?.[field.k] ?? "", y); continue; }
        const area = areas.get(row.lane);
        ctx.fillText(fitted(ctx, lane.label, field.width), field.x, area ? y - 8 : y);
        if (area) this.paintScale(ctx, area, lane, k, y);
      }
    }
    ctx.restore();
  }

  // What fills the lane of a curve.
  paintScale(ctx, area, lane, row, y) {
    const { look } = this.view;
    ctx.font = `12px ${FONT}`;
    ctx.fillStyle = look.soft;
    ctx.fillText(fitted(ctx, lane.detail || area.unit, this.gutter - 10), 4, y + 9);
    ctx.font = `11px ${FONT}`;
    const top = Number(area.top.toPrecision(3)).toLocaleString("en");
    for (const [text, at] of [[top, this.y(row) + 12], ["0", this.y(row + 1) - 6]]) {
      ctx.fillText(text, this.left - 6 - ctx.measureText(text).width, at);
    }
  }

  paintHeading(ctx, group, y) {
    const { look, width } = this.view;
    ctx.font = `600 14px ${FONT}`;
    ctx.fillStyle = look.ink;
    const label = fitted(ctx, group.label, width * 0.5);
    ctx.fillText(label, 4, y);
    const wide = ctx.measureText(label).width;
    ctx.font = `13px ${FONT}`;
    words(ctx, look, group.detail, 16 + wide, y, width - wide - 20, look.soft);
  }

  // What is not meant at the moment fades: later than the cursor, other than the chosen lane.
  paintDim(ctx, first, last) {
    const { view } = this;
    const { look, height } = view;
    const { left, room } = this;
    const { chosen, concerned } = view;
    if (chosen >= 0 || concerned.size) {
      ctx.fillStyle = `${look.paper}a8`;
      for (let k = first; k < last; k++) {
        if (this.rows[k].lane === chosen || concerned.has(this.rows[k].lane)) continue;
        const y = Math.max(this.y(k), AXIS);
        ctx.fillRect(0, y, view.width, this.y(k + 1) - y);
      }
    }
    if (view.cursor == null) return;
    const x = clamp(this.x(view.cursor), left - EDGE, left + room + EDGE);
    ctx.fillStyle = `${look.paper}c8`;
    ctx.fillRect(x, AXIS, left + room + EDGE - x, height - AXIS);
    ctx.fillStyle = look.ink;
    ctx.fillRect(x - 0.75, AXIS - 5, 1.5, height - AXIS + 5);
  }

  paintPicked(ctx) {
    const { picked, look, columns } = this.view;
    if (!picked) return;
    ctx.strokeStyle = look.ink;
    ctx.lineWidth = 2;
    const { left, room } = this;
    if (picked.part) {
      const [a, b] = [this.rowOf[picked.part.source], this.rowOf[picked.part.target]];
      if (a === undefined || b === undefined) return;
      const [top, bottom] = [this.middle(Math.min(a, b)), this.middle(Math.max(a, b))];
      ctx.strokeRect(this.x(picked.part.at) - 8, top - 5, 16, bottom - top + 10);
      return;
    }
    const i = picked.item;
    const row = this.rowOf[columns.lane[i]] ?? -1;
    const [x0, x1] = [this.x(columns.begin[i]), this.x(columns.end[i])];
    if (row < 0 || x1 < left - EDGE || x0 > left + room + EDGE) return;
    const [y, h] = [this.y(row), Math.max(this.y(row + 1) - this.y(row), 6)];
    if (y < AXIS - 2) return;
    const [low, high] = x1 - x0 > 2 ? [Math.max(x0, left) - 2, Math.min(x1, left + room) + 2] : [x0 - 8, x0 + 8];
    ctx.strokeRect(low, y + 1, high - low, h - 2);
  }

  // ---- asking

  // What there is at a place of the canvas.
  hit(px, py) {
    const { scene } = this.view;
    const k = this.rowAt(py);
    const lane = k >= 0 ? this.rows[k].lane : -1;
    if (lane >= 0 && px < this.gutter) return { lane };
    if (px < this.gutter || py < AXIS) return null;
    const flag = this.flagAt(px, py);
    if (flag) return { flag };
    const t = this.at(px);
    const near = Math.abs(this.at(px + 6) - t);
    const arrow = (scene.arrows ?? []).find((arrow) => Math.abs(arrow.at - t) < near
      && py > this.middle(this.rowOf[Math.min(arrow.source, arrow.target)]) - 4
      && py < this.middle(this.rowOf[Math.max(arrow.source, arrow.target)]) + 4);
    if (arrow) return { part: arrow };
    const item = lane >= 0 ? this.itemAt(lane, t, near) : -1;
    if (item >= 0) return { item };
    const area = (scene.areas ?? []).find((area) => area.lane === lane);
    if (area) {
      const n = bisect(0, area.edges.length, (n) => area.edges[n] <= t) - 1;
      if (n >= 0 && n < area.values.length) return { area, value: area.values[n], at: t, lane };
    }
    const box = (scene.boxes ?? []).findLast((box) => {
      const rows = this.span(box);
      return rows && box.begin <= t && t <= box.end && k >= rows[0] && k <= rows[1];
    });
    return box ? { box } : null;
  }

  flagAt(px, py) {
    const inside = ([x0, y0, x1, y1]) => px >= x0 && px <= x1 && py >= y0 && py <= y1;
    return (this.flags ?? []).find(({ box }) => inside(box))?.flag;
  }

  itemAt(lane, t, near) {
    const { columns, index, look } = this.view;
    const { begin, end, fold, role } = columns;
    let best = -1;
    let distance = Infinity;
    const [low, high] = this.range(2 * lane + 1, t - near, t + near);
    for (let n = low; n < high; n++) {
      const i = index.order[n];
      if (end[i] < t - near) continue;
      if (index.members[i] ? this.unfolded(i) : fold[i] >= 0 && !this.unfolded(fold[i])) continue;
      const urgent = URGENT.has(look.styles[role[i]].role) ? 0.5 : 1;
      const away = index.members[i] ? near * 0.9 : Math.abs(begin[i] - t) * urgent;
      if (away < distance) [best, distance] = [i, away];
    }
    return best >= 0 ? best : this.barAt(lane, t, near / 6);
  }

  barAt(lane, t, near) {
    const { columns, index } = this.view;
    const [low, high] = this.range(2 * lane, t - near, t + near);
    for (let n = high - 1; n >= low; n--) {
      const i = index.order[n];
      if (columns.end[i] >= t - near && columns.begin[i] <= t + near) return i;
    }
    return -1;
  }
}

// ------------------------------------------------------------------ columns (flow down)

const RUNG = 30;
const HEAD = 52;
const STEPS = { from: -0.8, to: 0.8 };

class Columns {
  constructor(view) { this.view = view; }

  arrange() {
    const { scene, ctx, width } = this.view;
    ctx.font = `12px ${FONT}`;
    const waits = (scene.notes ?? []).filter((note) => note.lane < 0).map((note) => note.text);
    const told = [...(scene.axis.ticks ?? []).map((tick) => tick.label), ...waits];
    this.gutter = Math.max(...told.map((text) => ctx.measureText(text).width), 30) + 18;
    const room = width - this.gutter - 8;
    const lanes = Math.max(scene.lanes.length, 1);
    this.beside = room / lanes < 190; // words beside the ladder, not on its rungs
    const ladder = this.beside ? Math.min(room * 0.62, lanes * 110) : Math.min(room, lanes * 330);
    this.apart = ladder / lanes;
    this.right = this.gutter + ladder;
  }

  get size() { return this.view.scene.axis.end - this.view.scene.axis.begin + STEPS.to - STEPS.from; }

  get natural() { return HEAD + this.size * RUNG; }

  get room() { return this.view.height - HEAD; }

  get rowHeight() { return RUNG; }

  bounds() {
    const { axis } = this.view.scene;
    return [axis.begin + STEPS.from, Math.max(axis.end, axis.begin + 1) + STEPS.to];
  }

  home() {
    const [from, to] = this.bounds();
    return [from, Math.min(to, from + (this.room || 500) / RUNG)];
  }

  x(lane) { return this.gutter + (lane + 0.5) * this.apart; }

  y(at) {
    const { from, to } = this.view;
    return HEAD + ((at - from) / (to - from)) * this.room;
  }

  at(_, y) {
    const { from, to } = this.view;
    return from + ((y - HEAD) / this.room) * (to - from);
  }

  wheel(_, dy) { return this.view.pan(dy / this.room); }

  drag(_, dy) { this.view.pan(dy / this.room); }

  key(dx, dy) { this.view.pan((dx || dy) * 0.1); }

  reveal() {}

  paint(ctx) {
    const { scene, look, width, height, from, to } = this.view;
    ctx.textBaseline = "middle";
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, HEAD, width, height - HEAD);
    ctx.clip();
    ctx.fillStyle = look.grid;
    scene.lanes.forEach((lane, k) => ctx.fillRect(Math.round(this.x(k)) - 1, HEAD, 2, height - HEAD));
    const seen = (at) => at > from - 1 && at < to + 1;
    for (const note of scene.notes ?? []) if (seen(note.at)) this.paintNote(ctx, note);
    ctx.font = `12px ${FONT}`;
    ctx.fillStyle = look.soft;
    for (const tick of scene.axis.ticks ?? []) {
      if (!seen(tick.at)) continue;
      ctx.fillText(tick.label, this.gutter - 14 - ctx.measureText(tick.label).width, this.y(tick.at));
    }
    for (const arrow of scene.arrows ?? []) {
      if (!seen(arrow.at)) continue;
      const [x0, x1] = [this.x(arrow.source), this.x(arrow.target)];
      const y = this.y(arrow.at);
      drawArrow(ctx, look.style(arrow.role), x0 + Math.sign(x1 - x0) * 2, y, x1 - Math.sign(x1 - x0) * 2, y);
    }
    for (const arrow of scene.arrows ?? []) if (seen(arrow.at)) this.paintWords(ctx, arrow);
    this.paintDim(ctx);
    ctx.restore();
    this.paintHead(ctx);
  }

  paintHead(ctx) {
    const { scene, look, width } = this.view;
    scene.lanes.forEach((lane, k) => {
      const wide = Math.min(this.apart - 6, 190);
      ctx.font = `600 ${this.apart < 120 ? 11 : 13}px ${FONT}`;
      const lines = wrapped(ctx, lane.label, wide - 8, 3);
      ctx.fillStyle = mix(look.ink, look.paper, 0.9);
      ctx.beginPath();
      ctx.roundRect(this.x(k) - wide / 2, 2, wide, HEAD - 8, 5);
      ctx.fill();
      ctx.fillStyle = look.ink;
      lines.forEach((line, n) => {
        const y = (HEAD - 4) / 2 + (n - (lines.length - 1) / 2) * 13;
        ctx.fillText(line, this.x(k) - ctx.measureText(line).width / 2, y);
      });
    });
    ctx.fillStyle = look.grid;
    ctx.fillRect(0, HEAD - 1, width, 1);
  }

  paintWords(ctx, arrow) {
    if (!arrow.label) return;
    const { look, width } = this.view;
    const y = this.y(arrow.at);
    ctx.font = `13px ${FONT}`;
    if (this.beside) return words(ctx, look, arrow.label, this.right + 10, y, width - this.right - 14);
    const [low, high] = [arrow.source, arrow.target].map((lane) => this.x(lane)).sort((a, b) => a - b);
    const told = fitted(ctx, arrow.label, high - low - 18);
    return words(ctx, look, told, (low + high - ctx.measureText(told).width) / 2, y - 9, high - low);
  }

  // Where time passes that is not drawn to scale the ladder is cut; else words beside a lane.
  paintNote(ctx, note) {
    const { look, width } = this.view;
    const y = this.y(note.at);
    if (note.lane < 0) {
      ctx.fillStyle = look.paper;
      ctx.fillRect(this.gutter - 8, y - 4, this.right - this.gutter + 8, 8);
      ctx.font = `12px ${FONT}`;
      ctx.fillStyle = look.soft;
      ctx.fillText(note.text, this.gutter - 14 - ctx.measureText(note.text).width, y);
      return;
    }
    const style = note.role ? look.style(note.role) : look.style("mark");
    const x = this.x(note.lane);
    drawMark(ctx, look, style, x, y, 10);
    ctx.font = `13px ${FONT}`;
    if (this.beside) words(ctx, look, note.text, this.right + 10, y, width - this.right - 14);
    else words(ctx, look, note.text, x + 10, y, width - x - 14);
  }

  paintDim(ctx) {
    const { cursor, look, width, height, picked } = this.view;
    if (cursor != null) {
      const y = this.y(cursor + 0.4);
      ctx.fillStyle = `${look.paper}d0`;
      ctx.fillRect(0, y, width, height - y);
    }
    if (!picked?.part) return;
    const y = this.y(picked.part.at);
    ctx.strokeStyle = look.ink;
    ctx.lineWidth = 1.5;
    ctx.strokeRect(2, y - RUNG / 2 - (this.beside ? 0 : 3), width - 4, RUNG);
  }

  hit(px, py) {
    if (py < HEAD) return null;
    const at = this.at(px, py);
    const near = (parts) => parts.filter((part) => Math.abs(part.at - at) < 0.45);
    const arrow = near(this.view.scene.arrows ?? []).find((arrow) => arrow.event >= 0);
    if (arrow) return { part: arrow };
    const note = near(this.view.scene.notes ?? []).find((note) => note.lane >= 0);
    return note ? { part: { ...note, label: note.text } } : null;
  }
}

// Words in lines, broken at spaces, dots, underscores and humps.
function wrapped(ctx, text, width, most) {
  const parts = text.split(/(?<=[ ._/,-])|(?<=[a-z])(?=[A-Z])/);
  const lines = [];
  let line = "";
  for (const part of parts) {
    if (line && ctx.measureText(line + part).width > width && lines.length < most - 1) {
      lines.push(line.trim());
      line = part;
    } else line += part;
  }
  return [...lines, line.trim()].map((each) => fitted(ctx, each, width)).filter(Boolean);
}

// ------------------------------------------------------------------ grid (states)

const CELL = 108;
const TITLE = 46;
const BOX = 38;

class Grid {
  constructor(view) { this.view = view; }

  arrange() {
    const { scene, width, ctx } = this.view;
    const nodes = scene.nodes ?? [];
    const columns = Math.max(...nodes.map((node) => node.at), 0) + 1;
    this.apart = Math.min(width / columns, 270);
    ctx.font = `600 13px ${FONT}`;
    const widest = Math.max(...nodes.map((node) => ctx.measureText(node.label).width), 40);
    this.wide = Math.min(widest + 26, this.apart * 0.55);
    this.places = new Map(nodes.map((node) => [node.key, this.placeOf(node)]));
    this.nodes = new Map(nodes.map((node) => [node.key, node]));
    this.links = (scene.links ?? []).map((link) => this.routed(link));
  }

  // How far down a row is: a title above each group, room for loops above each row.
  top(lane) {
    const groups = (this.view.scene.groups ?? []).filter((group) => group.first <= lane);
    return lane * CELL + groups.length * TITLE + 24;
  }

  placeOf(node) { return [(node.at + 0.5) * this.apart, this.top(node.lane) + BOX / 2]; }

  get natural() { return this.top(Math.max(this.view.scene.lanes.length - 1, 0)) + BOX + 48; }

  get room() { return this.view.width; }

  get rowHeight() { return CELL; }

  bounds() { return [0, 1]; }

  home() { return [0, 1]; }

  at() { return 0.5; }

  wheel() { return false; }

  drag() {}

  key() {}

  reveal() {}

  // The way of a link: from, to, where it bends, and where its words are.
  routed(link) {
    const [from, to] = [this.places.get(link.source), this.places.get(link.target)];
    if (!from || !to) return null;
    const half = this.wide / 2 + 2;
    if (link.source === link.target) { // above its row; in a lower row below it
      const [x, y] = from;
      const { lane } = this.nodes.get(link.source);
      const first = (this.view.scene.groups ?? []).some((group) => group.first === lane);
      const out = first || !(this.view.scene.groups ?? []).length ? -1 : 1;
      return { link, loop: out, from: [x - 16, y + (out * BOX) / 2], to: [x + 16, y + (out * BOX) / 2],
        word: [x, y + out * (BOX / 2 + 30)], room: this.apart - 20 };
    }
    const flat = Math.abs(from[1] - to[1]) < 4;
    const far = Math.abs(from[0] - to[0]) > this.apart * 1.2;
    const right = to[0] >= from[0] ? 1 : -1;
    if (flat && !this.between(from, to)) {
      const [a, b] = [[from[0] + right * half, from[1]], [to[0] - right * half, to[1]]];
      return { link, from: a, to: b, word: [(a[0] + b[0]) / 2, a[1] - 9], room: Math.abs(b[0] - a[0]) - 8 };
    }
    if (flat) {
      const low = BOX / 2;
      const depth = 22 + 12 * Math.min(Math.abs(from[0] - to[0]) / this.apart - 1, 3);
      return { link, from: [from[0] + right * 10, from[1] + low], to: [to[0] - right * 10, to[1] + low],
        bend: [(from[0] + to[0]) / 2, from[1] + low + depth], word: [(from[0] + to[0]) / 2, from[1] + low + depth + 3],
        room: this.apart * 1.5 };
    }
    const down = to[1] > from[1] ? 1 : -1;
    const a = [from[0] + (far ? right * half * 0.7 : 0), from[1] + (down * BOX) / 2];
    const b = [to[0] - (far ? right * half * 0.7 : 0), to[1] - (down * BOX) / 2];
    return { link, from: a, to: b, word: [(a[0] + b[0]) / 2 + 8, (a[1] + b[1]) / 2], aside: true, room: this.apart * 0.8 };
  }

  between(from, to) {
    const [low, high] = [Math.min(from[0], to[0]), Math.max(from[0], to[0])];
    return [...this.places.values()].some(([x, y]) => Math.abs(y - from[1]) < 4 && x > low + 4 && x < high - 4);
  }

  paint(ctx) {
    const { scene, look, picked } = this.view;
    ctx.textBaseline = "middle";
    for (const group of scene.groups ?? []) {
      ctx.font = `600 13px ${FONT}`;
      ctx.fillStyle = look.soft;
      ctx.fillText(group.label, 4, this.top(group.first) - 58);
    }
    const order = [...this.links].filter(Boolean).sort((a, b) => (a.link.steps ? 1 : 0) - (b.link.steps ? 1 : 0));
    for (const way of order) this.paintLink(ctx, way);
    for (const node of scene.nodes ?? []) this.paintNode(ctx, node);
    this.taken = [...this.places.values()].map(([x, y]) => [x - this.wide / 2, y - BOX / 2, x + this.wide / 2, y + BOX / 2]);
    for (const way of order.reverse()) this.paintLabel(ctx, way); // first what was taken
    const way = picked?.part && order.find((way) => way.link === picked.part);
    if (!way) return;
    ctx.strokeStyle = look.ink;
    ctx.lineWidth = 1.5;
    ctx.strokeRect(way.word[0] - 14, way.word[1] - 14, 28, 28);
  }

  paintNode(ctx, node) {
    const { look } = this.view;
    const style = look.style(node.role);
    const [x, y] = this.places.get(node.key);
    drawNode(ctx, look, style, x - this.wide / 2, y - BOX / 2, this.wide, BOX);
    ctx.font = `${node.role === "been" || node.role === "illegal" ? 600 : 400} 13px ${FONT}`;
    ctx.fillStyle = node.role === "illegal" ? style.colour : node.role === "been" ? look.ink : look.soft;
    const told = fitted(ctx, node.label, this.wide - 12);
    ctx.fillText(told, x - ctx.measureText(told).width / 2, y + 0.5);
  }

  paintLink(ctx, way) {
    const { look } = this.view;
    const style = look.style(way.link.role);
    if (!way.loop && !way.bend) return drawArrow(ctx, style, ...way.from, ...way.to);
    const out = 26 * way.loop;
    const rise = way.loop ? [[way.from[0] - 6, way.from[1] + out], [way.to[0] + 6, way.to[1] + out]]
      : [[way.from[0], way.bend[1]], [way.to[0], way.bend[1]]];
    ctx.strokeStyle = style.colour;
    ctx.lineWidth = style.shape === "bold" ? 2.6 : 1.5;
    ctx.setLineDash(style.shape === "dashed" ? [5, 4] : []);
    ctx.beginPath();
    ctx.moveTo(...way.from);
    ctx.bezierCurveTo(...rise[0], ...rise[1], ...way.to);
    ctx.stroke();
    ctx.setLineDash([]);
    const sign = way.loop || 1;
    return drawArrow(ctx, style, way.to[0] + (way.loop ? 2 : 0), way.to[1] + sign * 9, ...way.to);
  }

  paintLabel(ctx, way) {
    const { look } = this.view;
    const { link } = way;
    const taken = Boolean(link.steps?.length);
    const style = look.style(link.role);
    const steps = String(link.steps ?? "");
    ctx.font = `600 12px ${FONT}`;
    const badge = taken ? Math.max(ctx.measureText(steps).width + 10, 20) : 0;
    ctx.font = `${taken ? 13 : 12}px ${FONT}`;
    const lines = wrapped(ctx, link.label, way.room - (way.aside ? 0 : badge), 3);
    const colour = link.role === "illegal" ? style.colour : taken ? look.ink : look.soft;
    const widest = Math.max(...lines.map((line) => ctx.measureText(line).width), 0);
    const up = way.bend || way.aside || way.loop > 0 ? 0 : (lines.length - 1) * 14;
    const x = way.word[0];
    const start = way.aside ? x + badge + 4 : x - (widest - badge) / 2 + (badge ? 2 : 0);
    const free = [0, 16, -16].map((by) => way.word[1] + by).find((y) => {
      const box = [start - badge - 4, y - up - 8, start + widest, y - up + lines.length * 14 - 6];
      return !this.taken.some((other) => overlap(box, other));
    });
    if (free === undefined && !taken) return; // a pointer over it still reads it
    const y = free ?? way.word[1];
    this.taken.push([start - badge - 4, y - up - 8, start + widest, y - up + lines.length * 14 - 6]);
    lines.forEach((line, n) => words(ctx, look, line, start, y - up + n * 14, widest + 1, colour));
    if (!taken) return;
    const [bx, by] = [start - badge - 4, y - up + ((lines.length - 1) * 14) / 2 - 9];
    ctx.beginPath();
    ctx.roundRect(bx, by, badge, 18, 9);
    ctx.fillStyle = style.colour;
    ctx.fill();
    ctx.font = `600 12px ${FONT}`;
    ctx.fillStyle = look.paper;
    ctx.fillText(steps, bx + (badge - ctx.measureText(steps).width) / 2, by + 9.5);
  }

  hit(px, py) {
    for (const node of this.view.scene.nodes ?? []) {
      const [x, y] = this.places.get(node.key);
      if (Math.abs(px - x) < this.wide / 2 && Math.abs(py - y) < BOX / 2) {
        return { part: { event: -1, label: node.label, text: `${node.label}\n${node.note}` } };
      }
    }
    const way = this.links.filter(Boolean).find(({ word, room }) => (
      Math.abs(px - word[0]) < Math.min(room / 2, 70) && Math.abs(py - word[1]) < 20));
    if (!way) return null;
    const { link } = way;
    const steps = link.steps?.length ? `step ${link.steps}` : this.view.look.meaning(this.view.look.style(link.role));
    link.text = `${this.nodes.get(link.source).label} → ${this.nodes.get(link.target).label}\n${link.label}\n${steps}`;
    return { part: link };
  }
}

function painterOf(view) {
  const { scene } = view;
  if (scene.nodes?.length) return new Grid(view);
  return scene.flow === "down" ? new Columns(view) : new Rows(view);
}

// ------------------------------------------------------------------ the view

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

class View {
  constructor(element, payload, options = {}) {
    this.element = element;
    this.options = { theme: "auto", controls: true, maxHeight: 560, ...options };
    this.query = "";
    this.picked = null; // {item: number} or {part: arrow | link}
    this.chosen = -1; // the number of the lane that is highlighted
    this.flag = null; // what is wrong, if that is chosen, and the lanes that it concerns
    this.concerned = new Set();
    this.cursor = null; // a place on the axis; what is later fades
    this.scroll = 0;
    this.rowHeight = null;
    this.build();
    this.update(payload);
    this.watch();
  }

  build() {
    this.root = make("div", "asgilab");
    this.title = make("div", "asgilab-title");
    this.bar = make("div", "asgilab-bar");
    this.stage = make("div", "asgilab-stage");
    this.canvas = make("canvas", "asgilab-timeline");
    this.canvas.view = this; // for who has only the element
    this.ctx = this.canvas.getContext("2d");
    this.tip = make("div", "asgilab-tip");
    this.text = make("pre", "asgilab-text");
    this.legend = make("ul", "asgilab-legend");
    this.detail = make("div", "asgilab-detail");
    this.heading = make("div", "asgilab-said");
    this.told = make("pre");
    this.live = make("div", "asgilab-hidden");
    this.live.setAttribute("aria-live", "polite");
    this.text.tabIndex = 0;
    this.tip.hidden = this.text.hidden = this.detail.hidden = true;
    this.detail.append(this.heading, this.told);
    this.stage.append(this.canvas, this.tip);
    this.root.append(make("style", "", CSS), this.title, this.bar, this.stage, this.text, this.legend,
      this.detail, this.live);
    this.element.append(this.root);
    if (this.options.controls) addControls(this);
    this.bar.hidden = !this.options.controls;
    addGestures(this);
  }

  watch() {
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.stage);
    this.media = matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => this.setLook();
    this.media.addEventListener("change", this.recolour);
    this.attributes = new MutationObserver(this.recolour);
    this.attributes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  }

  destroy() {
    this.playing = false;
    this.gone = true;
    this.sizes.disconnect();
    this.attributes.disconnect();
    this.media.removeEventListener("change", this.recolour);
    this.root.remove();
  }

  // ---- what is shown

  update(payload) {
    const before = this.scene;
    const { scene } = payload;
    const same = before && before.picture === scene.picture && before.axis.unit === scene.axis.unit;
    const whole = !same || this.whole;
    this.theme = payload.theme ?? this.theme;
    this.scene = { ...scene, lanes: scene.lanes ?? [], texts: scene.texts ?? [""] };
    this.columns = columnsOf(payload.items ?? scene.items);
    this.text.textContent = payload.text ?? "";
    this.picked = null;
    if (!same) {
      this.chosen = -1;
      this.cursor = this.rowHeight = null;
      this.scroll = 0;
    }
    this.changed();
    this.keepFlag();
    this.setLook();
    if (whole) [this.from, this.to] = this.painter.home();
    else this.lookAt(this.from, this.to);
  }

  append(delta) {
    const { scene, whole } = this;
    for (const [number, lane] of delta.lanes ?? []) scene.lanes[number] = lane;
    scene.texts = [...scene.texts, ...(delta.texts ?? [])];
    for (const key of ["axis", "boxes", "flags", "title", "alt", "areas", "notes", "arrows"]) {
      if (delta[key] !== undefined) scene[key] = delta[key];
    }
    const seq = this.picked?.item == null ? -1 : this.columns.event[this.picked.item];
    this.columns = joined(this.columns, new Set(delta.replace ?? []), columnsOf(delta.items));
    this.picked = null;
    this.changed();
    if (seq >= 0) this.picked = this.find(seq);
    if (delta.flags !== undefined) this.keepFlag();
    if (whole) [this.from, this.to] = this.painter.home();
    this.setLegend();
  }

  // The scene has other lanes or items: look at it anew.
  changed() {
    const { scene, canvas } = this;
    const many = this.theme.roles.findIndex((style) => style.role === "many");
    this.index = indexOf(this.columns, scene.lanes.length, many);
    this.order = null;
    this.title.textContent = scene.title;
    canvas.setAttribute("role", this.options.controls ? "application" : "img");
    canvas.setAttribute("aria-roledescription", "picture");
    canvas.setAttribute("aria-label", scene.alt);
    this.painter = painterOf(this);
    this.onScene?.();
    this.filter(this.query);
  }

  // Show only the lanes that have all words: in their name, their facts, or what passed in them.
  filter(query) {
    this.query = query;
    const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
    const { scene, columns } = this;
    this.shown = new Uint8Array(scene.lanes.length).fill(1);
    if (wanted.length) {
      const texts = scene.texts.map((text) => text.toLowerCase());
      const passed = scene.lanes.map(() => new Set());
      for (let i = 0; i < columns.count; i++) {
        if (columns.label[i]) passed[columns.lane[i]]?.add(columns.label[i]);
      }
      scene.lanes.forEach(({ label, detail, facts, conn }, lane) => {
        const said = [conn ? `#${conn}` : "", label, detail, ...(facts ?? [])].join(" ").toLowerCase();
        const all = `${said} ${[...passed[lane]].map((number) => texts[number]).join(" ")}`;
        this.shown[lane] = wanted.every((word) => all.includes(word)) ? 1 : 0;
      });
    }
    this.matching = this.shown.reduce((sum, one) => sum + one, 0);
    this.order = null;
    this.width = 0; // lay out anew
    this.resize();
    this.onFilter?.();
  }

  setLook() {
    this.look = new Look(this.theme, modeOf(this.options.theme));
    for (const name of ["paper", "ink", "grid"]) this.root.style.setProperty(`--${name}`, this.look[name]);
    this.root.style.setProperty("--focus", this.look.style("call").colour);
    this.root.dataset.mode = this.look.mode;
    this.setLegend();
    this.draw();
  }

  setTheme(wanted) {
    this.options.theme = wanted;
    this.setLook();
  }

  setLegend() {
    const { look, scene, columns } = this;
    const used = new Uint8Array(look.styles.length);
    for (let i = 0; i < columns.count; i++) used[columns.role[i]] = 1;
    for (const parts of ["arrows", "boxes", "nodes", "links", "flags"]) { // a curve has its name beside it
      for (const part of scene[parts] ?? []) used[look.byRole.get(part.role)] = 1;
    }
    const arrows = new Set([...(scene.arrows ?? []), ...(scene.links ?? [])].map((part) => part.role));
    const entries = look.styles.filter((style, code) => used[code]);
    const key = look.mode + entries.map((style) => style.role).join();
    if (key === this.legendKey) return;
    this.legendKey = key;
    this.legend.replaceChildren(...entries.map((style) => {
      const entry = make("li");
      const swatch = make("canvas");
      swatch.setAttribute("aria-hidden", "true");
      drawSwatch(swatch, look, style, arrows.has(style.role));
      entry.append(swatch, look.meaning(style, scene.held));
      return entry;
    }));
  }

  resize() {
    if (this.gone || !this.scene) return;
    const width = this.stage.clientWidth || this.width || 800;
    if (width !== this.width) {
      this.width = width;
      this.painter.arrange();
    }
    const ratio = (this.ratio = devicePixelRatio || 1);
    this.height = Math.round(clamp(this.painter.natural, 90, this.options.maxHeight));
    this.painter.place?.();
    if (this.whole) [this.from, this.to] = this.painter.home();
    const [w, h] = [Math.round(width * ratio), Math.round(this.height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      [this.canvas.width, this.canvas.height] = [w, h];
      this.canvas.style.height = `${this.height}px`;
      this.paint(); // a canvas of another size is empty
    } else this.draw();
  }

  draw() {
    if (this.asked || this.gone) return;
    this.asked = true;
    requestAnimationFrame(() => { this.asked = false; if (!this.gone) this.paint(); });
  }

  paint() {
    const { ctx, look, ratio, width, height } = this;
    if (!look || this.from === undefined) return;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.fillStyle = look.paper;
    ctx.fillRect(0, 0, width, height);
    this.painter.paint(ctx);
  }

  // ---- where we look

  // Whether all is in view, as it is at first; then it stays so while the scene grows.
  get whole() {
    if (this.home === undefined) return true;
    return this.home;
  }

  reset() {
    this.home = true;
    this.rowHeight = null;
    this.scroll = 0;
    this.painter.place?.();
    [this.from, this.to] = this.painter.home();
    this.draw();
  }

  // Look at a stretch of the axis, or at what there is of it; return whether that is another one.
  lookAt(from, to) {
    const [begin, end] = this.painter.bounds();
    const least = this.scene.axis.unit === "ns" ? 10 : Math.min(4, end - begin);
    const span = clamp(to - from, least, end - begin);
    const start = clamp((from + to - span) / 2, begin, end - span);
    if (start === this.from && start + span === this.to) return false;
    this.home = span >= (end - begin) * 0.9999;
    [this.from, this.to] = [start, start + span];
    this.draw();
    return true;
  }

  zoom(factor, around = (this.from + this.to) / 2) {
    return this.lookAt(around - (around - this.from) * factor, around + (this.to - around) * factor);
  }

  pan(share) {
    const [begin, end] = this.painter.bounds();
    const span = this.to - this.from;
    const from = clamp(this.from + span * share, begin, end - span);
    return this.lookAt(from, from + span);
  }

  zoomRows(factor, around = this.height / 2) {
    this.painter.zoomRows?.(factor, around);
    this.draw();
  }

  scrollBy(pixels) {
    const before = this.scroll;
    this.scroll = clamp(this.scroll + pixels, 0, this.painter.most ?? 0);
    this.draw();
    return this.scroll !== before;
  }

  // ---- what is chosen

  // Where an event is: an item, an arrow, a link.
  find(seq) {
    const { columns, scene } = this;
    for (let i = columns.event.indexOf(seq); i >= 0; i = columns.event.indexOf(seq, i + 1)) {
      if (!this.index.members[i]) return { item: i };
    }
    const part = [...(scene.arrows ?? []), ...(scene.links ?? [])].find((part) => part.event === seq);
    return part ? { part } : null;
  }

  select(seq) {
    this.unflag();
    this.picked = seq >= 0 ? this.find(seq) : null;
    if (this.picked) this.reveal(this.picked);
    this.tell(this.picked ? this.hintOf(this.picked) : "", seq);
    this.draw();
  }

  placeOf({ item, part }) { return item == null ? part.at ?? 0 : this.columns.begin[item]; }

  reveal(hit) {
    const at = this.placeOf(hit);
    const span = this.to - this.from;
    if (at < this.from || at > this.to) this.lookAt(at - span / 2, at + span / 2);
    if (hit.item != null) this.painter.reveal(this.columns.lane[hit.item]);
  }

  // The reader has pointed at something.
  choose(hit) {
    if (!hit) return;
    if (hit.flag) { this.choseFlag(hit.flag); return; }
    this.unflag();
    if (hit.item == null && !hit.part) {
      if (hit.box) this.tell(hit.box.label, hit.box.event ?? -1);
      else if (!hit.area) this.chooseLane(hit.lane === this.chosen ? -1 : hit.lane);
      return;
    }
    const seq = hit.part ? hit.part.event : this.columns.event[hit.item];
    this.picked = hit;
    this.tell(this.hintOf(hit), seq);
    if (seq >= 0) this.options.onSelect?.(seq);
    this.draw();
  }

  chooseLane(lane) {
    this.chosen = lane;
    if (lane >= 0) {
      this.tell(this.hintOf({ lane }), -1);
      const { conn } = this.scene.lanes[lane];
      if (conn) this.options.onLane?.(conn);
    } else this.tell("", -1);
    this.draw();
  }

  // What is wrong here, in full; the requests that it concerns stand out.
  choseFlag(flag) {
    this.flag = flag;
    this.chosen = -1;
    this.concerned = new Set(flag.lanes);
    this.picked = flag.event >= 0 ? this.find(flag.event) : null;
    const span = this.to - this.from;
    if (flag.at < this.from || flag.at > this.to) this.lookAt(flag.at - span / 2, flag.at + span / 2);
    if (flag.lane >= 0) this.painter.reveal(flag.lane);
    this.tellFlag(flag);
    this.options.onFlag?.(flag);
    this.draw();
  }

  // What was chosen stays so where the scene has come to be another, in the words of now.
  keepFlag() {
    const before = this.flag;
    if (!before) return;
    const flags = this.scene.flags ?? [];
    const now = flags.find((flag) => flag.event === before.event && flag.role === before.role)
      ?? flags.find((flag) => flag.label && flag.label === before.label); // another event shows it better
    if (!now) {
      this.unflag();
      this.tell("", -1);
      return;
    }
    this.flag = now;
    this.concerned = new Set(now.lanes);
    if (now.text !== before.text) this.tellFlag(now);
    this.options.onFlag?.(now);
  }

  tellFlag(flag) {
    const [sentence, ...rest] = flag.text.split("\n");
    this.tell(`${this.nameOfFlag(flag)}: ${sentence}`, -1);
    this.say(rest.join("\n"));
    this.live.textContent = [this.heading.textContent, ...rest].join("\n");
  }

  unflag() {
    if (!this.flag) return;
    this.flag = null;
    this.concerned = new Set();
    this.options.onFlag?.(null);
  }

  // The first flag of a diagnosis; return whether there is one.
  point(number) {
    const flag = (this.scene.flags ?? []).find((flag) => flag.number === number);
    if (flag) this.choseFlag(flag);
    return Boolean(flag);
  }

  nextFlag() {
    const flags = this.scene.flags ?? [];
    if (flags.length) this.choseFlag(flags[(flags.indexOf(this.flag) + 1) % flags.length]);
  }

  nameOfFlag({ role, number }) {
    const first = this.scene.flags.find((flag) => flag.number === number);
    return role === "warning" ? first.label : `${first.label} (${role})`;
  }

  highlight(conn) {
    this.unflag();
    this.chosen = conn ? this.scene.lanes.findIndex((lane) => lane.conn === conn) : -1;
    if (this.chosen >= 0) this.painter.reveal(this.chosen);
    this.draw();
  }

  clear() {
    this.stop();
    this.picked = this.cursor = null;
    this.chosen = -1;
    this.unflag();
    this.tell("", -1);
    this.draw();
  }

  // ---- words

  hintOf(hit) {
    const { scene } = this;
    if (hit.flag) return `${this.nameOfFlag(hit.flag)}\n${hit.flag.text.split("\n")[0]}\nclick: why, and what to do`;
    if (hit.item != null) return this.said(hit.item);
    if (hit.part) {
      const { text, label, at } = hit.part;
      const tick = (scene.axis.ticks ?? []).find((tick) => tick.at === at);
      return text ?? [label, tick ? `at ${tick.label}` : ""].filter(Boolean).join("\n");
    }
    if (hit.box) return [hit.box.label, this.when(hit.box.begin, hit.box.end)].filter(Boolean).join("\n");
    if (hit.area) {
      const value = Number(hit.value.toPrecision(3)).toLocaleString("en");
      return `${scene.lanes[hit.lane].label}: ${value} ${hit.area.unit}\n${this.when(hit.at, hit.at)}`;
    }
    const { detail, facts } = scene.lanes[hit.lane];
    const told = (scene.columns ?? []).map((name, k) => (facts?.[k] && name !== "#" ? `${name} ${facts[k]}` : ""));
    return [this.nameOf(hit.lane), detail, told.filter(Boolean).join(", ")].filter(Boolean).join("\n");
  }

  // One item in words.
  said(i) {
    const { columns, scene, look } = this;
    const style = look.styles[columns.role[i]];
    const what = scene.texts[columns.label[i]] || look.meaning(style, scene.held);
    const [name, when] = [this.nameOf(columns.lane[i]), this.when(columns.begin[i], columns.end[i])];
    return [name, what, when].filter(Boolean).join("\n");
  }

  nameOf(lane) {
    const { label, conn } = this.scene.lanes[lane] ?? {};
    return conn ? `#${conn}  ${label}` : label ?? "";
  }

  when(begin, end) {
    const { axis } = this.scene;
    if (axis.unit !== "ns") return "";
    const at = `at ${duration(begin - axis.begin)}`;
    return end > begin ? `${at}, for ${duration(end - begin)}` : at;
  }

  // Say what has been chosen, and of an event its full words as soon as they are here.
  async tell(heading, seq) {
    const asked = (this.telling = (this.telling ?? 0) + 1);
    this.heading.textContent = heading.replaceAll("\n", " · ");
    this.say("");
    this.live.textContent = this.heading.textContent;
    if (seq < 0 || !this.options.describe) return;
    const told = await this.options.describe(seq);
    if (asked === this.telling && told != null) this.say(told);
  }

  say(told) {
    this.told.textContent = told;
    this.told.hidden = !told;
    this.detail.hidden = !told && !this.heading.textContent;
    if (told) this.live.textContent = told;
  }

  hint(hit, x, y) {
    const text = hit ? this.hintOf(hit) : "";
    this.tip.hidden = !text;
    if (!text) return;
    this.tip.textContent = text;
    const { offsetWidth, offsetHeight } = this.tip;
    const above = y + 18 + offsetHeight > this.height + 60;
    this.tip.style.left = `${clamp(x + 14, 0, Math.max(this.width - offsetWidth, 0))}px`;
    this.tip.style.top = `${above ? y - offsetHeight - 10 : y + 18}px`;
  }

  // ---- time goes by

  // What there is to read, in order of time.
  moments() {
    if (this.order) return this.order;
    const { columns, shown, index, scene } = this;
    const { begin, event } = columns;
    const parts = [...(scene.arrows ?? []), ...(scene.links ?? [])].filter((part) => part.event >= 0);
    if (parts.length) {
      parts.sort((a, b) => (a.at ?? 0) - (b.at ?? 0) || a.event - b.event);
      return (this.order = parts.map((part) => ({ part })));
    }
    const order = [];
    for (let i = 0; i < columns.count; i++) {
      if (event[i] >= 0 && shown[columns.lane[i]] && !index.members[i]) order.push(i);
    }
    order.sort((a, b) => begin[a] - begin[b] || event[a] - event[b]);
    return (this.order = order.map((item) => ({ item })));
  }

  step(by) {
    this.stop();
    const order = this.moments();
    if (!order.length) return;
    const { picked } = this;
    let k = picked ? order.findIndex(({ item, part }) => item === picked.item && part === picked.part) : -1;
    if (k >= 0) k += by;
    else {
      const now = this.cursor ?? this.from;
      k = bisect(0, order.length, (n) => this.placeOf(order[n]) < now) - (by < 0 ? 1 : 0);
    }
    const hit = order[clamp(k, 0, order.length - 1)];
    this.cursor = this.placeOf(hit);
    this.reveal(hit);
    this.choose(hit);
  }

  play() {
    if (this.playing) { this.stop(); return; }
    const { axis } = this.scene;
    if (this.cursor == null || this.cursor >= Math.min(this.to, axis.end)) this.cursor = Math.max(this.from, axis.begin);
    this.playing = true;
    this.onPlay?.();
    const speed = axis.unit === "ns" ? (this.to - this.from) / 8000 : 1 / 600; // of the axis, a ms
    let before = performance.now();
    const tick = (now) => {
      if (!this.playing || this.gone) return;
      this.cursor = Math.min(this.cursor + (now - before) * speed, axis.end);
      before = now;
      if (this.cursor >= axis.end) this.stop();
      const span = this.to - this.from;
      if (this.cursor > this.to) this.lookAt(this.cursor - span * 0.1, this.cursor + span * 0.9);
      this.draw();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  stop() {
    this.playing = false;
    this.onPlay?.();
  }
}

// ------------------------------------------------------------------ its controls

const ICONS = {
  play: "M4 2l10 6-10 6z",
  pause: "M3 2h4v12H3zM9 2h4v12H9z",
  back: "M2 2h2v12H2zM14 2v12L5 8z",
  on: "M12 2h2v12h-2zM2 2v12l9-6z",
  closer: "M7 2h2v5h5v2H9v5H7V9H2V7h5z",
  further: "M2 7h12v2H2z",
  whole: "M2 2h5v2H4v3H2zM9 2h5v5h-2V4H9zM2 9h2v3h3v2H2zM12 9h2v5H9v-2h3z",
  taller: "M8 1l4 4H9v6h3l-4 4-4-4h3V5H4z",
  flag: "M8 1l7.5 13.5H.5zM7.1 5.5l.3 4.7h1.2l.3-4.7zM7.1 11.2V13h1.8v-1.8z",
  shorter: "M8 7L4 3h3V0h2v3h3zM8 9l4 4H9v3H7v-3H4z",
};

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

function addControls(view) {
  view.bar.setAttribute("role", "toolbar");
  view.bar.setAttribute("aria-label", "the picture");
  const button = (name, label, act) => {
    const it = make("button");
    it.type = "button";
    it.append(icon(name));
    it.title = label;
    it.setAttribute("aria-label", label);
    it.addEventListener("click", act);
    view.bar.append(it);
    return it;
  };
  const gap = () => view.bar.appendChild(make("span", "gap"));
  const back = button("back", "previous event ( , )", () => view.step(-1));
  const play = button("play", "play (space)", () => view.play());
  const on = button("on", "next event ( . )", () => view.step(1));
  const flag = button("flag", "next of what is wrong ( ! )", () => view.nextFlag());
  const scale = [
    gap(),
    button("further", "zoom out ( - )", () => view.zoom(1.5)),
    button("closer", "zoom in ( + )", () => view.zoom(1 / 1.5)),
    button("whole", "the whole picture ( 0 )", () => view.reset()),
  ];
  const rows = [
    button("shorter", "shorter rows", () => view.zoomRows(1 / 1.5)),
    button("taller", "taller rows", () => view.zoomRows(1.5)),
    gap(),
  ];
  const input = make("input");
  input.type = "search";
  input.placeholder = "filter: path, 500, message";
  input.setAttribute("aria-label", "show only requests with these words");
  input.addEventListener("input", () => view.filter(input.value));
  const count = make("span", "asgilab-count");
  count.setAttribute("aria-live", "polite");
  const text = make("button", "", "as text");
  text.type = "button";
  text.addEventListener("click", () => {
    view.text.hidden = !view.text.hidden;
    view.stage.hidden = view.legend.hidden = !view.text.hidden;
    text.setAttribute("aria-pressed", String(!view.text.hidden));
  });
  text.setAttribute("aria-pressed", "false");
  view.bar.append(input, count, text);
  view.onPlay = () => {
    const label = view.playing ? "pause (space)" : "play (space)";
    play.replaceChildren(icon(view.playing ? "pause" : "play"));
    play.title = label;
    play.setAttribute("aria-label", label);
  };
  view.onFilter = () => {
    const all = view.scene.lanes.length;
    count.textContent = view.matching < all ? `${view.matching} of ${all}` : "";
  };
  view.onScene = () => {
    const { scene, painter } = view;
    const requests = scene.lanes.length > 1 && scene.lanes.some((lane) => lane.conn);
    for (const it of [input, count, ...rows]) it.hidden = !requests;
    for (const it of [play, ...scale]) it.hidden = painter instanceof Grid;
    for (const it of [back, on]) it.hidden = painter.curves ?? false;
    flag.hidden = !scene.flags?.length;
    text.hidden = !view.text.textContent;
    view.bar.hidden = !scene.lanes.length;
  };
}

const spread = (pointers) => {
  if (pointers.size < 2) return 0;
  const [[x0, y0], [x1, y1]] = [...pointers.values()];
  return Math.hypot(x1 - x0, y1 - y0);
};

function addGestures(view) {
  const { canvas } = view;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const pointers = new Map();
  let moved = 0;
  let apart = 0;
  if (view.options.controls) canvas.tabIndex = 0;
  canvas.addEventListener("wheel", (event) => {
    const [x, y] = place(event);
    const unit = event.deltaMode === 1 ? 16 : 1;
    const turned = clamp(event.deltaY * unit, -120, 120) / 240;
    let used = true; // else the page scrolls
    if (event.ctrlKey || event.metaKey) view.zoom(Math.exp(turned), view.painter.at(x, y));
    else if (event.altKey) view.zoomRows(Math.exp(-turned), y);
    else if (event.shiftKey) used = view.painter.wheel((event.deltaY || event.deltaX) * unit, 0);
    else used = view.painter.wheel(event.deltaX * unit, event.deltaY * unit);
    if (used) event.preventDefault();
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    pointers.set(event.pointerId, place(event));
    if (pointers.size === 1) moved = 0;
    apart = spread(pointers);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      const hit = view.painter.hit(x, y);
      canvas.classList.toggle("over", Boolean(hit));
      view.hint(hit, x, y);
      return;
    }
    pointers.set(event.pointerId, [x, y]);
    moved += Math.abs(x - before[0]) + Math.abs(y - before[1]);
    if (pointers.size === 2) {
      const now = spread(pointers);
      if (apart > 10 && now > 10) view.zoom(apart / now, view.painter.at(x, y));
      apart = now;
    } else if (moved > 4) {
      canvas.setPointerCapture(event.pointerId);
      canvas.classList.add("dragging");
      view.hint(null);
      view.painter.drag(before[0] - x, before[1] - y);
    }
  });
  const up = (event) => {
    const was = pointers.delete(event.pointerId);
    canvas.classList.remove("dragging");
    if (was && moved <= 4 && event.type === "pointerup") view.choose(view.painter.hit(...place(event)));
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => view.hint(null));
  canvas.addEventListener("dblclick", (event) => view.zoom(0.5, view.painter.at(...place(event))));
  canvas.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    act(view);
    event.preventDefault();
    event.stopPropagation(); // a notebook has keys of its own
  });
}

const KEYS = {
  ArrowLeft: (view) => view.painter.key(-1, 0),
  ArrowRight: (view) => view.painter.key(1, 0),
  ArrowUp: (view) => view.painter.key(0, -1),
  ArrowDown: (view) => view.painter.key(0, 1),
  "+": (view) => view.zoom(1 / 1.5),
  "=": (view) => view.zoom(1 / 1.5),
  "-": (view) => view.zoom(1.5),
  0: (view) => view.reset(),
  Home: (view) => view.pan(-1e9),
  End: (view) => view.pan(1e9),
  ",": (view) => view.step(-1),
  ".": (view) => view.step(1),
  "!": (view) => view.nextFlag(),
  " ": (view) => view.play(),
  Escape: (view) => view.clear(),
};

export function mount(element, payload, options) {
  return new View(element, payload, options);
}

// ------------------------------------------------------------------ the notebook (anywidget)

// `selected` is a trait of both sides; `detail` is the kernel's answer to it, "" meanwhile.
function render({ model, el }) {
  const payload = () => ({ ...model.get("payload"), items: model.get("items") });
  const view = mount(el, payload(), {
    onSelect: (seq) => {
      model.set("detail", "");
      model.set("selected", seq);
      model.save_changes();
    },
  });
  const shown = () => view.picked?.part?.event ?? view.columns.event[view.picked?.item] ?? -1;
  const listeners = {
    "change:payload": () => view.update(payload()),
    "change:detail": () => view.say(model.get("detail") ?? ""),
    "change:selected": () => {
      if (model.get("selected") !== shown()) view.select(model.get("selected"));
    },
    "msg:custom": (message, buffers) => {
      if (message.append) view.append({ ...message.append, items: buffers?.[0] });
    },
  };
  for (const [name, act] of Object.entries(listeners)) model.on(name, act);
  return () => {
    for (const [name, act] of Object.entries(listeners)) model.off(name, act);
    view.destroy();
  };
}

export default { render };
