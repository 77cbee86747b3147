// The scatter: accuracy over a cost or a score, measured and predicted archs told apart by shape and colour.

const SKEWED = 100;  // a positive column whose largest value is so many times its smallest has a logarithmic axis
const CROWDED = 0.05;  // and one whose middle half spans less of its range a symmetric one, linear around 0
const KINDS = ["predicted", "measured"];  // drawn in this order
const NEAR = 22;  // pixels within which a click means a point

// The names that have a rank: the costs and scores of the pool, and the reader's. Latencies can be on the axis too.
const rankedNames = () => [...(hasOwn() ? [YOURS] : []), ...Object.keys(state.pool.scores)];
const axisNames = () => [...rankedNames(), ...Object.keys(state.pool.latencies)];
const costsOf = (pool) => ({...pool.costs, ...pool.latencies});
const isCost = (name) => name in costsOf(state.pool);
const valuesOf = (name) => (name === YOURS ? state.own.values : numbers(state.pool.scores[name] ?? state.pool.latencies[name]));
const isLower = (name) => (name === YOURS ? state.own.lower : state.pool.lower.includes(name));

// The Vega scale of the finite values of the archs that could be drawn.
function scaleOf(values) {
  if (state.scale !== "auto" || !values.length) return {type: state.scale === "log" ? "log" : "linear"};
  const sorted = Float64Array.from(values).sort(), share = (part) => sorted[Math.floor(part * (sorted.length - 1))];
  const [low, first, third, high] = [0, .25, .75, 1].map(share);
  if (low > 0 && high / low > SKEWED) return {type: "log"};
  if (low < high && third - first < CROWDED * (high - low)) {
    const sizes = sorted.map(Math.abs).filter((size) => size > 0).sort();
    return {type: "symlog", constant: sizes[Math.floor(sizes.length / 4)]};
  }
  return {type: "linear"};
}

// The archs as points, the scale, and how many are left out and why.
function pointsNow() {
  const pool = state.pool, values = valuesOf(state.proxy), accuracy = numbers(pool.accuracy), predicted = pool.predicted ? numbers(pool.predicted.mean) : null;
  const left = {absent: 0, infinite: 0, negative: 0, unknown: 0}, finite = [];
  for (let i = 0; i < pool.size; i++) {
    const kind = Number.isNaN(accuracy[i]) ? 0 : 1, y = kind ? accuracy[i] : predicted ? predicted[i] / data.scale : NaN;
    if (!state.shows[KINDS[kind]]) continue;
    if (Number.isNaN(y)) left.unknown++;
    else if (Number.isNaN(values[i])) left.absent++;
    else if (!Number.isFinite(values[i])) left.infinite++;
    else finite.push({i, x: values[i], y, kind});
  }
  const scale = scaleOf(finite.map((point) => point.x)), points = finite.filter((point) => scale.type !== "log" || point.x > 0);
  left.negative = finite.length - points.length;
  points.sort((a, b) => a.kind - b.kind);
  return {points, scale, left};
}

function leftInWords({absent, infinite, negative, unknown}, name) {
  const parts = [[absent, `without a score of ${name}`], [infinite, `with an infinite score of ${name}`], [negative, "not above 0, which a logarithmic axis does not have"], [unknown, "neither measured nor predicted"]];
  const there = parts.filter(([number]) => number).map(([number, words]) => `${whole(number)} ${words}`);
  return there.length ? `Not drawn: ${there.join("; ")}.` : "Every arch is drawn.";
}

// Points as the chart reads them; what a point says is made beforehand, because Vega takes seconds for it.
function chartPoints(points) {
  const small = points.length > 2000 ? 12 : 40, archs = lines(state.pool.archs);
  return points.map(({i, x, y, kind}) => ({
    x, y, kind: KINDS[kind], size: kind ? 46 : small, opacity: kind ? .9 : .45,
    told: `${archs[i]}\n${KINDS[kind]} ${state.pool.metric} ${y.toFixed(4)}\n${state.proxy} ${digits(x)}`,
  }));
}

// The least and the most of some points; without points those of an empty chart.
function extent(points, axis) {
  if (!points.length) return [1, 10];
  return points.reduce(([low, high], point) => [Math.min(low, point[axis]), Math.max(high, point[axis])], [Infinity, -Infinity]);
}

const chosenPoint = () => state.drawn.points.filter((point) => point.i === state.arch).map(({x, y}) => ({x, y}));
const axisTitle = (name) => (isCost(name) ? inUnits(name) : `score of ${said(name)}${isLower(name) ? ", lower is better" : ""}`);

