// What the page of a report and a live page have in common: pictures, and a table of events.
//
// One script with timeline.js, which stands before it, and report.js or live.js after it: that one
// has the `source`.
//   source.words(seq)       all that is known of an event, a fact a line (a promise)
//   source.pictures(conn)   the pictures of one request, by name; or nothing (a promise)
//   source.place(seq)       the number of an event's line in the table, or -1 (a promise)
//   source.without(conn)    what is said of a request that has no pictures
//   source.cut()            what is said if there are more events than lines
//   source.chose(conn)      the reader has chosen a request (if the source wants to know)
//   source.save()           the address of the trace as a file

const by = (id) => document.getElementById(id);
const meta = JSON.parse(by("meta").textContent);
const ROW_HEIGHT = 22;

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

  search(query, stay = false) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const told = words.map((word) => (/^#\d+$/.test(word) ? `\t${word.slice(1)}\t` : word));
    this.small ??= words.length ? this.lines.map((line) => line.toLowerCase()) : null;
    this.shown = [];
    for (let k = 0; k < this.lines.length; k++) {
      if (!words.length || told.every((word, n) => (
        word[0] === "\t" ? numbered(this.lines[k]) === words[n].slice(1) : this.small[k].includes(word)))) this.shown.push(k);
    }
    by("found").textContent = `${this.shown.length.toLocaleString("en")} of ${this.lines.length.toLocaleString("en")} events${source.cut()}`;
    if (!stay) this.box.scrollTop = 0;
    this.draw();
  }

  // Some more lines, of which the last ones stay. Who reads the last is shown the last.
  append(lines, most) {
    const { scrollTop, clientHeight, scrollHeight } = this.box;
    const last = scrollTop + clientHeight > scrollHeight - 2 * ROW_HEIGHT;
    const gone = Math.max(this.lines.length + lines.length - most, 0);
    this.lines = [...this.lines, ...lines].slice(-most);
    this.small = null;
    this.chosen = Math.max(this.chosen - gone, -1);
    this.search(by("search").value, true);
    if (last) this.box.scrollTop = this.box.scrollHeight;
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
    source.words(seq).then((told) => {
      if (this.chosen !== k) return;
      by("words").textContent = told;
      by("words").hidden = false;
    });
  }
}

const numbered = (line) => line.split("\t", 3)[2];

// ---- pictures

const views = {};
const options = { describe: (seq) => source.words(seq) };

function show(id, payload, more = {}) {
  const said = { theme: meta.theme, ...payload };
  if (views[id]) views[id].update(said);
  else views[id] = mount(by(`${id}-view`), said, { ...options, maxHeight: 900, ...more });
}

async function showRequest(conn, why = "") {
  const known = await source.pictures(conn);
  by("choice").value = String(conn);
  by("choice-why").textContent = known ? why : source.without(conn);
  by("own").hidden = !known;
  for (const [id, payload] of Object.entries(known ?? {})) show(id, payload);
}

function chooseRequest(conn) {
  source.chose?.(conn);
  views.timeline?.highlight(conn);
  return showRequest(conn);
}

async function selectEvent(seq, from) {
  if (from !== views.timeline) views.timeline.select(seq);
  const place = events ? await source.place(seq) : -1;
  if (place >= 0) events.choose(place, true);
}

let events = null;

// ---- what is wrong: a card chooses what it is about, a flag in the picture its card

function markCard(number) {
  for (const card of document.querySelectorAll("[data-diagnosis]")) {
    if (Number(card.dataset.diagnosis) === number) card.setAttribute("aria-current", "true");
    else card.removeAttribute("aria-current");
  }
}

async function flagged(flag) {
  markCard(flag ? flag.number : -1);
  const place = events && flag?.event >= 0 ? await source.place(flag.event) : -1;
  if (place >= 0) events.choose(place, true);
}

function chooseDiagnosis({ diagnosis, of }) {
  const view = views.timeline;
  if (!view) return;
  view.point(Number(diagnosis));
  if (of) {
    source.chose?.(Number(of));
    showRequest(Number(of), "what is wrong concerns it");
  }
  const { top, bottom } = view.stage.getBoundingClientRect();
  if (top < 0 || bottom > innerHeight) by("pictured").scrollIntoView({ block: "nearest" });
}

by("choice").addEventListener("change", (event) => chooseRequest(Number(event.target.value)));
document.addEventListener("click", (event) => {
  const card = event.target.closest?.("[data-diagnosis]");
  if (card && getSelection().isCollapsed) chooseDiagnosis(card.dataset); // else words are being copied
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
  link.href = source.save();
  link.download = "trace.jsonl.gz";
  link.click();
  URL.revokeObjectURL(link.href);
});
