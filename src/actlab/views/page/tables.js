// Tables that sort: a click on a heading orders the rows by its column, a second one the other way.

/** What a cell is sorted by: its number, where its text begins with one; else its text. */
export function sortKey(text) {
  const plain = text.trim().replaceAll("−", "-").replaceAll(",", "");
  const found = /^[<>±+]?\s*(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/i.exec(plain);
  return found ? Number(found[1]) : plain;
}

/** Smaller before larger, numbers before texts, dashes last. */
export function compared(a, b) {
  const rank = (key) => (typeof key === "number" ? 0 : key === "–" || key === "" ? 2 : 1);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a === "number") return a - b;
  return a.localeCompare(b);
}

function sort(table, column, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, key: sortKey(row.cells[column].textContent) }));
  const last = (key) => key === "–" || key === "";
  rows.sort((a, b) => (last(a.key) || last(b.key) ? 1 : descending ? -1 : 1) * compared(a.key, b.key));
  body.append(...rows.map(({ row }) => row));
}

/** Make the headings of every table buttons, but of a matrix, whose rows and columns are the same things. */
export function sortable() {
  for (const table of document.querySelectorAll("table:not(.confusion)")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const descending = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        sort(table, column, descending);
      });
    });
  }
}
