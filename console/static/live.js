// Asks once a second for the newest figures, while somebody looks, and writes them where the page has a place.
const EVERY_MS = 1000;
const HOUR_EVERY_MS = 10_000;
const LATE_MS = 15_000;
const root = new URL("..", import.meta.url);
const SVG = "http://www.w3.org/2000/svg";
const CHARTS = [[1, "In, records/s"], [2, "Out, records/s"], [3, "Lag, records"], [4, "Dead letters"]];

const number = (value) => (value === null || value === undefined ? "–"
  : value.toLocaleString("en", { maximumFractionDigits: 1 }));

const write = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };

let newest = 0;
let tag = "";

function show(document_) {
  const told = document.getElementById("freshness");
  if (told) {
    write(told, document_.state === "loading" ? "The first figures are on their way."
      : document_.state === "failed" ? "The servers could not be asked."
        : document_.state === "partly" ? "Some servers do not answer; their figures are unknown." : "Live");
  }
  for (const fault of document.querySelectorAll("[data-fault]")) {
    fault.hidden = document_.state !== "failed";
    if (document_.why) write(fault, document_.why);
  }
  servers(document_.servers);
  late(document_);
  for (const place of document.querySelectorAll("[data-live]")) {
    const figures = document_.contracts[place.dataset.live];
    for (const figure of place.querySelectorAll("[data-figure]")) {
      const value = figures ? figures[figure.dataset.figure] : null;
      write(figure, value === "" ? "no" : number(value));
    }
  }
}

function late(document_) {
  const told = document.querySelector("[data-late]");
  if (!told) return;
  const all = Object.entries(document_.contracts);
  const found = all.filter(([, figures]) => figures.late);
  const unknown = all.filter(([, figures]) => figures.late === null).length;
  const some = unknown && unknown < all.length ? ` The lag of ${unknown} is not known.` : "";
  write(told, (found.length ? `${found.length} of ${all.length} contracts:`
    : unknown < all.length ? "Nothing is late." : "Not known.") + some);
  const rows = found.map(([name, figures]) => {
    const row = document.createElement("li");
    const place = [...document.querySelectorAll("tr[data-live]")].find((one) => one.dataset.live === name);
    const link = place ? place.querySelector("th a").cloneNode(true) : document.createTextNode(name);
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
  const told = document.getElementById("freshness");
  if (told) write(told, why);
  for (const figure of document.querySelectorAll("[data-figure]")) write(figure, "–");
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
    newest = Date.now();
    if (answer.status === 304) return;
    if (!answer.ok) throw new Error(answer.status);
    tag = answer.headers.get("ETag") || "";
    show(await answer.json());
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
  return { path, most, last: known.length ? known[known.length - 1][column] : null };
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
    const { points } = await answer.json();
    if (points.length > 1) place.replaceChildren(...CHARTS.map(([column, title]) => chart(title, points, column)));
  } catch { /* `ask` says that the console does not answer */ }
}

const timer = setInterval(ask, EVERY_MS);
document.addEventListener("visibilitychange", () => { ask(); hour(); });
ask();
hour();
setInterval(hour, HOUR_EVERY_MS);
