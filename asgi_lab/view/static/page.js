// The page of a report: one script with timeline.js, which stands before it.

const by = (id) => document.getElementById(id);
const meta = JSON.parse(by("meta").textContent);
const ROW_HEIGHT = 22;

const unpack = (bytes) => new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
const packed = (id) => bytesOf(by(id).textContent);

// ---- events: their lines, and all that is known of each

const unpacked = unpack(packed("lines")).text().then((text) => (text ? text.split("\n") : []));
let whole = null; // the trace's own lines, unpacked when somebody asks for one

// What is known of an event, a fact a line: the page's side of asgi_lab.view.words.
async function wordsOf(seq) {
  const lines = await unpacked;
  places ??= new Map(lines.map((line, k) => [parseInt(line, 10), k]));
  const k = places.get(seq);
  if (k === undefined) return "This event is not in the page.";
  whole ??= unpack(packed("trace")).text().then((text) => text.split("\n"));
  const [, ms, conn, layer, , told] = lines[k].split("\t");
  const data = JSON.parse((await whole)[k + 1])[5] ?? {};
  const rows = [];
  for (const [name, value] of Object.entries(data)) {
    if (name === "type" || name === "length" || value === null || value === "" || value.length === 0) continue;
    const parts = name === "took" ? [duration(value)]
      : name === "headers" && Array.isArray(value) ? value.map((pair) => (Array.isArray(pair) ? pair.join(": ") : String(pair)))
        : typeof value === "string" ? value.replace(/\n$/, "").split("\n") : [JSON.stringify(value)];
    parts.forEach((part, n) => rows.push([n ? "" : name, visible(part)]));
  }
  const width = Math.max(...rows.map(([name]) => name.length), 0);
  const where = `#${conn}, ${ms} ms after the trace began${layer === "0" ? "" : `, layer ${layer}`}`;
  return [told, where, ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`)].join("\n");
}
let places = null;

// What does not print, escaped: as asgi_lab.plain.clean does.
function visible(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, (char) => {
    const code = char.codePointAt(0);
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

// A table of which only the rows in sight are there.
class Events {
  constructor(lines, onSelect) {
    [this.lines, this.onSelect] = [lines, onSelect];
    this.chosen = -1;
    this.box = by("rows");
    this.body = this.box.querySelector("tbody");
    this.box.addEventListener("scroll", () => this.draw());
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-k]");
      if (row) this.choose(Number(row.dataset.k));
    });
    this.box.addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15 }[event.key];
      if (!by || !this.shown.length) return;
      const at = bisect(0, this.shown.length, (n) => this.shown[n] < this.chosen);
      this.choose(this.shown[this.chosen < 0 ? 0 : clamp(at + by, 0, this.shown.length - 1)]);
      event.preventDefault();
    });
    by("search").addEventListener("input", (event) => this.search(event.target.value));
    this.search("");
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  search(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const told = words.map((word) => (/^#\d+$/.test(word) ? `\t${word.slice(1)}\t` : word));
    this.small ??= words.length ? this.lines.map((line) => line.toLowerCase()) : null;
    this.shown = [];
    for (let k = 0; k < this.lines.length; k++) {
      if (!words.length || told.every((word, n) => (
        word[0] === "\t" ? numbered(this.lines[k]) === words[n].slice(1) : this.small[k].includes(word)))) this.shown.push(k);
    }
    const all = meta.events.toLocaleString("en");
    const cut = meta.kept < meta.events ? `; the last ${meta.kept.toLocaleString("en")} of ${all} are in this page` : "";
    by("found").textContent = `${this.shown.length.toLocaleString("en")} of ${this.lines.length.toLocaleString("en")} events${cut}`;
    this.box.scrollTop = 0;
    this.draw();
  }

  draw() {
    const room = Math.ceil(this.box.clientHeight / ROW_HEIGHT) + 2;
    const first = clamp(Math.floor(this.box.scrollTop / ROW_HEIGHT) - 1, 0, Math.max(this.shown.length - room, 0));
    const rows = this.shown.slice(first, first + room).map((k) => this.row(k));
    const space = (count) => {
      const row = make("tr");
      const cell = make("td");
      cell.colSpan = 3;
      cell.style.height = `${count * ROW_HEIGHT}px`;
      row.append(cell);
      return row;
    };
    this.body.replaceChildren(space(first), ...rows, space(Math.max(this.shown.length - first - rows.length, 0)));
  }

  row(k) {
    const [, ms, conn, layer, kind, told] = this.lines[k].split("\t");
    const row = make("tr", ["raise", "finding", "cancel"].includes(kind) ? "bad" : "");
    row.dataset.k = k;
    row.setAttribute("aria-selected", String(k === this.chosen));
    row.append(make("td", "", ms), make("td", "", conn), make("td", "", "  ".repeat(Number(layer)) + told));
    row.lastChild.title = told;
    return row;
  }

  choose(k, quiet = false) {
    this.chosen = k;
    const at = bisect(0, this.shown.length, (n) => this.shown[n] < k) * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.box;
    if (at < scrollTop || at > scrollTop + clientHeight - 3 * ROW_HEIGHT) this.box.scrollTop = at - clientHeight / 3;
    this.draw();
    if (quiet) return;
    const seq = parseInt(this.lines[k], 10);
    this.onSelect(seq);
    wordsOf(seq).then((told) => {
      if (this.chosen !== k) return;
      by("words").textContent = told;
      by("words").hidden = false;
    });
  }
}

const numbered = (line) => line.split("\t", 3)[2];

// ---- pictures

const views = {};
const options = { describe: wordsOf };

function show(id, payload, more = {}) {
  const said = { theme: meta.theme, ...payload };
  if (views[id]) views[id].update(said);
  else views[id] = mount(by(`${id}-view`), said, { ...options, maxHeight: 900, ...more });
}

async function showRequest(conn, why = "") {
  const known = (await requests)[conn];
  by("choice").value = String(conn);
  by("choice-why").textContent = known ? why
    : `#${conn} has no pictures of its own in this page: only those that failed and the slowest have.`;
  by("own").hidden = !known;
  for (const [id, payload] of Object.entries(known ?? {})) show(id, payload);
}

function chooseRequest(conn) {
  views.timeline?.highlight(conn);
  return showRequest(conn);
}

async function selectEvent(seq, from) {
  if (from !== views.timeline) views.timeline.select(seq);
  if (events) {
    await wordsOf(seq);
    if (places.has(seq)) events.choose(places.get(seq), true);
  }
}

let events = null;
const requests = unpack(packed("requests")).json();

async function open() {
  const [told, items] = await Promise.all([
    unpack(packed("timeline")).json(), unpack(packed("items")).arrayBuffer(),
  ]);
  show("timeline", { ...told, items }, {
    maxHeight: 620,
    onLane: (conn) => showRequest(conn),
    onSelect: (seq) => selectEvent(seq, views.timeline),
  });
  document.documentElement.dataset.drawn = String(Math.round(performance.now()));
  for (const [conn, label] of meta.requests) {
    const option = make("option", "", label);
    option.value = conn;
    by("choice").append(option);
  }
  by("request").hidden = by("concurrency").hidden = !meta.requests.length;
  if (meta.requests.length) {
    const some = meta.requests.length < meta.of ? `; of ${meta.of.toLocaleString("en")} requests, the ${meta.requests.length} that failed or took longest` : "";
    await showRequest(meta.chosen, `${meta.why}${some}`);
    show("concurrency", meta.concurrency);
  }
  events = new Events(await unpacked, (seq) => views.timeline.select(seq));
  document.documentElement.dataset.ready = "true";
}

by("choice").addEventListener("change", (event) => chooseRequest(Number(event.target.value)));
document.addEventListener("click", (event) => {
  const conn = event.target.closest?.("[data-conn]")?.dataset.conn;
  if (!conn) return;
  chooseRequest(Number(conn));
  by("request").scrollIntoView({ block: "start" });
});
by("theme").addEventListener("click", () => {
  const mode = modeOf(options.theme ?? "auto") === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = options.theme = mode;
  for (const view of Object.values(views)) view.setTheme(mode);
});
by("save").addEventListener("click", () => {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([packed("trace")], { type: "application/gzip" }));
  link.download = "trace.jsonl.gz";
  link.click();
  URL.revokeObjectURL(link.href);
});
open();
