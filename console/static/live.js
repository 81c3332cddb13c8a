// Asks once a second for the newest figures, while somebody looks, and writes them where the page has a place.
const EVERY_MS = 1000;
const HOUR_EVERY_MS = 10_000;
const LATE_MS = 15_000;
const OLD_MS = 30_000;
const root = new URL("..", import.meta.url);
const SVG = "http://www.w3.org/2000/svg";
const CHARTS = [[1, "In, records/s"], [2, "Out, records/s"], [3, "Lag, records"], [4, "Dead letters"]];

// A number for people, or words; null is unknown, and never looks like 0.
const number = (value) => (value === null || value === undefined ? "unknown"
  : typeof value === "string" ? value || "no"
    : value.toLocaleString("en", { maximumFractionDigits: 1 }));

const write = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };

let newest = 0;
let tag = "";
let told = "";

// `answer`: its headers say when the servers were asked, by the clock of the console.
function freshness(answer) {
  const at = Date.parse(answer.headers.get("Looked-At"));
  const late = Date.parse(answer.headers.get("Date")) - at > OLD_MS;
  const old = `The figures are those of ${new Date(at || 0).toISOString().slice(11, 19)}: the servers take long to answer.`;
  write(document.getElementById("freshness"), late ? `${old} ${told}`.trim() : told || "These figures are of now.");
}

function show(document_) {
  told = document_.told;
  for (const fault of document.querySelectorAll("[data-fault]")) {
    fault.hidden = document_.state !== "failed";
    if (document_.why) write(fault, document_.why);
  }
  servers(document_.servers);
  late(document_);
  const unknown = document_.state === "loading" ? "not read yet" : "unknown";
  for (const place of document.querySelectorAll("[data-live]")) {
    const figures = document_.contracts[place.dataset.live];
    for (const figure of place.querySelectorAll("[data-figure]")) {
      write(figure, figures ? number(figures[figure.dataset.figure]) : unknown);
    }
  }
}

function late(document_) {
  const place = document.querySelector("[data-late]");
  if (!place) return;
  write(place, document_.late);
  const found = Object.entries(document_.contracts).filter(([, figures]) => figures.late);
  const rows = found.map(([name, figures]) => {
    const row = document.createElement("li");
    const line = [...document.querySelectorAll("tr[data-live]")].find((one) => one.dataset.live === name);
    const link = line ? line.querySelector("th a").cloneNode(true) : document.createTextNode(name);
    row.append(link, `: ${figures.late}`);
    return row;
  });
  const list = document.querySelector("[data-late-list]");
  if (list.textContent.replace(/\s+/g, "") !== rows.map((row) => row.textContent).join("").replace(/\s+/g, "")) {
    list.replaceChildren(...rows);
  }
}

function servers(list) {
  const place = document.querySelector("[data-servers]");
  if (!place) return;
  const rows = list.map((one) => {
    const row = document.createElement("li");
    const name = document.createElement("strong");
    name.textContent = one.name;
    const address = document.createElement("code");
    address.textContent = one.address;
    const state = document.createElement("span");
    state.className = one.why ? "badge bad" : "badge good";
    state.textContent = one.why ? "does not answer" : "answers";
    row.append(name, " ", address, " ", state, one.why ? ` ${one.why}` : "");
    return row;
  });
  if (place.textContent.replace(/\s+/g, "") !== rows.map((row) => row.textContent).join("").replace(/\s+/g, "")) {
    place.replaceChildren(...rows);
  }
}

function stale(why) {
  tag = "";
  write(document.getElementById("freshness"), why);
  write(document.querySelector("[data-late]"), "Unknown.");
  document.querySelector("[data-late-list]")?.replaceChildren();
  for (const figure of document.querySelectorAll("[data-figure], [data-store]")) write(figure, "unknown");
  for (const state of document.querySelectorAll("[data-servers] .badge")) {
    state.className = "badge";
    write(state, "unknown");
  }
}

async function ask() {
  if (document.hidden) return;
  try {
    const headers = tag ? { "If-None-Match": tag } : {};
    const answer = await fetch(new URL("live.json", root), { headers, cache: "no-store" });
    if (answer.status === 401) {
      stale("Your session has ended: load the page again to sign in.");
      clearInterval(timer);
      return;
    }
    if (answer.status !== 304 && !answer.ok) throw new Error(answer.status);
    newest = Date.now();
    if (answer.status !== 304) {
      const document_ = await answer.json();
      tag = answer.headers.get("ETag") || "";
      show(document_);
    }
    freshness(answer);
  } catch {
    if (Date.now() - newest > LATE_MS || !newest) stale("The console does not answer: the figures are unknown.");
  }
}

// -- the last hour of one contract ------------------------------------------------------------------------------

function line(points, column) {
  const known = points.filter((point) => point[column] !== null);
  const most = Math.max(1, ...known.map((point) => point[column]));
  const from = points.length ? points[0][0] : 0;
  const length = Math.max(1, points.length ? points[points.length - 1][0] - from : 1);
  let path = "";
  let pen = "M";
  for (const point of points) {
    if (point[column] === null) {
      pen = "M";
      continue;
    }
    const x = ((point[0] - from) / length) * 100;
    const y = 100 - (point[column] / most) * 100;
    path += `${pen}${x.toFixed(2)} ${y.toFixed(2)}`;
    pen = "L";
  }
  return { path, most, last: points.length ? points[points.length - 1][column] : null };
}

function chart(title, points, column) {
  const { path, most, last } = line(points, column);
  const made = document.createElement("figure");
  made.className = "chart";
  const caption = document.createElement("figcaption");
  const name = document.createElement("span");
  name.textContent = title;
  const value = document.createElement("strong");
  value.textContent = number(last);
  caption.append(name, value);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${title} in the last hour: now ${number(last)}, at most ${number(most)}`);
  const drawn = document.createElementNS(SVG, "path");
  drawn.setAttribute("d", path || "M0 100");
  svg.append(drawn);
  made.append(caption, svg);
  return made;
}

async function hour() {
  const place = document.querySelector("[data-charts]");
  const source = document.querySelector("[data-points]");
  if (!place || !source || document.hidden) return;
  try {
    const answer = await fetch(source.dataset.points, { cache: "no-store" });
    if (!answer.ok) return;
    const { points, stores } = await answer.json();
    for (const store of document.querySelectorAll("[data-store]")) {
      write(store, stores[store.dataset.store] ?? "unknown");
    }
    if (points.length > 1) place.replaceChildren(...CHARTS.map(([column, title]) => chart(title, points, column)));
  } catch { /* `ask` says that the console does not answer */ }
}

const timer = setInterval(ask, EVERY_MS);
document.addEventListener("visibilitychange", () => { ask(); hour(); });
ask();
hour();
setInterval(hour, HOUR_EVERY_MS);
