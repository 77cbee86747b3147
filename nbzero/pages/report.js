// The code of the page that `nbzero report` writes; report.html is its layout, report.py makes its data.
// It computes picks, true ranks and limits itself, as the Python library does: tests compare the two.
// A column is one value for each arch of a pool, in the pool's order. An arch is named by its place i in it.
// `inside` lists the places of the archs within the limit.
const data = JSON.parse(document.getElementById("data").textContent);
const STEPS = 100;
const at = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const decoded = new Map();
const state = {pool: null, proxy: "", cost: "", position: STEPS, sorts: {}};

// ---- Columns, by their number in the page's data, where equal ones are once.
// Numbers are base64 of little-endian float64, texts are lines. Each is decoded when it is first needed.

function numbers(column) {
  if (!decoded.has(column)) decoded.set(column, new Float64Array(Uint8Array.from(atob(data.columns[column]), (c) => c.charCodeAt(0)).buffer));
  return decoded.get(column);
}

function lines(column) {
  if (!decoded.has(column)) decoded.set(column, data.columns[column].split("\n"));
  return decoded.get(column);
}

// ---- Definitions, for one cost or one column of scores

// The limit at a position of the slider, from 0 to STEPS.
// The steps are equal in the cost, or in the share of the archs that the limit admits.
function limitAt(cost, position, spacing) {
  const sorted = cost.filter((value) => !Number.isNaN(value)).sort();  // a typed array sorts by number
  const [low, high] = [sorted[0], sorted[sorted.length - 1]];
  if (spacing === "quantile") return sorted[Math.max(Math.ceil(position * sorted.length / STEPS), 1) - 1];
  return position === STEPS ? high : low + position / STEPS * (high - low);
}

function within(cost, limit) {
  const inside = [];
  for (let i = 0; i < cost.length; i++) if (cost[i] <= limit) inside.push(i);
  return inside;
}

// The archs inside that have the highest score. NaN, no score, is below every number.
// Where no arch has a score, all tie.
function winners(inside, scores) {
  let top = NaN;
  for (const i of inside) if (scores[i] > top || Number.isNaN(top)) top = scores[i];
  return Number.isNaN(top) ? inside : inside.filter((i) => scores[i] === top);
}

