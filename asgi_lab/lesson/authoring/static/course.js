// The page of a chapter: one script with timeline.js, which stands before it.

const theme = THEME;
const views = [];
const KEPT = "asgi-lab-theme";

const wanted = () => document.documentElement.dataset.theme || "auto";

function draw(figure) {
  const { scene, words, text } = JSON.parse(figure.querySelector("script").textContent);
  const place = document.createElement("div");
  figure.querySelector("img").replaceWith(place);
  const describe = (seq) => words[seq] ?? "";
  views.push(mount(place, { theme, scene, text }, { describe, theme: wanted(), maxHeight: 900 }));
}

function setTheme(mode) {
  document.documentElement.dataset.theme = mode;
  for (const view of views) view.setTheme(mode);
}

function keep(mode) {
  try { localStorage.setItem(KEPT, mode); } catch { /* not allowed here: it is for this page alone */ }
}

function kept() {
  try { return localStorage.getItem(KEPT); } catch { return null; }
}

setTheme(kept() ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
document.getElementById("theme").addEventListener("click", () => {
  const mode = wanted() === "dark" ? "light" : "dark";
  setTheme(mode);
  keep(mode);
});

// Far down there may be many: each is drawn when it is about to be seen.
const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    draw(target);
  }
}, { rootMargin: "800px" });
for (const figure of document.querySelectorAll("figure.picture:has(script)")) near.observe(figure);
