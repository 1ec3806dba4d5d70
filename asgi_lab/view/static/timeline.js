// A scene of asgi-lab on a canvas: to zoom into, to ask, to play. One module without dependencies;
// the notebook, the report and the live page all paint with it.
//
//   mount(element, {theme, scene, items}, options) -> view
//     items    the columns of the scene's items (asgi_lab.scene.payload): bytes, or base64 of them
//     options  describe(seq) -> string | Promise<string>   the full words of an event
//              onSelect(seq), onLane(conn)                 the reader has chosen an event, a request
//              theme: "light" | "dark" | "auto"; controls: true | false; maxHeight: pixels
//   view.update(payload)   another scene; the view keeps its zoom where it can
//   view.append(delta)     what a running trace has come to meanwhile:
//     {axis, lanes: [[number, lane], ...], texts: [new ones], items, replace: [lane, ...], boxes,
//      title, alt}; items of the lanes in `replace` are dropped first; `fold` counts within `items`
//   view.select(seq), view.highlight(conn), view.say(words), view.destroy()
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

const matches = (text, words) => words.every((word) => text.includes(word));

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
.asgilab-bar input { font: inherit; color: inherit; background: none; height: 28px; width: 15em;
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
.asgilab-tip[hidden], .asgilab-text[hidden], .asgilab-detail[hidden] { display: none; }
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
  pattern(ctx, style, shift) {
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
    pattern.setTransform(new DOMMatrix().translate(shift, 0));
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
  const [top, height] = placeOf(style, h);
  if (style.shape === "outlined" && w > 3 && height > 4) {
    ctx.fillStyle = style.colour + "33";
    ctx.fillRect(x, y + top, w, height);
    ctx.strokeStyle = style.colour;
    ctx.lineWidth = 1.5;
    ctx.strokeRect(x + 0.75, y + top + 0.75, w - 1.5, height - 1.5);
    return;
  }
  ctx.fillStyle = PATTERNED.has(style.shape) && w > 3
    ? look.pattern(ctx, style, shift) : style.colour;
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
    default:
      ctx.moveTo(x, y - r); ctx.lineTo(x + r, y); ctx.lineTo(x, y + r); ctx.lineTo(x - r, y);
  }
  ctx.closePath();
  ctx.strokeStyle = look.paper;
  ctx.lineWidth = 2;
  ctx.stroke();
  ctx.fillStyle = style.colour;
  ctx.fill();
}

const BARS = new Set(["solid", "hatched", "outlined", "thin", "half", "low", "dotted"]);
const LINES = new Set(["line", "bold", "dashed"]);