function scatterSpec() {
  const {points, scale} = state.drawn, scaled = (range) => ({field: "kind", type: "nominal", title: null, scale: {domain: KINDS, range}, legend: null});
  const given = (field) => ({field, type: "quantitative", scale: null, legend: null});
  const title = `${axisTitle(state.proxy)}${scale.type === "linear" ? "" : scale.type === "log" ? ", log scale" : ", log scale to both sides of 0"}`;
  const format = state.proxy in state.pool.costs ? "~s" : ".3~g";  // of milliseconds no powers
  const x = {field: "x", type: "quantitative", title, scale: {...scale, domain: extent(points, "x"), nice: false, padding: 12}, axis: {format, labelOverlap: true, tickCount: 6}};
  const y = {field: "y", type: "quantitative", title: measured(), scale: {domain: extent(points, "y"), nice: false, padding: 12}, axis: {format: ".3~f"}};
  return {
    width: "container", height: "container", autosize: {type: "fit", contains: "padding"},
    layer: [
      {data: {name: "points", values: chartPoints(points)}, mark: {type: "point", strokeWidth: 1.4, invalid: "show"}, encoding: {
        x, y, shape: scaled(["diamond", "circle"]), fill: scaled(["transparent", css("measured")]), stroke: scaled([css("predicted"), css("panel")]),
        size: given("size"), opacity: given("opacity"), tooltip: {field: "told"}}},
      {data: {name: "region", values: state.region ? [state.region] : []}, mark: {type: "rect", color: css("accent"), opacity: .15, clip: true},
        encoding: {x: {...x, field: "x0"}, x2: {field: "x1"}, y: {...y, field: "y0"}, y2: {field: "y1"}}},
      {data: {name: "chosen", values: chosenPoint()}, mark: {type: "point", shape: "circle", size: 260, strokeWidth: 3, color: css("pick"), invalid: "show"}, encoding: {x, y}},
    ],
  };
}

function draw() {
  const turn = ++asked;
  charts.drawn = charts.drawn.then(async () => {
    if (turn !== asked) return;  // a later change is waiting, and draws everything
    const name = said(state.proxy), {points, left} = state.drawn, shown = points.filter((point) => point.kind).length;
    at("scatter-title").textContent = `${capital(state.pool.metric)} over ${name}: ${state.pool.space}`;
    show("left-out", points.length, `${whole(points.length)} archs drawn: ${whole(shown)} measured, ${whole(points.length - shown)} predicted. ${leftInWords(left, name)}`);
    const key = [data.pools.indexOf(state.pool), state.proxy, state.scale, state.shows.measured, state.shows.predicted, state.ownVersion, css("panel")].join();
    await redraw("scatter", key, scatterSpec, (view) => view.data("chosen", chosenPoint()).data("region", state.region ? [state.region] : []).runAsync(), `${at("scatter-title").textContent}. ${at("left-out").textContent}`);
    await drawCurve();
  });
}

// ---- Places on the chart

// Where the plot begins within the chart's element, and its scales.
function plot() {
  const view = charts.scatter.view, [left, top] = view.origin(), padding = view.padding();
  return {x: view.scale("x"), y: view.scale("y"), left: left + padding.left, top: top + padding.top, width: view.width(), height: view.height()};
}

function pixelOf(event) {
  const box = at("scatter").querySelector("canvas").getBoundingClientRect(), {left, top} = plot();
  return {x: event.clientX - box.left - left, y: event.clientY - box.top - top};
}

// The arch that is drawn nearest to a pixel of the plot, null where none is near. Measured ones go first.
function archNear(pixel) {
  const {x, y} = plot();
  let found = null, least = NEAR ** 2;
  for (const point of state.drawn.points) {
    const distance = (x(point.x) - pixel.x) ** 2 + (y(point.y) - pixel.y) ** 2;
    if (distance <= least) [found, least] = [point.i, distance];
  }
  return found;
}

// The next arch along the axis.
function step(key) {
  const order = [...state.drawn.points].sort((a, b) => a.x - b.x || a.i - b.i);
  if (!order.length) return;
  const here = order.findIndex((point) => point.i === state.arch), last = order.length - 1;
  const next = {ArrowRight: Math.min(here + 1, last), ArrowLeft: Math.max(here - 1, 0), Home: 0, End: last}[key];
  chooseArch(order[next].i);
}
