"use strict";
// Opens the version that the address names.
(() => {
  const open = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const inside = id && document.getElementById(id);
    const details = inside && inside.querySelector("details");
    if (details) {
      details.open = true;
      inside.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  open();
})();
