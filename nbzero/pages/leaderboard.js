// The code of the page that `nbzero leaderboard --out` writes; leaderboard.html is its layout, leaderboard.py makes its data.
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const KINDS = ["proxy", "cost", "vote", "hybrid", "submission"];
const ROW = 18;  // pixels of a row of the diagram
const sorts = {};

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// ---- Tables: {id, title, notes, columns, numeric, rows, sort}. A cell is a number, a string or null.

const absent = (cell) => cell === null;

// Rows by one column; absent cells last in both directions, equal ones in the order they came.
function sortedRows(table) {
  const {column, descending} = sorts[table.id], c = table.columns.indexOf(column);
  const compare = (a, b) => {
    const [x, y] = [a[c], b[c]];
    if (absent(x) || absent(y)) return absent(x) - absent(y);
    if (x === y) return 0;
    return (x < y) === descending ? 1 : -1;
  };
  return [...table.rows].sort(compare);
}

// As few decimals as show every number of a column to four places, ranks to two.
function decimals(table, c) {
  if (!table.numeric[c]) return 0;
  const most = table.columns[c].includes("rank") ? 2 : 4;
  const there = table.rows.map((row) => row[c]).filter((cell) => !absent(cell));
  return Math.max(0, ...there.map((cell) => (String(Number(cell.toFixed(most))).split(".")[1] ?? "").length));
}

function cellText(cell, places) {
  if (absent(cell)) return "\u2013";
  if (typeof cell === "string") return cell;
  return cell.toLocaleString("en-US", {minimumFractionDigits: places, maximumFractionDigits: places});
}

const said = (name) => (data.doubtful.includes(name) ? name + data.mark : name);

function rowOf(table, cells, places) {
  const row = make("tr", {"data-row": cells[0], "data-kind": cells[table.columns.indexOf("kind")]});
  cells.forEach((cell, c) => {
    const value = absent(cell) ? "" : String(cell);
    if (c) row.append(make("td", {class: table.numeric[c] ? "number" : null, "data-value": value}, cellText(cell, places[c])));
    else row.append(make("th", {scope: "row", "data-value": value, title: data.meanings[cell] ?? null}, said(cell)));
  });
  return row;
}

function showTable(table) {
  sorts[table.id] ??= table.sort;
  const {column, descending} = sorts[table.id], places = table.columns.map((_, c) => decimals(table, c));
  const heads = table.columns.map((name, c) => {
    const button = make("button", {type: "button"}, name);
    button.addEventListener("click", () => sortBy(table, name));
    const sorted = name === column ? (descending ? "descending" : "ascending") : "none";
    return make("th", {scope: "col", "data-column": name, "aria-sort": sorted, class: table.numeric[c] ? "number" : null}, button);
  });
  const rows = sortedRows(table).map((cells) => rowOf(table, cells, places));
  at(table.id).replaceChildren(make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
}

function sortBy(table, column) {
  const now = sorts[table.id];
  sorts[table.id] = {column, descending: now.column === column && !now.descending};
  showTable(table);
  at(table.id).querySelector(`th[data-column="${column}"] button`).focus();
}

const listed = (id, notes) => at(id).replaceChildren(...notes.map((note) => make("li", {}, note)));

function showPool() {
  const pool = data.pools[at("pool").selectedIndex];
  at("values-title").textContent = pool.table.title;
  listed("values-notes", pool.table.notes);
  showTable(pool.table);
}

// ---- The diagram, as a Vega-Lite specification: rows are entries by mean rank, bars at the right are cliques.

function diagramSpec() {
  const {names, kinds, ranks, cliques, difference, num_pools: pools} = data.diagram, num = names.length;
  const gap = Math.max(num, 8) / 30, right = num + 1 + gap * cliques.length;
  const dots = names.map((name, i) => ({name, kind: kinds[i], rank: ranks[i], told: `${name}, ${kinds[i]}: mean rank ${ranks[i].toFixed(2)}`}));
  const bars = cliques.map(([first, last], i) => ({
    x: num + 1 + gap * i, name: names[first], last: names[last],
    told: `${names[first]} to ${names[last]}: their mean ranks lie less than ${difference.toFixed(1)} apart`,
  }));
  const y = {field: "name", type: "nominal", sort: null, scale: {domain: names}, axis: {title: null, labelLimit: 150, labelPadding: 6, ticks: false, domain: false}};
  const ticks = [1, ...Array.from({length: Math.floor(num / 10)}, (_, i) => 10 * (i + 1))].filter((tick, i) => i === 0 || tick > 1);
  const x = {field: "rank", type: "quantitative", title: [`mean rank over ${pools} pools`, `1 is best of ${num}`],
    scale: {domain: [0, right], nice: false}, axis: {values: num < 10 ? names.map((_, i) => i + 1) : ticks, format: "d", titleAnchor: "start"}};
  const colour = {field: "kind", type: "nominal", scale: {domain: KINDS, range: KINDS.map(css)}, legend: null};
  const tooltip = {field: "told"};
  return {
    width: "container", height: ROW * num, autosize: {type: "fit-x", contains: "padding"},
    layer: [
      {data: {values: dots}, mark: {type: "rule", color: css("line")}, encoding: {y, x, x2: {datum: 0}}},
      {data: {name: "dots", values: dots}, mark: {type: "point", filled: true, size: 70, opacity: 1}, encoding: {y, x, color: colour, tooltip}},
      {data: {name: "bars", values: bars}, mark: {type: "rule", color: css("faint"), strokeWidth: 3}, encoding: {y, y2: {field: "last"}, x: {...x, field: "x"}, tooltip}},
    ],
  };
}

function theme() {
  const [text, faint, line] = ["text", "faint", "line"].map(css), font = getComputedStyle(document.body).fontFamily;
  const axis = {labelColor: text, titleColor: text, gridColor: line, domainColor: line, tickColor: faint, labelFontSize: 12, titleFontSize: 13, titleFontWeight: 500, labelFont: font, titleFont: font};
  return {background: css("panel"), font, view: {stroke: null}, axis};
}

const chart = {drawn: Promise.resolve(), shown: null};

function draw() {
  if (!data.diagram) return;
  chart.drawn = chart.drawn.then(async () => {
    chart.shown?.finalize();
    chart.shown = await vegaEmbed(at("diagram"), diagramSpec(), {mode: "vega-lite", renderer: "canvas", ast: true, actions: false, config: theme()});
  });
}

// ---- Start

at("title").textContent = data.board.title;
at("about").textContent = data.about;
at("licence").textContent = data.licence;
listed("board-notes", data.board.notes);
listed("how", data.how);
showTable(data.board);
at("pool").replaceChildren(...data.pools.map((pool) => new Option(pool.name)));
at("pool").addEventListener("change", showPool);
showPool();
at("diagram-section").hidden = !data.diagram;
if (data.diagram) {
  const {difference, ranks} = data.diagram;
  at("diagram-title").textContent = `Critical difference: ${difference.toFixed(1)} of ${ranks.length} mean ranks`;
  at("diagram").setAttribute("role", "img");
  at("diagram").setAttribute("aria-label", `Mean ranks of ${ranks.length} entries; those that lie less than ${difference.toFixed(1)} apart are joined by bars. The table above has the numbers.`);
  const kinds = KINDS.filter((kind) => data.diagram.kinds.includes(kind));
  at("legend").replaceChildren(...[...kinds, "bar"].map((kind) => make("li", {}, make("span", {class: `swatch ${kind}`, "aria-hidden": "true"}), kind === "bar" ? "not told apart" : kind)));
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
window.leaderboard = {chart, sorts};