function drawSwatch(canvas, look, style) {
  const ratio = devicePixelRatio || 1;
  [canvas.width, canvas.height] = [26 * ratio, 14 * ratio];
  const ctx = canvas.getContext("2d");
  ctx.scale(ratio, ratio);
  if (style.role === "blocked" || BARS.has(style.shape)) drawBar(ctx, look, style, 1, 0, 24, 14);
  else if (LINES.has(style.shape)) drawArrow(ctx, style, 2, 7, 24, 7);
  else drawMark(ctx, look, style, 13, 7, 9);
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

// ------------------------------------------------------------------ rows (flow right)

const ROW = 26;
const CURVE = 92;
const HEADING = 26;
const AXIS = 26;
const DENSE = 10000;

class Rows {
  constructor(view) {
    this.view = view;
    const { scene } = view;
    this.step = scene.axis.unit !== "ns";
    this.curves = (scene.areas ?? []).length > 0;
    this.base = this.curves ? CURVE : this.step ? 44 : ROW;
  }

  // Which lanes are shown, under which headings.
  arrange() {
    const { scene, shown } = this.view;
    const rows = [];
    const heads = new Map((scene.groups ?? []).map((group) => [group.first, group]));
    (scene.lanes ?? []).forEach((lane, index) => {
      if (heads.has(index)) rows.push({ group: heads.get(index), lane: -1 });
      if (shown[index]) rows.push({ lane: index });
    });
    this.rows = rows;
    this.headings = rows.filter((row) => row.group).length;
    this.rowOf = new Int32Array((scene.lanes ?? []).length).fill(-1);
    rows.forEach((row, index) => { if (row.lane >= 0) this.rowOf[row.lane] = index; });
    this.gutter = this.measure();
  }

  get lanes() { return Math.max(this.rows.length - this.headings, 1); }

  get natural() { return AXIS + this.lanes * this.base + this.headings * HEADING + 6; }

  // The columns left of the picture: what each row says, and how wide that is.
  measure() {
    const { scene, ctx, width } = this.view;
    ctx.font = `13px ${FONT}`;
    const lanes = scene.lanes ?? [];
    const names = scene.columns ?? [];
    const wanted = width > 1500 ? ["#", "status", "first", "total", "in", "out"]
      : width > 700 ? ["#", "status", "total"] : ["#", "status"];
    const widest = (texts, head) => {
      let longest = head;
      for (const text of texts) if (text.length > longest.length) longest = text;
      return longest ? Math.ceil(Math.max(...[longest, head].map((t) => ctx.measureText(t).width))) : 0;
    };
    const before = [];
    const after = [];
    names.forEach((name, k) => {
      if (!wanted.includes(name) || !lanes.some((lane) => lane.facts?.[k])) return;
      const column = { name, k, width: widest(lanes.map((lane) => lane.facts?.[k] ?? ""), name) };
      (name === "#" ? before : after).push(column);
    });
    const heads = (scene.groups ?? []).map((group) => `${group.label}  ${group.detail}`);
    const label = widest([...lanes.map((lane) => lane.label), ...heads], "");
    const rest = [...before, ...after].reduce((sum, column) => sum + column.width + 12, 0);
    const most = Math.max(width * (width > 700 ? 0.42 : 0.5) - rest, 60);
    this.fields = [...before, { name: names.length ? "request" : "", k: -1, width: Math.min(label, most) },
      ...after];
    let x = 4;
    for (const field of this.fields) { field.x = x; x += field.width + 12; }
    return x;
  }

  fit() { // a height of rows in which all are seen
    const room = this.view.height - AXIS - this.headings * HEADING - 6;
    return Math.min(room / this.lanes, this.base);
  }

  get rowHeight() { return this.view.rowHeight ?? this.fit(); }

  place() {
    const h = this.rowHeight;
    const top = (this.top = new Float64Array(this.rows.length + 1));
    this.rows.forEach((row, k) => { top[k + 1] = top[k] + (row.group ? HEADING : h); });
    const room = this.view.height - AXIS;
    this.most = Math.max(top[this.rows.length] - room + 4, 0);
    this.view.scroll = clamp(this.view.scroll, 0, this.most);
  }

  get plot() { return [this.gutter, this.view.width - this.gutter - 10]; }

  x(at) {
    const { from, to } = this.view;
    const [left, room] = this.plot;
    return left + ((at - from) / (to - from)) * room;
  }

  at(x) {
    const { from, to } = this.view;
    const [left, room] = this.plot;
    return from + ((x - left) / room) * (to - from);
  }

  y(row) { return AXIS + this.top[row] - this.view.scroll; }

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

  paint(ctx) {
    const { view } = this;
    const { height, width, look } = view;
    this.place();
    const first = clamp(bisect(0, this.rows.length, (k) => this.top[k + 1] <= view.scroll), 0,
      this.rows.length);
    const last = bisect(first, this.rows.length, (k) => this.y(k) < height);
    const [left, room] = this.plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left - 6, AXIS, room + 16, height - AXIS);
    ctx.clip();
    this.paintBoxes(ctx);
    this.paintGrid(ctx);
    this.paintItems(ctx, first, last);
    this.paintAreas(ctx, first, last);
    this.paintArrows(ctx);
    this.paintNotes(ctx);
    ctx.restore();
    this.paintAxis(ctx);
    this.paintGutter(ctx, first, last);
    this.paintDim(ctx, first, last);
    this.paintSelection(ctx);
    ctx.fillStyle = look.grid;
    ctx.fillRect(0, AXIS - 1, width, 1);
  }

  ticks() {
    const { scene, from, to } = this.view;
    const room = this.plot[1];
    if (this.step) {
      const apart = room / Math.max(to - from, 1);
      const every = Math.max(1, Math.ceil(58 / apart));
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
    const [left, room] = this.plot;
    ctx.fillStyle = look.soft;
    ctx.font = `12px ${FONT}`;
    ctx.textBaseline = "middle";
    let free = left - 8;
    for (const tick of this.ticks()) {
      const x = this.x(tick.at);
      const wide = ctx.measureText(tick.label).width;
      const at = clamp(x - wide / 2, left, left + room + 8 - wide);
      if (x < left - 1 || x > left + room + 1 || at < free) continue;
      ctx.fillText(tick.label, at, AXIS / 2);
      free = at + wide + 10;
    }
  }

  paintBoxes(ctx) {
    const { scene, look, height } = this.view;
    for (const box of scene.boxes ?? []) {
      const style = look.style(box.role);
      const rows = this.span(box);
      if (!rows) continue;
      const [x0, x1] = [this.x(box.begin), this.x(box.end)];
      const [y0, y1] = [Math.max(this.y(rows[0]), AXIS), Math.min(this.y(rows[1] + 1), height)];
      ctx.fillStyle = style.colour;
      ctx.fillRect(x0, y0, Math.max(x1 - x0, 1.5), y1 - y0);
    }
  }

  // The first and last row of what spans lanes, as far as they are shown.
  span(box) {
    let [first, last] = [box.lane, box.until];
    while (first <= last && this.rowOf[first] < 0) first++;
    while (last > first && this.rowOf[last] < 0) last--;
    return first <= last && first < this.rowOf.length ? [this.rowOf[first], this.rowOf[last]] : null;
  }

  paintItems(ctx, first, last) {
    const { view } = this;
    if (!view.columns.count) return;
    let visible = 0;
    const { from, to } = view;
    for (let k = first; k < last; k++) {
      const lane = this.rows[k].lane;
      if (lane < 0) continue;
      for (const slot of [2 * lane, 2 * lane + 1]) {
        const [low, high] = this.range(slot, from, to);
        visible += high - low;
      }
    }
    view.visible = visible;
    if (visible > DENSE || this.rowHeight < 1.5) return this.paintDense(ctx, first, last);
    for (let k = first; k < last; k++) if (this.rows[k].lane >= 0) this.paintLane(ctx, k);
  }

  paintLane(ctx, row) {
    const { view } = this;
    const { look, columns, index, from, to } = view;
    const { begin, end, role, share, fold } = columns;
    const lane = this.rows[row].lane;
    const [y, h] = [this.y(row), this.top[row + 1] - this.top[row]];
    const inset = h > 8 ? 2 : 0;
    const shift = this.x(view.scene.axis.begin) % 8;
    let [low, high] = this.range(2 * lane, from, to);
    const [left, room] = this.plot;
    for (let k = low; k < high; k++) {
      const i = index.order[k];
      const x0 = Math.max(this.x(begin[i]), left - 8);
      const x1 = Math.min(this.x(end[i]), left + room + 16);
      const part = share[i] < 255 ? (h - 2 * inset) * (share[i] / 255) : h - 2 * inset;
      drawBar(ctx, look, look.styles[role[i]], x0, y + h - inset - part, Math.max(x1 - x0, 1), part, shift);
    }
    [low, high] = this.range(2 * lane + 1, from, to);
    const size = clamp(h * 0.46, 3, 11);
    for (let k = low; k < high; k++) {
      const i = index.order[k];
      const style = look.styles[role[i]];
      if (index.members[i]) {
        if (!this.unfolded(i)) this.paintFold(ctx, i, y + inset, h - 2 * inset);
      } else if (fold[i] < 0 || this.unfolded(fold[i])) {
        if (h < 7) {
          ctx.fillStyle = style.colour;
          ctx.fillRect(this.x(begin[i]), y, 1.5, h);
        } else drawMark(ctx, look, style, this.x(begin[i]), y + h / 2, size);
      }
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
    const height = Math.max(h * 0.3, Math.min(h, 3));
    ctx.fillStyle = style.colour;
    ctx.fillRect(x0, y + (h - height) / 2, Math.max(x1 - x0, 3), height);
    if (h < 12) return;
    ctx.font = `600 11px ${FONT}`;
    ctx.textBaseline = "middle";
    const text = `×${index.members[i].toLocaleString("en")}`;
    if (x1 - x0 > ctx.measureText(text).width + 6) words(ctx, look, text, x0 + 4, y + h / 2 + 0.5, x1 - x0);
  }

  // So many items that several share a pixel: for each pixel the role that most are at.
  paintDense(ctx, first, last) {
    const { view } = this;
    const { look, columns, index, from, to, ratio } = view;
    const { begin, end, role } = columns;
    const [left, room] = this.plot;
    const w = Math.max(Math.round(room * ratio), 1);
    const bottom = Math.min(this.y(last), view.height);
    const h = Math.max(Math.round((bottom - AXIS) * ratio), 1);
    const image = new ImageData(w, h);
    const pixels = new Uint32Array(image.data.buffer);
    const roles = look.styles.length;
    const colours = look.styles.map((style) => pixelOf(style.colour));
    const scale = w / (to - from);
    const cover = new Float32Array(roles * (w + 1));
    const used = [];
    const flush = (y0, y1) => {
      const height = y1 - y0;
      const best = new Float32Array(w);
      const which = new Int16Array(w).fill(-1);
      for (const r of used) {
        let sum = 0;
        const base = r * (w + 1);
        const favour = look.styles[r].role === "hold" ? 1.5 : 1;
        for (let x = 0; x < w; x++) {
          sum += cover[base + x];
          const share = (sum + partial[r * w + x]) * favour;
          if (share > best[x] + 1e-4) { best[x] = share; which[x] = r; }
        }
        cover.fill(0, base, base + w + 1);
        partial.fill(0, r * w, (r + 1) * w);
      }
      for (const r of used) {
        const style = look.styles[r];
        const thick = height > 4;
        const [top, tall] = thick ? placeOf(style, height - 2) : [0, height];
        const [a, b] = [y0 + Math.floor(thick ? top + 1 : 0), y0 + Math.ceil(thick ? top + 1 + tall : height)];
        for (let y = Math.max(a, 0); y < Math.min(b, h); y++) {
          for (let x = 0; x < w; x++) {
            if (which[x] === r && (!thick || inked(style.shape, x, y))) pixels[y * w + x] = colours[r];
          }
        }
      }
      used.length = 0;
    };
    const partial = new Float32Array(roles * w);
    const seen = new Uint8Array(roles);
    const add = (i) => {
      const r = role[i];
      if (!seen[r]) { seen[r] = 1; used.push(r); }
      const x0 = Math.max((begin[i] - from) * scale, 0);
      const x1 = Math.min((end[i] - from) * scale, w);
      const [a, b] = [Math.floor(x0), Math.floor(x1)];
      if (a >= w || x1 < 0) return;
      if (a === b) partial[r * w + a] += Math.max(x1 - x0, 0.02);
      else {
        partial[r * w + a] += a + 1 - x0;
        if (b < w) partial[r * w + b] += x1 - b;
        if (b > a + 1) { cover[r * (w + 1) + a + 1] += 1; cover[r * (w + 1) + b] -= 1; }
      }
    };
    let band = null;
    for (let k = first; k < last; k++) {
      if (this.rows[k].lane < 0) continue;
      const y0 = Math.floor((this.y(k) - AXIS) * ratio);
      const y1 = Math.max(Math.floor((this.y(k + 1) - AXIS) * ratio), y0 + 1);
      if (band && y0 >= band[1]) {
        flush(...band);
        seen.fill(0);
        band = null;
      }
      band = band ?? [y0, y1];
      const [low, high] = this.range(2 * this.rows[k].lane, from, to);
      for (let n = low; n < high; n++) add(index.order[n]);
      this.denseMarks(pixels, w, h, k, y0, y1, colours, scale);
    }
    if (band) flush(...band);
    this.denseMarked?.forEach((draw) => draw());
    const sheet = (this.sheet = this.sheet ?? document.createElement("canvas"));
    [sheet.width, sheet.height] = [w, h];
    sheet.getContext("2d").putImageData(image, 0, 0);
    ctx.drawImage(sheet, left, AXIS, room, h / ratio);
  }

  denseMarks() {}

  paintAreas(ctx, first, last) {
    const { view } = this;
    const { look, height } = view;
    ctx.textBaseline = "middle";
    for (const area of view.scene.areas ?? []) {
      const row = this.rowOf[area.lane];
      if (row < first || row >= last) continue;
      const style = look.style(area.role);
      const [y, h] = [this.y(row) + 8, this.top[row + 1] - this.top[row] - 14];
      const level = (value) => y + h - (h * clamp(value, 0, area.top)) / (area.top || 1);
      ctx.beginPath();
      ctx.moveTo(this.x(area.edges[0]), y + h);
      area.values.forEach((value, k) => {
        ctx.lineTo(this.x(area.edges[k]), level(value));
        ctx.lineTo(this.x(area.edges[k + 1] ?? area.edges[k]), level(value));
      });
      ctx.lineTo(this.x(area.edges[area.edges.length - 1]), y + h);
      ctx.closePath();
      ctx.fillStyle = style.colour;
      ctx.fill();
      ctx.fillStyle = look.grid;
      ctx.fillRect(this.plot[0], Math.min(y + h, height), this.plot[1], 1);
    }
  }

  paintArrows(ctx) {
    const { scene, look, view } = { ...this.view, view: this.view };
    void view;
    ctx.font = `12px ${FONT}`;
    ctx.textBaseline = "middle";
    for (const arrow of scene.arrows ?? []) {
      const [a, b] = [this.rowOf[arrow.source] ?? -1, this.rowOf[arrow.target] ?? -1];
      if (a < 0 || b < 0) continue;
      const x = this.x(arrow.at);
      drawArrow(ctx, look.style(arrow.role), x, this.middle(a), x, this.middle(b));
    }
  }

  middle(row) { return (this.y(row) + this.y(row + 1)) / 2; }

  paintNotes(ctx) {
    const { scene, look } = this.view;
    ctx.font = `600 12px ${FONT}`;
    ctx.textBaseline = "middle";
    const [left, room] = this.plot;
    for (const note of scene.notes ?? []) {
      const row = note.lane >= 0 ? this.rowOf[note.lane] : -1;
      if (note.lane >= 0 && row < 0) continue;
      const y = row >= 0 ? this.middle(row) : AXIS + 9;
      const x = Math.max(this.x(note.at), left) + 4;
      words(ctx, look, note.text, x, y, left + room - x, note.role ? look.style(note.role).colour : look.ink);
    }
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
    ctx.rect(0, AXIS, this.gutter - 4, height - AXIS);
    ctx.clip();
    const every = Math.max(1, Math.ceil(14 / this.rowHeight));
    for (let k = first; k < last; k++) {
      const row = this.rows[k];
      const y = this.middle(k);
      if (row.group) {
        ctx.font = `600 13px ${FONT}`;
        ctx.fillStyle = look.ink;
        ctx.fillText(fitted(ctx, row.group.label, this.gutter - 8), 4, y);
        continue;
      }
      if (k % every && row.lane !== view.chosen) continue;
      const lane = scene.lanes[row.lane];
      const failed = lane.role === "raise";
      for (const field of this.fields) {
        ctx.font = field.k < 0 ? `13px ${FONT}` : `12px ${FONT}`;
        ctx.fillStyle = failed && (field.k < 0 || field.name === "status") ? look.style("raise").colour
          : field.k < 0 ? look.ink : look.soft;
        if (field.k < 0) ctx.fillText(fitted(ctx, lane.label, field.width), field.x, y);
        else right(field, lane.facts?.[field.k] ?? "", y);
      }
    }
    ctx.restore();
  }

  // What is not meant at the moment fades: later than the cursor, other than the chosen lane.
  paintDim(ctx, first, last) {
    const { view } = this;
    const { look, height } = view;
    const [left, room] = this.plot;
    if (view.chosen >= 0) {
      ctx.fillStyle = look.paper + "b8";
      for (let k = first; k < last; k++) {
        if (this.rows[k].lane !== view.chosen) {
          ctx.fillRect(0, Math.max(this.y(k), AXIS), view.width, this.y(k + 1) - Math.max(this.y(k), AXIS));
        }
      }
    }
    if (view.cursor != null) {
      const x = clamp(this.x(view.cursor), left, left + room);
      ctx.fillStyle = look.paper + "c8";
      ctx.fillRect(x, AXIS, left + room + 10 - x, height - AXIS);
      ctx.fillStyle = look.ink;
      ctx.fillRect(x - 0.75, AXIS - 4, 1.5, height - AXIS + 4);
    }
  }

  paintSelection(ctx) {
    const { view } = this;
    const { look, columns } = view;
    const ring = (x, y, w, h) => {
      ctx.strokeStyle = look.ink;
      ctx.lineWidth = 2;
      ctx.strokeRect(x, y, w, h);
    };
    const i = view.picked;
    if (i == null || i >= columns.count) return;
    const row = this.rowOf[columns.lane[i]];
    if (row < 0) return;
    const [left, room] = this.plot;
    const [x0, x1] = [this.x(columns.begin[i]), this.x(columns.end[i])];
    if (x1 < left - 1 || x0 > left + room + 1) return;
    const [y, h] = [this.y(row), Math.max(this.y(row + 1) - this.y(row), 6)];
    if (x1 - x0 > 2) {
      ring(Math.max(x0, left) - 1.5, y + 1, Math.min(x1, left + room) - Math.max(x0, left) + 3, h - 2);
    } else ring(x0 - 8, y + 1, 16, h - 2);
  }

  // What there is at a place of the canvas.
  hit(px, py) {
    const { view } = this;
    const { scene, columns, index } = view;
    const k = this.rowAt(py);
    const row = k >= 0 ? this.rows[k] : null;
    if (row && row.lane >= 0 && px < this.gutter) return { lane: row.lane };
    if (px < this.gutter - 6) return null;
    const t = this.at(px);
    const near = Math.abs(this.at(px + 6) - t);
    if (row && row.lane >= 0) {
      let best = -1;
      let distance = Infinity;
      let [low, high] = this.range(2 * row.lane + 1, t - near, t + near);
      for (let n = low; n < high; n++) {
        const i = index.order[n];
        if (columns.end[i] < t - near) continue;
        if (index.members[i] ? this.unfolded(i)
          : columns.fold[i] >= 0 && !this.unfolded(columns.fold[i])) continue;
        const away = index.members[i] ? near * 0.9 : Math.abs(columns.begin[i] - t);
        if (away <= distance) [best, distance] = [i, away];
      }
      if (best < 0) {
        const a = Math.abs(this.at(px + 1) - t);
        [low, high] = this.range(2 * row.lane, t - a, t + a);
        for (let n = low; n < high; n++) {
          const i = index.order[n];
          if (columns.end[i] >= t - a && columns.begin[i] <= t + a) best = i;
        }
      }
      if (best >= 0) return { item: best, lane: row.lane };
    }
    const area = row && (scene.areas ?? []).find((area) => area.lane === row.lane);
    if (area) {
      const n = bisect(0, area.edges.length, (n) => area.edges[n] <= t) - 1;
      if (n >= 0 && n < area.values.length) return { area, value: area.values[n], at: t, lane: row.lane };
    }
    const box = (scene.boxes ?? []).find((box) => {
      const rows = this.span(box);
      return rows && box.begin <= t && t <= box.end && k >= rows[0] && k <= rows[1];
    });
    return box ? { box } : null;
  }
}

const pixelOf = (colour) => {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
};

// ------------------------------------------------------------------ the view

const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
};

class View {
  constructor(element, payload, options = {}) {
    this.element = element;
    this.options = { theme: "auto", controls: true, maxHeight: 560, ...options };
    this.cursor = null;
    this.chosen = -1;
    this.scroll = 0;
    this.width = 0;
    this.build();
    this.update(payload);
    this.watch();
  }

  build() {
    this.root = make("div", "asgilab");
    const style = make("style");
    style.textContent = CSS;
    this.title = make("div", "asgilab-title");
    this.bar = make("div", "asgilab-bar");
    this.bar.setAttribute("role", "toolbar");
    this.bar.setAttribute("aria-label", "picture");
    this.stage = make("div", "asgilab-stage");
    this.canvas = make("canvas", "asgilab-timeline");
    this.ctx = this.canvas.getContext("2d");
    this.tip = make("div", "asgilab-tip");
    this.tip.hidden = true;
    this.legend = make("ul", "asgilab-legend");
    this.detail = make("div", "asgilab-detail");
    this.detail.hidden = true;
    this.heading = make("div", "asgilab-said");
    this.told = make("pre");
    this.detail.append(this.heading, this.told);
    this.live = make("div", "asgilab-hidden");
    this.live.setAttribute("aria-live", "polite");
    this.text = make("pre", "asgilab-text");
    this.text.hidden = true;
    this.text.tabIndex = 0;
    this.stage.append(this.canvas, this.tip);
    this.root.append(style, this.title, this.bar, this.stage, this.text, this.legend, this.detail, this.live);
    this.element.append(this.root);
    if (this.options.controls) addControls(this);
    else this.bar.hidden = true;
    addGestures(this);
  }

  watch() {
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.stage);
    this.media = matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => this.setLook();
    this.media.addEventListener("change", this.recolour);
    this.mutations = new MutationObserver(this.recolour);
    this.mutations.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  }

  destroy() {
    this.playing = false;
    this.gone = true;
    this.observer.disconnect();
    this.mutations.disconnect();
    this.media.removeEventListener("change", this.recolour);
    this.root.remove();
  }

  // ---- what is shown

  update(payload) {
    const { scene } = payload;
    const before = this.scene;
    const whole = !before || (this.from === before.axis.begin && this.to === before.axis.end);
    const same = before && before.picture === scene.picture && before.axis.unit === scene.axis.unit;
    this.theme = payload.theme ?? this.theme;
    this.scene = scene;
    this.columns = columnsOf(payload.items ?? scene.items);
    this.words = payload.text ?? "";
    this.picked = null;
    if (!same || whole) this.reset();
    if (!same) { this.chosen = -1; this.cursor = null; this.scroll = 0; }
    this.changed();
    this.setLook();
    this.resize();
  }

  append(delta) {
    const { scene } = this;
    const whole = this.from === scene.axis.begin && this.to === scene.axis.end;
    for (const [number, lane] of delta.lanes ?? []) scene.lanes[number] = lane;
    scene.texts.push(...(delta.texts ?? []));
    for (const key of ["axis", "boxes", "title", "alt", "areas", "notes", "arrows"]) {
      if (delta[key] !== undefined) scene[key] = delta[key];
    }
    const picked = this.picked == null ? null : this.columns.event[this.picked];
    this.columns = joined(this.columns, new Set(delta.replace ?? []), columnsOf(delta.items));
    if (whole) [this.from, this.to] = [scene.axis.begin, Math.max(scene.axis.end, scene.axis.begin + 1)];
    this.changed();
    if (picked != null && picked >= 0) this.picked = this.find(picked);
    this.setLegend();
    this.resize();
  }

  // The scene has other lanes or items: look at it anew.
  changed() {
    const { scene } = this;
    scene.lanes = scene.lanes ?? [];
    const many = this.theme.roles.findIndex((style) => style.role === "many");
    this.index = indexOf(this.columns, scene.lanes.length, many);
    this.title.textContent = scene.title;
    this.canvas.setAttribute("role", this.options.controls ? "application" : "img");
    this.canvas.setAttribute("aria-label", scene.alt);
    this.canvas.setAttribute("aria-roledescription", "picture");
    this.order = null;
    this.text.textContent = this.words || "";
    this.painter = new Rows(this);
    this.filter(this.query ?? "");
    this.onScene?.();
  }

  filter(query) {
    this.query = query;
    const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
    const { scene, columns } = this;
    const said = scene.lanes.map((lane) => [lane.label, lane.detail, ...(lane.facts ?? [])].join(" "));
    this.shown = new Uint8Array(said.length).fill(1);
    if (wanted.length) {
      const texts = scene.texts.map((text) => text.toLowerCase());
      const also = said.map(() => new Set());
      for (let i = 0; i < columns.count; i++) {
        if (columns.label[i]) also[columns.lane[i]]?.add(columns.label[i]);
      }
      said.forEach((text, lane) => {
        const all = `${text.toLowerCase()} ${[...also[lane]].map((label) => texts[label]).join(" ")}`;
        this.shown[lane] = matches(all, wanted) ? 1 : 0;
      });
    }
    this.matching = this.shown.reduce((sum, one) => sum + one, 0);
    this.painter.arrange();
    this.onFilter?.();
    this.resize();
  }

  setLook() {
    this.mode = modeOf(this.options.theme);
    this.look = new Look(this.theme, this.mode);
    for (const name of ["paper", "ink", "grid"]) this.root.style.setProperty(`--${name}`, this.look[name]);
    this.root.style.setProperty("--focus", this.look.style("call").colour);
    this.root.dataset.mode = this.mode;
    this.setLegend();
    this.draw();
  }

  setLegend() {
    const { look, scene, columns } = this;
    if (!look) return;
    const used = new Uint8Array(look.styles.length);
    for (let i = 0; i < columns.count; i++) used[columns.role[i]] = 1;
    for (const parts of ["arrows", "boxes", "areas", "nodes", "links"]) {
      for (const part of scene[parts] ?? []) used[look.byRole.get(part.role)] = 1;
    }
    const entries = look.styles.filter((style, code) => used[code]);
    const key = this.mode + entries.map((style) => style.role).join();
    if (key === this.legendKey) return;
    this.legendKey = key;
    this.legend.replaceChildren(...entries.map((style) => {
      const entry = make("li");
      const swatch = make("canvas");
      swatch.setAttribute("aria-hidden", "true");
      drawSwatch(swatch, look, style);
      entry.append(swatch, look.meaning(style, scene.held ?? "loop"));
      return entry;
    }));
  }

  resize() {
    if (!this.scene || this.gone) return;
    const width = this.stage.clientWidth || 800;
    const ratio = devicePixelRatio || 1;
    if (width !== this.width) { this.width = width; this.painter.arrange(); }
    const height = Math.round(clamp(this.painter.natural, 90, this.options.maxHeight));
    this.height = height;
    this.ratio = ratio;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.height = `${height}px`;
    }
    this.draw();
  }

  draw() {
    if (this.asked || this.gone) return;
    this.asked = true;
    requestAnimationFrame(() => { this.asked = false; if (!this.gone) this.paint(); });
  }

  paint() {
    const { ctx, look, ratio, width, height } = this;
    if (!look || !width) return;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.fillStyle = look.paper;
    ctx.fillRect(0, 0, width, height);
    this.painter.paint(ctx);
    this.painted = (this.painted ?? 0) + 1;
  }

  // ---- where we look

  reset() {
    const { axis } = this.scene;
    [this.from, this.to] = [axis.begin, Math.max(axis.end, axis.begin + 1)];
    this.rowHeight = null;
    this.scroll = 0;
    this.draw();
  }

  look_at(from, to) {
    const { axis } = this.scene;
    const whole = Math.max(axis.end - axis.begin, 1);
    const span = clamp(to - from, axis.unit === "ns" ? 10 : 1, whole);
    const middle = (from + to) / 2;
    this.from = clamp(middle - span / 2, axis.begin, axis.begin + whole - span);
    this.to = this.from + span;
    this.draw();
  }

  zoom(factor, around = (this.from + this.to) / 2) {
    this.look_at(around - (around - this.from) * factor, around + (this.to - around) * factor);
  }

  pan(share) {
    const by = (this.to - this.from) * share;
    this.look_at(this.from + by, this.to + by);
  }

  zoomRows(factor, around = this.height / 2) {
    const before = this.painter.rowHeight;
    const least = this.painter.fit();
    const after = clamp(before * factor, least, 80);
    const place = (this.scroll + around - AXIS) / before;
    this.rowHeight = after <= least * 1.001 ? null : after;
    this.scroll = Math.max(place * after - around + AXIS, 0);
    this.draw();
  }

  scrollBy(pixels) {
    const before = this.scroll;
    this.scroll = clamp(this.scroll + pixels, 0, this.painter.most ?? 0);
    this.draw();
    return this.scroll !== before;
  }

  // ---- what is chosen

  find(seq) {
    const i = this.columns.event.indexOf(seq);
    if (i < 0) return null;
    return this.index.members[i] && this.columns.event[i + 1] === seq ? i + 1 : i;
  }

  select(seq, byReader = false) {
    this.picked = seq >= 0 ? this.find(seq) : null;
    if (this.picked != null) this.reveal(this.picked);
    if (seq < 0) this.detail.hidden = true;
    else this.tell(this.picked != null ? this.said(this.picked) : "", seq);
    if (byReader) this.options.onSelect?.(seq);
    this.draw();
  }

  reveal(i) {
    const { begin, lane } = this.columns;
    const span = this.to - this.from;
    if (begin[i] < this.from || begin[i] > this.to) this.look_at(begin[i] - span / 2, begin[i] + span / 2);
    const row = this.painter.rowOf[lane[i]];
    if (row < 0 || !this.painter.top) return;
    const top = this.painter.top[row];
    const room = this.height - AXIS;
    if (top < this.scroll || top + this.painter.rowHeight > this.scroll + room) this.scroll = Math.max(top - room / 2, 0);
  }

  // One item in words.
  said(i) {
    const { columns, scene, look } = this;
    const style = look.styles[columns.role[i]];
    const what = scene.texts[columns.label[i]] || look.meaning(style, scene.held ?? "loop");
    return `${this.nameOf(columns.lane[i])}\n${what}\n${this.when(columns.begin[i], columns.end[i])}`;
  }

  nameOf(lane) {
    const { label, conn } = this.scene.lanes[lane] ?? {};
    return conn ? `#${conn}  ${label}` : label ?? "";
  }

  when(begin, end) {
    if (this.scene.axis.unit !== "ns") return "";
    const zero = this.scene.axis.begin;
    const at = `at ${duration(begin - zero)}`;
    return end > begin ? `${at}, for ${duration(end - begin)}` : at;
  }

  async tell(heading, seq) {
    const asked = (this.asking = (this.asking ?? 0) + 1);
    this.heading.textContent = heading.replaceAll("\n", " · ");
    this.told.textContent = "";
    this.detail.hidden = !heading && seq < 0;
    this.live.textContent = this.heading.textContent;
    if (seq < 0 || !this.options.describe) return;
    const told = await this.options.describe(seq);
    if (asked === this.asking && told != null) this.say(told);
  }

  say(told) {
    this.told.textContent = told;
    this.detail.hidden = !told && !this.heading.textContent;
    if (told) this.live.textContent = told;
  }

  choose(hit) {
    if (!hit) return;
    if (hit.item != null) {
      const seq = this.columns.event[hit.item];
      this.picked = hit.item;
      this.tell(this.said(hit.item), seq);
      if (seq >= 0) this.options.onSelect?.(seq);
    } else if (hit.part) {
      this.tell(hit.text, hit.part.event ?? -1);
      if (hit.part.event >= 0) this.options.onSelect?.(hit.part.event);
    } else if (hit.box) this.tell(hit.box.label, hit.box.event ?? -1);
    else if (hit.lane != null && hit.area == null) this.chooseLane(hit.lane === this.chosen ? -1 : hit.lane);
    this.draw();
  }

  chooseLane(lane) {
    this.chosen = lane;
    const conn = this.scene.lanes[lane]?.conn;
    if (lane >= 0) {
      const { label, detail } = this.scene.lanes[lane];
      this.tell(`${this.nameOf(lane)}${detail ? `\n${detail}` : ""}`, -1);
      if (conn) this.options.onLane?.(conn);
      void label;
    }
    this.draw();
  }

  highlight(conn) {
    this.chosen = conn ? this.scene.lanes.findIndex((lane) => lane.conn === conn) : -1;
    this.draw();
  }

  clear() {
    this.picked = null;
    this.chosen = -1;
    this.cursor = null;
    this.stop();
    this.detail.hidden = true;
    this.draw();
  }

  hint(hit, x, y) {
    const text = hit && this.hintOf(hit);
    this.tip.hidden = !text;
    if (!text) return;
    this.tip.textContent = text;
    const left = clamp(x + 14, 0, Math.max(this.width - this.tip.offsetWidth, 0));
    const below = y + 18;
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${below + this.tip.offsetHeight > this.height + 40 ? y - this.tip.offsetHeight - 8 : below}px`;
  }

  hintOf(hit) {
    if (hit.item != null) return this.said(hit.item);
    if (hit.text) return hit.text;
    if (hit.box) return `${hit.box.label}\n${this.when(hit.box.begin, hit.box.end)}`;
    if (hit.area) {
      const value = Number(hit.value.toPrecision(3)).toLocaleString("en");
      return `${this.nameOf(hit.lane)}: ${value} ${hit.area.unit}\n${this.when(hit.at, hit.at)}`;
    }
    if (hit.lane != null) {
      const { detail, facts } = this.scene.lanes[hit.lane];
      const told = (this.scene.columns ?? []).map((name, k) => (facts?.[k] && name !== "#" ? `${name} ${facts[k]}` : "")).filter(Boolean);
      return [this.nameOf(hit.lane), detail, told.join(", ")].filter(Boolean).join("\n");
    }
    return "";
  }

  // ---- time goes by

  // The moments at which something is to be read, in order: [place, item] each.
  moments() {
    if (this.order) return this.order;
    const { columns, shown } = this;
    const order = [];
    for (let i = 0; i < columns.count; i++) {
      if (columns.event[i] >= 0 && shown[columns.lane[i]] && !this.index.members[i]) order.push(i);
    }
    order.sort((a, b) => columns.begin[a] - columns.begin[b] || columns.event[a] - columns.event[b]);
    return (this.order = order);
  }

  step(by) {
    this.stop();
    const order = this.moments();
    if (!order.length) return;
    const { begin, event } = this.columns;
    let k;
    if (this.picked != null && event[this.picked] >= 0) k = order.indexOf(this.picked) + by;
    else {
      const now = this.cursor ?? this.from;
      k = bisect(0, order.length, (n) => begin[order[n]] < now);
      if (by < 0) k--;
    }
    const i = order[clamp(k, 0, order.length - 1)];
    this.cursor = begin[i];
    this.reveal(i);
    this.choose({ item: i });
  }

  play() {
    if (this.playing) return this.stop();
    const { axis } = this.scene;
    if (this.cursor == null || this.cursor >= this.to) this.cursor = this.from;
    this.playing = true;
    this.onPlay?.();
    const speed = axis.unit === "ns" ? (this.to - this.from) / 8000 : 1 / 600;
    let before = performance.now();
    const tick = (now) => {
      if (!this.playing || this.gone) return;
      this.cursor += (now - before) * speed;
      before = now;
      if (this.cursor >= axis.end) { this.cursor = axis.end; this.stop(); }
      const span = this.to - this.from;
      if (this.cursor > this.to) this.look_at(this.cursor - span * 0.1, this.cursor + span * 0.9);
      this.paint();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    return undefined;
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
  shorter: "M8 7L4 3h3V0h2v3h3zM8 9l4 4H9v3H7v-3H4z",
};

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function addControls(view) {
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
  const gap = () => view.bar.append(make("span", "gap"));
  button("back", "previous event ( , )", () => view.step(-1));
  const play = button("play", "play (space)", () => view.play());
  button("on", "next event ( . )", () => view.step(1));
  gap();
  button("further", "zoom out ( - )", () => view.zoom(1.5));
  button("closer", "zoom in ( + )", () => view.zoom(1 / 1.5));
  button("whole", "the whole picture ( 0 )", () => view.reset());
  const rows = [button("shorter", "shorter rows", () => view.zoomRows(1 / 1.5)),
    button("taller", "taller rows", () => view.zoomRows(1.5))];
  gap();
  const input = make("input");
  input.type = "search";
  input.placeholder = "filter: words";
  input.setAttribute("aria-label", "show only requests with these words");
  input.addEventListener("input", () => view.filter(input.value));
  const count = make("span", "asgilab-count");
  count.setAttribute("aria-live", "polite");
  const text = make("button", "", "as text");
  text.type = "button";
  text.setAttribute("aria-pressed", "false");
  text.addEventListener("click", () => {
    view.text.hidden = !view.text.hidden;
    view.stage.hidden = view.legend.hidden = !view.text.hidden;
    text.setAttribute("aria-pressed", String(!view.text.hidden));
  });
  view.bar.append(input, count, text);
  view.onPlay = () => {
    play.replaceChildren(icon(view.playing ? "pause" : "play"));
    play.setAttribute("aria-label", view.playing ? "pause (space)" : "play (space)");
  };
  view.onFilter = () => {
    const all = view.scene.lanes.length;
    count.textContent = view.matching < all ? `${view.matching} of ${all}` : "";
  };
  view.onScene = () => {
    const requests = view.scene.lanes.some((lane) => lane.conn) && view.scene.lanes.length > 1;
    input.hidden = count.hidden = !requests;
    for (const it of rows) it.hidden = !requests;
    text.hidden = !view.words;
  };
}

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
    if (event.ctrlKey || event.metaKey) {
      view.zoom(Math.exp(clamp(event.deltaY * unit, -120, 120) / 240), view.painter.at(x, y));
      event.preventDefault();
    } else if (event.altKey) {
      view.zoomRows(Math.exp(-clamp(event.deltaY * unit, -120, 120) / 240), y);
      event.preventDefault();
    } else {
      const along = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (Math.abs(along) > 0.5) { view.pan((along * unit) / view.width); event.preventDefault(); }
      else if (view.scrollBy(event.deltaY * unit)) event.preventDefault();
    }
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
    moved += Math.abs(x - before[0]) + Math.abs(y - before[1]);
    pointers.set(event.pointerId, [x, y]);
    if (pointers.size === 2) {
      const now = spread(pointers);
      if (apart > 10 && now > 10) view.zoom(apart / now, view.painter.at(x, y));
      apart = now;
    } else if (moved > 4) {
      canvas.setPointerCapture(event.pointerId);
      canvas.classList.add("dragging");
      view.hint(null);
      view.drag(before[0] - x, before[1] - y);
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
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = KEYS[event.key];
    if (!act) return;
    act(view);
    event.preventDefault();
    event.stopPropagation(); // a notebook has keys of its own
  });
}

const spread = (pointers) => {
  if (pointers.size < 2) return 0;
  const [[x0, y0], [x1, y1]] = [...pointers.values()];
  return Math.hypot(x1 - x0, y1 - y0);
};

View.prototype.drag = function drag(dx, dy) {
  this.pan(dx / this.painter.plot[1]);
  this.scrollBy(dy);
};

const KEYS = {
  ArrowLeft: (view) => view.pan(-0.1),
  ArrowRight: (view) => view.pan(0.1),
  ArrowUp: (view) => view.scrollBy(-60),
  ArrowDown: (view) => view.scrollBy(60),
  "+": (view) => view.zoom(1 / 1.5),
  "=": (view) => view.zoom(1 / 1.5),
  "-": (view) => view.zoom(1.5),
  0: (view) => view.reset(),
  Home: (view) => view.look_at(view.scene.axis.begin, view.scene.axis.begin + view.to - view.from),
  End: (view) => view.look_at(view.scene.axis.end - (view.to - view.from), view.scene.axis.end),
  ",": (view) => view.step(-1),
  ".": (view) => view.step(1),
  " ": (view) => view.play(),
  Escape: (view) => view.clear(),
};

export function mount(element, payload, options) {
  return new View(element, payload, options);
}

// ------------------------------------------------------------------ the notebook (anywidget)

function render({ model, el }) {
  const payload = () => ({ ...model.get("payload"), items: model.get("items") });
  const view = mount(el, payload(), {
    onSelect: (seq) => {
      model.set("detail", "");
      model.set("selected", seq);
      model.save_changes();
    },
  });
  const listeners = {
    "change:payload": () => view.update(payload()),
    "change:detail": () => view.say(model.get("detail")),
    "change:selected": () => {
      const seq = model.get("selected");
      const now = view.picked == null ? -1 : view.columns.event[view.picked];
      if (seq !== now) view.select(seq);
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
