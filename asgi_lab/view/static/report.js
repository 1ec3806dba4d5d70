// Where the page of a report has all it shows: in the file itself, compressed.

const unpack = (bytes) => new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
const packed = (id) => bytesOf(by(id).textContent);

// ---- events: their lines, and all that is known of each

const unpacked = unpack(packed("lines")).text().then((text) => (text ? text.split("\n") : []));
let whole = null; // the trace's own lines, unpacked when somebody asks for one

// What is known of an event, a fact a line: the page's side of asgi_lab.view.words.
async function wordsOf(seq) {
  const k = await numberOf(seq);
  if (k < 0) return "This event is not in the page.";
  const lines = await unpacked;
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

async function numberOf(seq) {
  const lines = await unpacked;
  places ??= new Map(lines.map((line, k) => [parseInt(line, 10), k]));
  return places.get(seq) ?? -1;
}

// What does not print, escaped: as asgi_lab.plain.clean does.
function visible(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, (char) => {
    const code = char.codePointAt(0);
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

const requests = unpack(packed("requests")).json();

const source = {
  words: wordsOf,
  place: numberOf,
  pictures: async (conn) => (await requests)[conn],
  without: (conn) => `#${conn} has no pictures of its own in this page: only those that failed and the slowest have.`,
  cut: () => (meta.kept < meta.events
    ? `; the last ${meta.kept.toLocaleString("en")} of ${meta.events.toLocaleString("en")} are in this page` : ""),
  save: () => URL.createObjectURL(new Blob([packed("trace")], { type: "application/gzip" })),
};

async function open() {
  const [told, items] = await Promise.all([
    unpack(packed("timeline")).json(), unpack(packed("items")).arrayBuffer(),
  ]);
  show("timeline", { ...told, items }, {
    maxHeight: 620,
    onLane: (conn) => showRequest(conn),
    onSelect: (seq) => selectEvent(seq, views.timeline),
    onFlag: flagged,
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

open();
