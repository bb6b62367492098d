// Tables of class `sortable`: a heading is a button that sorts by its column; a search field hides the other rows.
"use strict";
const valueOf = (row, column) => {
  const cell = row.cells[column];
  const value = cell.dataset.value ?? cell.textContent.trim();
  return value !== "" && !Number.isNaN(Number(value)) ? Number(value) : value;
};

const compare = (a, b) =>
  typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });

const sortBy = (table, heading) => {
  const headings = [...table.tHead.rows[0].cells];
  const numbers = heading.classList.contains("n") || heading.classList.contains("bars");
  const before = heading.getAttribute("aria-sort");
  const descending = before ? before === "ascending" : numbers;
  for (const other of headings) {
    other.removeAttribute("aria-sort");
  }
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const column = headings.indexOf(heading);
  const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row, column), row]);
  rows.sort(([a], [b]) => (descending ? compare(b, a) : compare(a, b)));
  table.tBodies[0].append(...rows.map(([, row]) => row));
};

for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sortBy(table, heading));
  }
}

for (const search of document.querySelectorAll("[data-search]")) {
  const rows = [...document.getElementById(search.dataset.search).tBodies[0].rows];
  const texts = new Map(rows.map((row) => [row, `${row.cells[0].textContent} ${row.cells[1].textContent}`.toLowerCase()]));
  const said = search.querySelector("output");
  search.hidden = false;
  search.querySelector("input").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    let shown = 0;
    for (const [row, text] of texts) {
      row.hidden = !text.includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    said.textContent = `${shown} of ${rows.length}`;
  });
}
