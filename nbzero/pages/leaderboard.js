// The code of the page that `nbzero leaderboard --out` writes; leaderboard.html is its layout, leaderboard.py makes its data.
const KINDS = ["proxy", "cost", "vote", "hybrid", "submission"];
const ROW = 18;  // pixels of a row of the diagram
const sorts = {};

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
  const rows = sortedRows(table, [sorts[table.id]]).map((cells) => rowOf(table, cells, places));
  at(table.id).replaceChildren(make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
}

function sortBy(table, column) {
  const now = sorts[table.id];
  sorts[table.id] = {column, descending: now.column === column && !now.descending};
  showTable(table);
  at(table.id).querySelector(`th[data-column="${column}"] button`).focus();
}

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
listed("notes", data.how);
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
  legend("legend", [...kinds, "not told apart"], [...kinds, "bar"]);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
window.leaderboard = {chart, sorts};
