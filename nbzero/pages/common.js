// What the pages of pools share, after elements.js: names, numbers, and what a score picks under a limit.
// It computes picks, true ranks and limits itself, as the Python library does: tests compare the two.
// A column is one value for each arch of a pool, in the pool's order. An arch is named by its place i in it.
// `inside` lists the places of the archs within the limit. A page has `state`, with the chosen pool.

// ---- Elements, names and numbers

// A proxy's name as it is shown: marked where its scores are not to be trusted. Data have the plain name.
const said = (name) => (name in state.pool.doubtful ? name + data.mark : name);
const measured = () => `${state.pool.metric} (${state.pool.metric_unit})`;
const inUnits = (cost) => (data.units[cost] ? `${cost} (${data.units[cost]})` : cost);

function show(id, value, text) {
  at(id).textContent = text;
  at(id).dataset.value = String(value);
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const tenths = new Intl.NumberFormat("en-US", {maximumFractionDigits: 1});
// A large limit on what is counted admits the same archs without its fraction; small ones may be milliseconds.
function amount(value) {
  if (Number.isNaN(value)) return "\u2013";
  if (Math.abs(value) < 10) return String(Number(value.toPrecision(3)));
  return tenths.format(Math.abs(value) < 1000 ? value : Math.floor(value));
}
const rounded = (value) => String(Number(value.toFixed(2)));

function options(select, values, chosen, label = (value) => value) {
  select.replaceChildren(...values.map((value) => new Option(label(value), value, false, value === chosen)));
  select.value = chosen;
}

// ---- Definitions, for one cost or one column of scores

// The limit after some of a number of steps from the lowest cost to the highest.
// The steps are equal in the cost ("even"), or in the share of the archs that the limit admits ("quantile").
function limitAt(cost, position, steps, spacing) {
  const sorted = cost.filter((value) => !Number.isNaN(value)).sort();  // a typed array sorts by number
  const [low, high] = [sorted[0], sorted[sorted.length - 1]];
  if (spacing === "quantile") return sorted[Math.max(Math.ceil(position * sorted.length / steps), 1) - 1];
  return position === steps ? high : low + position / steps * (high - low);
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

// ---- Charts, as Vega-Lite specifications.
// Where an axis changes, a chart is drawn anew. Otherwise it is only given other points.

const charts = {drawn: Promise.resolve(), keys: {}};  // and each chart by the id of its place
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

async function redraw(id, key, spec, update, described) {
  at(id).setAttribute("role", "img");
  at(id).setAttribute("aria-label", described);
  if (charts[id] && charts.keys[id] === key) return update(charts[id].view);
  charts[id]?.finalize();
  charts[id] = await vegaEmbed(at(id), spec(), {mode: "vega-lite", renderer: "canvas", ast: true, actions: false, config: theme()});
  charts.keys[id] = key;
  return charts[id].view;
}
