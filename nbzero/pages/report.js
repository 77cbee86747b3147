// The code of the page that `nbzero report` writes; report.html is its layout, report.py makes its data.
// common.js and tables.js go before it.
const STEPS = 100;
const decoded = new Map();
const state = {pool: null, proxy: "", cost: "", position: STEPS, sorts: {}};

// ---- Columns, by their number in the page's data, where equal ones are once.
// Numbers are base64 of little-endian float64, texts are lines. Each is decoded when it is first needed.

function numbers(column) {
  if (!decoded.has(column)) decoded.set(column, new Float64Array(bytesOf(data.columns[column]).buffer));
  return decoded.get(column);
}

function lines(column) {
  if (!decoded.has(column)) decoded.set(column, data.columns[column].split("\n"));
  return decoded.get(column);
}

// ---- What is chosen

const largest = (pools) => pools.reduce((one, other) => (other.size > one.size ? other : one));
const pools = (space) => data.pools.filter((pool) => pool.space === space);
const setting = (pool) => `${pool.dataset}, ${pool.recipe}`;
const scoresOf = (name) => numbers(state.pool.scores[name]);
const limited = (pool) => ({...pool.costs, ...pool.latencies});
const costOf = () => (state.cost ? numbers(limited(state.pool)[state.cost]) : null);

function now() {
  const pool = state.pool, accuracy = numbers(pool.accuracy), cost = costOf();
  const limit = cost ? limitAt(cost, state.position, STEPS, at("spacing").value) : null;
  const inside = cost ? within(cost, limit) : [...accuracy.keys()];
  return {limit, inside, accuracy, ranks: trueRanks(inside, accuracy)};
}

function choosePool(pool) {
  state.pool = pool;
  const proxies = Object.keys(pool.scores), costs = Object.keys(limited(pool));
  if (!proxies.includes(state.proxy)) state.proxy = pool.opens ?? proxies[0];
  if (!costs.includes(state.cost)) state.cost = costs.includes("macs") ? "macs" : costs[0] ?? "";
  options(at("space"), [...new Set(data.pools.map((one) => one.space))], pool.space);
  options(at("setting"), pools(pool.space).map(setting), setting(pool));
  options(at("proxy"), proxies, state.proxy, said);
  options(at("cost"), costs.length ? costs : [""], state.cost, (name) => name || "none in this space");
  for (const id of ["cost", "spacing", "budget"]) at(id).disabled = !costs.length;
  listed("notes", pool.notes);
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

function refresh() {
  const {limit, inside, accuracy, ranks} = now(), pool = state.pool, archs = lines(pool.archs), cost = costOf();
  const pick = pickOf(inside, scoresOf(state.proxy), accuracy, ranks), best = winners(inside, accuracy)[0];
  const meanAccuracy = mean(inside.map((i) => accuracy[i])), meanRank = mean(inside.map((i) => ranks.get(accuracy[i])));
  const words = cost ? `${state.cost} \u2264 ${amount(limit)}` : "no limit";
  at("budget-label").textContent = cost ? `Budget: the most ${inUnits(state.cost)} that an arch may have` : "Budget: this space has none of macs, params and depth";
  show("limit", limit, `${words}: ${whole(inside.length)} of ${whole(accuracy.length)} archs`);
  at("budget").setAttribute("aria-valuetext", at("limit").textContent);
  at("low").textContent = cost ? amount(limitAt(cost, 0, STEPS, "even")) : "";
  at("high").textContent = cost ? amount(limitAt(cost, STEPS, STEPS, "even")) : "";
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

// ---- Charts: the scatter, and the curve over limits

function scatterPoints() {
  const {inside, accuracy} = now(), pool = state.pool, archs = lines(pool.archs), scores = scoresOf(state.proxy), admitted = new Set(inside);
  const place = at("axis").value === "rank" ? places(scores) : scores, kinds = KINDS(), small = pool.size > 2000 ? 10 : 34, points = [];
  const costs = Object.entries(limited(pool)).map(([name, column]) => [name, numbers(column)]);
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
    const limit = limitAt(cost, position, STEPS, spacing), inside = within(cost, limit);
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
