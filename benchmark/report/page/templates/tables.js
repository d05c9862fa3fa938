// Tables: a click on a column's head sorts by it, the field above keeps rows with a text.
(() => {
  "use strict";
  const said = document.getElementById("said");

  // Numbers by value, texts by the alphabet; what has no value stays below in both directions.
  function compare(a, b, sign) {
    if (a.number !== b.number) return a.number ? -1 : 1;
    if (a.number) return sign * (a.value - b.value);
    if (!a.text || !b.text) return (a.text ? 0 : 1) - (b.text ? 0 : 1);
    return sign * a.text.localeCompare(b.text, "en", { numeric: true });
  }

  function key(row, column) {
    const cell = row.cells[column], given = cell.dataset.value;
    const text = cell.textContent.trim();
    const number = given !== undefined && given !== "";
    return { number, value: Number(given), text: text === "-" ? "" : text };
  }

  function sort(table, head) {
    const column = [...head.parentNode.cells].indexOf(head);
    const body = table.tBodies[0], rows = [...body.rows];
    const numeric = rows.some((row) => key(row, column).number);
    const order = numeric ? ["descending", "ascending", "none"] : ["ascending", "descending", "none"];
    const now = head.getAttribute("aria-sort");
    const next = order[(order.indexOf(now) + 1) % 3];
    for (const other of head.parentNode.cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", next);
    const sign = next === "descending" ? -1 : 1;
    rows.sort((a, b) => Number(a.dataset.place) - Number(b.dataset.place));
    if (next !== "none") rows.sort((a, b) => compare(key(a, column), key(b, column), sign));
    body.append(...rows);
    const name = head.textContent.trim();
    said.textContent = next === "none" ? "original order" : `sorted by ${name}, ${next}`;
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tBodies[0].rows].forEach((row, place) => { row.dataset.place = place; });
    for (const head of table.tHead.rows[table.tHead.rows.length - 1].cells) {
      head.querySelector("button").addEventListener("click", () => sort(table, head));
    }
  }

  for (const part of document.querySelectorAll("article.data")) {
    const field = part.querySelector(".filter"), none = part.querySelector(".none");
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of part.querySelectorAll("tbody tr")) {
        const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      for (const folded of part.querySelectorAll("details")) {
        if (words.length && folded.querySelector("tbody tr:not([hidden])")) folded.open = true;
      }
      none.hidden = shown > 0;
      said.textContent = `${shown} rows shown`;
    });
  }
})();
