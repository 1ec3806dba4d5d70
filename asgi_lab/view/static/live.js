// Where a live page has all it shows: from the server that traces, as it happens.

const MOST = 20000; // lines of events
const about = { total: 0 };

const ask = (path) => fetch(path).then((answer) => (answer.ok ? answer : null), () => null);
const GONE = "The server of this page has ended; what was seen is still here.";

const source = {
  words: async (seq) => (await (await ask(`event/${seq}`))?.text()) ?? GONE,
  place: async (seq) => events.lines.findLastIndex((line) => parseInt(line, 10) === seq),
  pictures: async (conn) => (await ask(`request/${conn}`))?.json(),
  without: (conn) => `#${conn} is not known any more.`,
  cut: () => (about.total > events?.lines.length ? `, of ${about.total.toLocaleString("en")} in all` : ""),
  chose: (conn) => { [chosen, byReader] = [conn, false]; },
  save: () => "trace.jsonl.gz",
};

// ---- what is told

let chosen = 0; // the request whose pictures are shown: the first, until the reader has chosen one
let byReader = false;
let dirty = true; // whether something is new since the curves were drawn

const TOLD = {
  scene: (payload) => {
    show("timeline", payload, {
      maxHeight: 620,
      onLane: (conn) => choose(conn, true),
      onSelect: (seq) => selectEvent(seq, views.timeline),
      onFlag: flagged,
    });
    if (byReader) views.timeline.highlight(chosen);
    document.documentElement.dataset.ready = "true";
  },
  delta: (delta) => views.timeline?.append(delta),
  lines: ({ lines, anew, total }) => {
    about.total = total;
    dirty = true;
    if (anew) events.lines = [];
    const last = parseInt(events.lines.at(-1) ?? "-1", 10); // who has just come may be told twice
    events.append(lines.filter((line) => parseInt(line, 10) > last), MOST);
  },
  wrong: ({ cards }) => {
    const focused = document.activeElement.closest("[data-diagnosis]")?.dataset.diagnosis;
    put("diagnoses", cards);
    markCard(views.timeline?.flag?.number ?? -1);
    document.querySelector(`[data-diagnosis="${focused}"] button`)?.focus({ preventScroll: true });
  },
  summary: ({ title, about: where, summary, findings, requests }) => {
    by("title").textContent = title;
    document.title = `${title} – asgi-lab`;
    by("about").textContent = where;
    put("sums", summary);
    put("findings", findings);
    offer(requests);
  },
  end: ({ words }) => {
    stream.close();
    tell(words);
    document.documentElement.dataset.ended = "true";
  },
};

// Tables made by the server, who has escaped what is in them; left alone if nothing has changed.
function put(id, table) {
  if (by(id).dataset.told === table) return;
  by(id).dataset.told = table;
  by(id).innerHTML = table;
}

function offer(requests) {
  const select = by("choice");
  const known = new Map([...select.options].map((option) => [option.value, option]));
  select.replaceChildren(...requests.map(([conn, label]) => {
    const option = known.get(String(conn)) ?? make("option");
    option.value = conn;
    option.textContent = label;
    return option;
  }));
  by("request").hidden = by("concurrency").hidden = !requests.length;
  if (!requests.length) return;
  if (!chosen) choose(requests[0][0]);
  select.value = String(chosen);
}

function choose(conn, reader = false) {
  [chosen, byReader] = [conn, reader];
  return showRequest(conn);
}

function tell(words) {
  by("state").textContent = words;
}

// ---- the curves, anew now and then while they are in sight

let inSight = false;
new IntersectionObserver(([entry]) => { inSight = entry.isIntersecting; }).observe(by("concurrency"));
setInterval(async () => {
  if (!inSight || !dirty) return;
  dirty = false;
  const curves = await (await ask("concurrency"))?.json();
  if (curves) show("concurrency", curves);
}, 2000);

// ---- begin

const state = make("p", "soft");
state.id = "state";
state.setAttribute("role", "status");
by("about").after(state);
by("request").hidden = by("concurrency").hidden = true;
by("choice").addEventListener("change", (event) => { [chosen, byReader] = [Number(event.target.value), true]; });
events = new Events([], (seq) => views.timeline?.select(seq));
const stream = new EventSource("live");
stream.addEventListener("open", () => tell("live"));
stream.addEventListener("error", () => tell("the connection is lost; trying again"));
for (const [name, act] of Object.entries(TOLD)) {
  stream.addEventListener(name, (event) => act(JSON.parse(event.data)));
}
