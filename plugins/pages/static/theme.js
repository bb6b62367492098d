// Light or dark as the Airflow UI around this page has it; alone, as the UI was last set, else as the system says.
"use strict";
(() => {
  const root = document.documentElement;
  let outer = null;
  try {
    outer = window.parent === window ? null : window.parent.document.documentElement;
  } catch {
    outer = null; // a frame of another origin
  }
  const chosen = () => {
    const shown = ["dark", "light"].find((name) => outer?.classList.contains(name));
    return shown ?? (["dark", "light"].includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "");
  };
  const follow = () => {
    root.dataset.theme = chosen();
  };
  follow();
  if (outer) {
    new MutationObserver(follow).observe(outer, { attributes: true, attributeFilter: ["class"] });
  }
})();