// Accuracy -> how many of the archs inside are strictly more accurate.
function trueRanks(inside, accuracy) {
  const ranks = new Map();
  inside.map((i) => accuracy[i]).sort((a, b) => b - a).forEach((value, place) => { if (!ranks.has(value)) ranks.set(value, place); });
  return ranks;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// The pick by some scores. Of archs that tie it names the first, and has the mean accuracy and rank.
function pickOf(inside, scores, accuracy, ranks) {
  const tied = winners(inside, scores);
  return {first: tied[0], tied: tied.length, accuracy: mean(tied.map((i) => accuracy[i])), rank: mean(tied.map((i) => ranks.get(accuracy[i])))};
}

// ---- What is chosen

const largest = (pools) => pools.reduce((one, other) => (other.size > one.size ? other : one));
const pools = (space) => data.pools.filter((pool) => pool.space === space);
const setting = (pool) => `${pool.dataset}, ${pool.recipe}`;
const scoresOf = (name) => numbers(state.pool.scores[name]);
const costOf = () => (state.cost ? numbers(state.pool.costs[state.cost]) : null);

// A proxy's name as it is shown: marked where its scores are not to be trusted. Data have the plain name.
const said = (name) => (name in state.pool.doubtful ? name + data.mark : name);

function now() {
  const pool = state.pool, accuracy = numbers(pool.accuracy), cost = costOf();
  const limit = cost ? limitAt(cost, state.position, at("spacing").value) : null;
  const inside = cost ? within(cost, limit) : [...accuracy.keys()];
  return {limit, inside, accuracy, ranks: trueRanks(inside, accuracy)};
}

function options(select, values, chosen, label = (value) => value) {
  select.replaceChildren(...values.map((value) => new Option(label(value), value, false, value === chosen)));
  select.value = chosen;
}

function choosePool(pool) {
  state.pool = pool;
  const proxies = Object.keys(pool.scores), costs = Object.keys(pool.costs);
  if (!proxies.includes(state.proxy)) state.proxy = pool.opens ?? proxies[0];
  if (!costs.includes(state.cost)) state.cost = costs.includes("macs") ? "macs" : costs[0] ?? "";
  options(at("space"), [...new Set(data.pools.map((one) => one.space))], pool.space);
  options(at("setting"), pools(pool.space).map(setting), setting(pool));
  options(at("proxy"), proxies, state.proxy, said);
  options(at("cost"), costs.length ? costs : [""], state.cost, (name) => name || "none in this space");
  for (const id of ["cost", "spacing", "budget"]) at(id).disabled = !costs.length;
  at("notes").replaceChildren(...pool.notes.map((note) => make("li", {}, note)));
  at("tables").replaceChildren(make("div", {id: "picks-home"}), ...pool.tables.map(tableOf));
  refresh();
}

function chooseProxy(name) {
  state.proxy = name;
  at("proxy").value = name;
  document.querySelectorAll("tr[data-row]").forEach(mark);
  refresh();
}

// ---- Text

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function show(id, value, text) {
  at(id).textContent = text;
  at(id).dataset.value = String(value);
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const whole = (value) => value.toLocaleString("en-US", {maximumFractionDigits: 0});
const tenths = new Intl.NumberFormat("en-US", {maximumFractionDigits: 1});
// Costs are whole numbers: a large limit admits the same archs without its fraction.
const amount = (value) => tenths.format(Math.abs(value) < 1000 ? value : Math.floor(value));
const measured = () => `${state.pool.metric} (${state.pool.metric_unit})`;
const inUnits = (cost) => (data.units[cost] ? `${cost} (${data.units[cost]})` : cost);
const rounded = (value) => String(Number(value.toFixed(2)));

function refresh() {
  const {limit, inside, accuracy, ranks} = now(), pool = state.pool, archs = lines(pool.archs), cost = costOf();
  const pick = pickOf(inside, scoresOf(state.proxy), accuracy, ranks), best = winners(inside, accuracy)[0];
  const meanAccuracy = mean(inside.map((i) => accuracy[i])), meanRank = mean(inside.map((i) => ranks.get(accuracy[i])));
  const words = cost ? `${state.cost} \u2264 ${amount(limit)}` : "no limit";
  at("budget-label").textContent = cost ? `Budget: the most ${inUnits(state.cost)} that an arch may have` : "Budget: this space has none of macs, params and depth";
  show("limit", limit, `${words}: ${whole(inside.length)} of ${whole(accuracy.length)} archs`);
  at("budget").setAttribute("aria-valuetext", at("limit").textContent);
  at("low").textContent = cost ? amount(limitAt(cost, 0, "even")) : "";
  at("high").textContent = cost ? amount(limitAt(cost, STEPS, "even")) : "";
  at("meaning").textContent = [data.proxies[state.proxy], pool.doubtful[state.proxy]].filter(Boolean).join(" ");
  at("verdict").textContent = pool.verdicts[state.proxy] ?? "";
  at("pick-title").textContent = `${said(state.proxy)} picks`;
  for (const id of ["pick-what", "best-what", "random-what"]) at(id).textContent = pool.metric;
  show("pick-arch", archs[pick.first], archs[pick.first]);
  show("pick-accuracy", pick.accuracy, pick.accuracy.toFixed(4));
  show("pick-rank", pick.rank, rounded(pick.rank));
  show("pick-of", inside.length, `among ${whole(inside.length)}`);
  show("pick-tied", pick.tied, pick.tied > 1 ? `${whole(pick.tied)} archs tie for the highest score: means over them; named is the first.` : "");
  show("best-arch", archs[best], archs[best]);
  show("best-accuracy", accuracy[best], accuracy[best].toFixed(4));
  show("best-ahead", accuracy[best] - pick.accuracy, (accuracy[best] - pick.accuracy).toFixed(4));
  show("random-accuracy", meanAccuracy, meanAccuracy.toFixed(4));
  show("random-rank", meanRank, rounded(meanRank));
  at("summary").textContent = `With ${words}, ${said(state.proxy)} picks an arch of ${pool.metric} ${pick.accuracy.toFixed(4)}, true rank ${rounded(pick.rank)} ` +
    `among ${whole(inside.length)}; the best there has ${accuracy[best].toFixed(4)}.`;
  picksTable(inside, accuracy, ranks, words);
  draw();
}

// ---- Tables: {id, title, notes, columns, numeric, rows, sort}.
// A cell is a number, a string or null. In a numeric column the strings "inf" and "-inf" are infinities.

const absent = (cell) => cell === null || Number.isNaN(cell);
const plain = (cell) => (cell === "inf" ? Infinity : cell === "-inf" ? -Infinity : cell);

// Rows by the column that was clicked last; equal ones by those clicked before, and then as they came.
// Absent cells are last in both directions.
function sortedRows(table, keys) {
  const order = table.rows.map((row, place) => ({row, place}));
  const compare = (a, b) => {
    for (const {column, descending} of keys) {
      const c = table.columns.indexOf(column);
      if (c < 0) continue;
      let [x, y] = [a.row[c], b.row[c]];
      if (absent(x) || absent(y)) {
        if (absent(x) !== absent(y)) return absent(x) ? 1 : -1;
        continue;
      }
      if (table.numeric[c]) [x, y] = [plain(x), plain(y)];
      if (x !== y) return (x < y) === descending ? 1 : -1;
    }
    return a.place - b.place;
  };
  return order.sort(compare).map(({row}) => row);
}

// As few decimals as show every number of a column to four places, a rank to two.
function decimals(table, c) {
  if (!table.numeric[c]) return 0;
  const most = table.columns[c] === "true_rank" ? 2 : 4;
  const there = table.rows.map((row) => plain(row[c])).filter((cell) => !absent(cell) && Number.isFinite(cell));
  return Math.max(0, ...there.map((cell) => (String(Number(cell.toFixed(most))).split(".")[1] ?? "").length));
}

function cellText(cell, places) {
  if (absent(cell)) return "\u2013";
  if (typeof cell === "string") return cell;
  return cell.toLocaleString("en-US", {minimumFractionDigits: places, maximumFractionDigits: places});
}

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
      else if (cell in state.pool.scores) {
        const button = make("button", {type: "button", title: `choose ${cell}`}, said(cell));
        button.addEventListener("click", () => chooseProxy(cell));
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

function picksTable(inside, accuracy, ranks, words) {
  const archs = lines(state.pool.archs), random = {accuracy: mean(inside.map((i) => accuracy[i])), rank: mean(inside.map((i) => ranks.get(accuracy[i])))};
  const rows = Object.keys(state.pool.scores).map((name) => [name, pickOf(inside, scoresOf(name), accuracy, ranks)]);
  rows.push([data.oracle, pickOf(inside, accuracy, accuracy, ranks)], [data.random, {...random, tied: inside.length, first: null}]);
  const table = {
    id: "picks", title: `What every proxy picks: ${words}`,
    notes: ["Moves with the slider. true_rank: how many of the archs within the limit are strictly more accurate than the pick; means where num_tied archs tie.", ...state.pool.doubts],
    columns: ["proxy", "true_rank", state.pool.metric, "num_tied", "arch"], numeric: [false, true, true, true, false],
    sort: {column: "true_rank", descending: false},
    rows: rows.map(([name, pick]) => [name, pick.rank, pick.accuracy, pick.tied, pick.first === null ? null : archs[pick.first]]),
  };
  const home = at("picks-home");
  if (!home.firstChild || home.firstChild.table.columns.join() !== table.columns.join()) home.replaceChildren(tableOf(table));
  else {
    at("picks-title").textContent = table.title;
    fill(home.querySelector("tbody"), table, "picks");
  }
  home.firstChild.table = table;
}

// ---- Charts, as Vega-Lite specifications.
// Where an axis changes, a chart is drawn anew. Otherwise it is only given other points.

const charts = {drawn: Promise.resolve(), scatter: null, curve: null, keys: {}};
let asked = 0;

function theme() {
  const [text, faint, line] = ["text", "faint", "line"].map(css);
  const font = getComputedStyle(document.body).fontFamily;
  const axis = {labelColor: faint, titleColor: text, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 12, titleFontSize: 13};
  return {
    background: css("panel"), font, view: {stroke: line}, axis: {...axis, titleFontWeight: 500, labelFont: font, titleFont: font},
    legend: {disable: true},  // the page has its own legends, which wrap on a narrow screen
  };
}

function scatterPoints() {
  const {inside, accuracy} = now(), pool = state.pool, archs = lines(pool.archs), scores = scoresOf(state.proxy), admitted = new Set(inside);
  const place = at("axis").value === "rank" ? places(scores) : scores, kinds = KINDS(), small = pool.size > 2000 ? 10 : 34, points = [];
  const costs = Object.entries(pool.costs).map(([name, column]) => [name, numbers(column)]);
  const point = (i, kind) => ({
    x: place[i], y: accuracy[i], kind: kinds[kind], size: [small, small, 300, 190][kind], opacity: [.6, .75, 1, 1][kind], arch: archs[i],
    told: [archs[i], `${pool.metric} ${accuracy[i].toFixed(4)}`, `score ${Number(scores[i].toPrecision(6))}`,
      ...costs.map(([name, values]) => `${name} ${amount(values[i])}`)].join("\n"),
  });
  for (const i of accuracy.keys()) if (!admitted.has(i)) points.push(point(i, 0));
  for (const i of inside) points.push(point(i, 1));
  points.push(point(winners(inside, accuracy)[0], 2));
  for (const i of winners(inside, scores).slice(0, 200)) points.push(point(i, 3));  // more of them would hide the rest
  return points.filter((one) => Number.isFinite(one.x));
}

// The place of every arch by its score, from 1 for the highest. Ties share the best of their places.
// NaN where there is no score.
function places(scores) {
  const ranks = trueRanks([...scores.keys()].filter((i) => !Number.isNaN(scores[i])), scores);
  return Float64Array.from(scores, (score) => (Number.isNaN(score) ? NaN : ranks.get(score) + 1));
}

const KINDS = () => ["over the limit", "within the limit", "best within the limit", `pick of ${said(state.proxy)}`];

function scatterSpec() {
  const pool = state.pool, byPlace = at("axis").value === "rank", domain = KINDS();
  const scale = (range) => ({field: "kind", type: "nominal", title: null, scale: {domain, range}, legend: null});
  const given = (field) => ({field, type: "quantitative", scale: null, legend: null});
  return {
    width: "container", height: "container", autosize: {type: "fit", contains: "padding"}, data: {name: "points", values: scatterPoints()},
    mark: {type: "point", strokeWidth: 2, invalid: "show"},  // all points are finite, so none need be filtered
    encoding: {
      x: {field: "x", type: "quantitative", title: byPlace ? `place by ${said(state.proxy)} (1 is highest)` : `score of ${said(state.proxy)}${pool.flipped.includes(state.proxy) ? ", sign turned" : ""}`,
        scale: {zero: false, nice: false, padding: 10, reverse: byPlace}, axis: {format: byPlace ? ",.0f" : ".4~g", labelOverlap: true, tickCount: 6}},
      y: {field: "y", type: "quantitative", title: measured(), scale: {zero: false, nice: false, padding: 12}, axis: {format: ".3~f"}},
      fill: scale([css("over"), css("within"), "transparent", css("pick")]),
      stroke: scale(["transparent", "transparent", css("best"), css("panel")]),
      shape: scale(["circle", "circle", "circle", "diamond"]),
      size: given("size"), opacity: given("opacity"),
      tooltip: {field: "told"},  // made beforehand: Vega's interpreter takes seconds to format 15,000 of them
    },
  };
}

function curvePoints() {
  const accuracy = numbers(state.pool.accuracy), scores = scoresOf(state.proxy), cost = costOf(), spacing = at("spacing").value, rows = [];
  const series = SERIES();
  for (let position = 0; position <= STEPS; position++) {
    const limit = limitAt(cost, position, spacing), inside = within(cost, limit);
    const values = [winners(inside, accuracy), winners(inside, scores), inside].map((some) => mean(some.map((i) => accuracy[i])));
    values.forEach((value, s) => rows.push({limit, value, series: series[s]}));
  }
  return rows;
}

const SERIES = () => ["best within the limit", `pick of ${said(state.proxy)}`, "at random, on average"];

function curveSpec() {
  const pool = state.pool, domain = SERIES();
  const x = {field: "limit", type: "quantitative", title: `limit on ${inUnits(state.cost)}`, scale: {zero: false, nice: false}, axis: {format: "~s", labelOverlap: true, tickCount: 6}};
  return {
    width: "container", height: "container", autosize: {type: "fit", contains: "padding"},
    layer: [
      {data: {name: "now", values: [{limit: now().limit}]}, mark: {type: "rule", color: css("text"), strokeDash: [3, 3], strokeWidth: 1.5}, encoding: {x}},
      {data: {values: curvePoints()}, mark: {type: "line", interpolate: "step-after", strokeWidth: 2.2, clip: true},
        encoding: {
          x, y: {field: "value", type: "quantitative", title: measured(), scale: {zero: false, nice: false, padding: 8}, axis: {format: ".3~f"}},
          color: {field: "series", type: "nominal", title: null, scale: {domain, range: [css("best"), css("pick"), css("faint")]}, legend: null},
          strokeDash: {field: "series", type: "nominal", title: null, scale: {domain, range: [[1, 0], [6, 2], [2, 3]]}, legend: null},
          tooltip: [{field: "series", title: "what"}, {field: "limit", title: "limit", format: ",.0f"}, {field: "value", title: pool.metric, format: ".4f"}],
        }},
    ],
  };
}

async function redraw(id, key, spec, update, described) {
  at(id).setAttribute("role", "img");
  at(id).setAttribute("aria-label", described);
  if (charts[id] && charts.keys[id] === key) return update(charts[id].view);
  charts[id]?.finalize();
  charts[id] = await vegaEmbed(at(id), spec(), {mode: "vega-lite", renderer: "canvas", ast: true, actions: false, config: theme()});
  charts.keys[id] = key;
  return charts[id].view;
}

function legend(id, names, classes) {
  at(id).replaceChildren(...names.map((name, k) => make("li", {}, make("span", {class: `swatch ${classes[k]}`, "aria-hidden": "true"}), name)));
}

function draw() {
  const turn = ++asked;
  const frame = new Promise((go) => requestAnimationFrame(go));
  charts.drawn = charts.drawn.then(() => frame).then(async () => {
    if (turn !== asked) return;  // a later change is waiting, and draws everything
    const {pool, proxy, cost} = state, {inside} = now(), key = [data.pools.indexOf(pool), proxy, cost, at("axis").value, at("spacing").value, css("panel")].join();
    const drawable = [...scoresOf(proxy)].filter((score) => (at("axis").value === "rank" ? !Number.isNaN(score) : Number.isFinite(score))).length;
    const left = pool.size - drawable;
    at("scatter-title").textContent = `${said(proxy)} and ${pool.metric}: ${pool.space}, N = ${whole(pool.size)}`;
    legend("scatter-legend", KINDS(), ["over", "within", "best ring", "pick diamond"]);
    legend("curve-legend", SERIES(), ["best line", "pick line dashed", "faint line dotted"]);
    at("scatter-note").textContent = left ? `${whole(left)} archs without a ${at("axis").value === "rank" ? "" : "finite "}score are not drawn.` : "";
    await redraw("scatter", key, scatterSpec, (view) => view.data("points", scatterPoints()).runAsync(),
      `Scatter of ${pool.metric} over ${said(proxy)}, ${inside.length} of ${pool.size} archs within the limit. ${at("summary").textContent}`);
    at("curve").closest("section").hidden = !cost;
    if (!cost) return;
    at("curve-title").textContent = `${capital(pool.metric)} of the pick as the limit on ${cost} grows: ${pool.space}, N = ${whole(pool.size)}`;
    await redraw("curve", key, curveSpec, (view) => view.data("now", [{limit: now().limit}]).runAsync(),
      `${pool.metric} of what ${said(proxy)} picks, of the best and of a random arch over the limit on ${cost}. ${at("summary").textContent}`);
  });
}

// ---- Start

at("about").textContent = data.about;
at("licence").textContent = data.licence;
at("space").addEventListener("change", () => choosePool(largest(pools(at("space").value))));
at("setting").addEventListener("change", () => choosePool(pools(state.pool.space).find((pool) => setting(pool) === at("setting").value)));
at("proxy").addEventListener("change", () => chooseProxy(at("proxy").value));
at("cost").addEventListener("change", () => { state.cost = at("cost").value; refresh(); });
at("spacing").addEventListener("change", refresh);
at("axis").addEventListener("change", draw);
at("budget").addEventListener("input", () => { state.position = Number(at("budget").value); refresh(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
state.position = Number(at("budget").value);  // a browser may keep the slider where it was before a reload
window.report = {charts, state, tableOf};
choosePool(largest(data.pools));
