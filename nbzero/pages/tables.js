// Tables that are sorted by a click on the head of a column, after cells.js.
// A page has `state` with pool, proxy and sorts, `said` for a proxy's name, and `chooseProxy`.

// ---- Tables: {id, title, notes, columns, numeric, rows, sort, choose}.
// choose: what the first cell of a row does; of a table of proxies it chooses the proxy.

function mark(row) {
  const chosen = row.dataset.row === state.proxy;
  row.classList.toggle("chosen", chosen);
  if (chosen) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
}

function fill(body, table, id) {
  const places = table.columns.map((_, c) => decimals(table, c));
  body.replaceChildren(...sortedRows(table, state.sorts[id] ?? []).map((cells) => {
    const row = make("tr", {"data-row": cells[0]});
    cells.forEach((cell, c) => {
      const value = absent(cell) ? "" : String(cell);
      if (c) row.append(make("td", {class: table.numeric[c] ? "number" : "arch", "data-value": value}, cellText(cell, places[c])));
      else if (table.choose || cell in state.pool.scores) {
        const button = make("button", {type: "button", title: `choose ${cell}`}, said(cell));
        button.addEventListener("click", () => (table.choose ?? chooseProxy)(cell));
        row.append(make("th", {scope: "row", "data-value": value}, button));
      } else row.append(make("th", {scope: "row", "data-value": value}, cell));
    });
    mark(row);
    return row;
  }));
}

function sortBy(section, table, id, column) {
  const keys = state.sorts[id] ?? [];
  const descending = keys[0]?.column === column ? !keys[0].descending : false;
  state.sorts[id] = [{column, descending}, ...keys.filter((key) => key.column !== column)];
  showOrder(section, section.table ?? table, id);
  fill(section.querySelector("tbody"), section.table ?? table, id);
}

function showOrder(section, table, id) {
  const first = (state.sorts[id] ?? []).find((key) => table.columns.includes(key.column));
  section.querySelectorAll("thead th").forEach((head) => {
    const here = first && head.dataset.column === first.column;
    head.setAttribute("aria-sort", here ? (first.descending ? "descending" : "ascending") : "none");
  });
  if (!first) return;
  const [low, high] = table.numeric[table.columns.indexOf(first.column)] ? ["lowest", "highest"] : ["A", "Z"];
  section.querySelector(".order").textContent = `Sorted by ${first.column}, ${first.descending ? high : low} first; rows without a value last, equal ` +
    "ones in the order they had. The head of a column sorts by it.";
}

function tableOf(table) {
  const {id} = table, section = make("section", {id, "aria-labelledby": `${id}-title`});
  const heads = table.columns.map((column, c) => {
    const button = make("button", {type: "button"}, column);
    button.addEventListener("click", () => sortBy(section, table, id, column));
    return make("th", {scope: "col", "data-column": column, "aria-sort": "none", class: table.numeric[c] ? "number" : null}, button);
  });
  const body = make("tbody");
  const shown = make("table", {"aria-labelledby": `${id}-title`}, make("thead", {}, make("tr", {}, ...heads)), body);
  section.append(make("h2", {id: `${id}-title`}, table.title), ...table.notes.map((note) => make("p", {class: "faint"}, note)),
    make("p", {class: "order", role: "status"}), make("div", {class: "scroll", tabindex: "0", role: "region", "aria-labelledby": `${id}-title`}, shown));
  if (table.sort) state.sorts[id] ??= [table.sort];  // by merit, until a column is clicked
  showOrder(section, table, id);
  fill(body, table, id);
  return section;
}
