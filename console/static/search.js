"use strict";
// Filters the list of contracts while somebody types.  The index of fields is loaded once, with the first letter.
// `overview.py` searches in the same way where there is no script.
(() => {
  const form = document.querySelector("form.search");
  const input = document.getElementById("q");
  const told = document.getElementById("told");
  const items = [...document.querySelectorAll("#contracts > .contract")];
  const PLACES = ["name", "topic", "owner", "tag", "field"];
  const MOST = 20;
  let index = null;
  let loading = null;
  let whole = true;

  // Without the index (a page opened as a file), what the list itself shows is searched.
  const shown = () => items.map((item) => ({
    name: item.dataset.name, slug: "", topic: "", owner: "", text: item.textContent, tags: [], fields: [],
  }));

  const load = () => {
    loading ??= fetch(form.dataset.index, { credentials: "same-origin" })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(answer.status))))
      .catch(() => { whole = false; return shown(); })
      .then((found) => { index = new Map(found.map((one) => [one.name, one])); });
    return loading;
  };

  const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const at = word.indexOf(":");
    const place = word.slice(0, at);
    return at > 0 && PLACES.includes(place) && word.length > at + 1 ? [place, word.slice(at + 1)] : ["", word];
  });

  const has = (entry, place, word, found) => {
    const texts = ["name", "topic", "owner"].filter((key) => !place || place === key).map((key) => entry[key]);
    if (!place) texts.push(entry.text);
    if (!place || place === "tag") texts.push(...entry.tags);
    let hit = texts.some((text) => text.toLowerCase().includes(word));
    if (!place || place === "tag" || place === "field") {
      for (const one of entry.fields) {
        const parts = place === "tag" ? one.tags : place === "field" ? [one.path] : [one.path, one.doc];
        if (parts.some((part) => part.toLowerCase().includes(word))) {
          hit = true;
          found.set(one.path, one);
        }
      }
    }
    return hit;
  };

  const row = (entry, one) => {
    const made = document.createElement("li");
    const link = document.createElement("a");
    const name = document.createElement("code");
    name.textContent = one.path;
    name.dir = "auto";
    link.append(name);
    link.href = `contracts/${entry.slug}.html#${one.anchor}`;
    const doc = document.createElement("span");
    doc.textContent = ` ${one.doc}`;
    doc.dir = "auto";
    const uses = document.createElement("span");
    uses.className = "line muted";
    uses.dir = "auto";
    const stored = one.stored.length ? `goes to ${one.stored.join(", ")}; ` : "";
    const readers = one.readers.length ? `read by ${one.readers.join(", ")}` : "no consumer declares that it reads it";
    uses.textContent = stored + readers;
    made.append(link, doc, uses);
    return made;
  };

  const show = () => {
    const words = wordsOf(input.value);
    let number = 0;
    for (const item of items) {
      const entry = index.get(item.dataset.name);
      const found = new Map();
      const fits = words.length === 0 || (entry && words.every(([place, word]) => has(entry, place, word, found)));
      item.hidden = !fits;
      number += fits ? 1 : 0;
      const list = item.querySelector(".found");
      const rows = fits ? [...found.values()].slice(0, MOST).map((one) => row(entry, one)) : [];
      if (found.size > MOST) {
        const more = document.createElement("li");
        more.textContent = `and ${(found.size - MOST).toLocaleString("en")} more`;
        rows.push(more);
      }
      list.replaceChildren(...rows);
      list.hidden = rows.length === 0;
    }
    const of = words.length ? ` of ${items.length.toLocaleString("en")}` : "";
    const fields = whole ? "" : "; fields are searched only where a web server delivers these pages";
    told.textContent = `${number.toLocaleString("en")}${of} contract${number === 1 && !of ? "" : "s"}${fields}`;
    const address = new URL(location.href);
    if (input.value) address.searchParams.set("q", input.value); else address.searchParams.delete("q");
    try { history.replaceState(null, "", address); } catch { /* a page opened as a file has no address to change */ }
  };

  const search = () => load().then(show);
  form.hidden = false;
  form.addEventListener("submit", (event) => { event.preventDefault(); search(); });
  input.addEventListener("input", search);
  const asked = new URLSearchParams(location.search).get("q");
  if (asked) {
    input.value = asked;
    search();
  }
})();
