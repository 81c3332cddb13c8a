"use strict";
// A file that is dropped into the field becomes its text.
(() => {
  const field = document.querySelector("[data-drop]");
  if (!field) return;
  field.addEventListener("dragover", (event) => event.preventDefault());
  field.addEventListener("drop", (event) => {
    const [file] = event.dataTransfer.files;
    if (!file) return;
    event.preventDefault();
    file.text().then((text) => { field.value = text; });
  });
  const verdict = document.getElementById("verdict");
  if (verdict) verdict.focus();
})();
