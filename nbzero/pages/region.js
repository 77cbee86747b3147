// A region of the scatter: drawn with the pointer or typed, and the archs in it.

const ENDS = ["x0", "x1", "y0", "y1"];
const LISTED = 500;  // archs of a region in the table
const DRAG = 5;  // pixels from which a press is no click
let pressed = null;

const short = (value) => Number(value.toPrecision(6));
const inRegion = ({x, y}) => x >= state.region.x0 && x <= state.region.x1 && y >= state.region.y0 && y <= state.region.y1;

// A region from two pixels of the plot.
function regionBetween(a, b) {
  const {x, y, width, height} = plot(), clip = (value, most) => Math.min(Math.max(value, 0), most);
  const [x0, x1] = [a.x, b.x].map((value) => short(x.invert(clip(value, width)))).sort((one, other) => one - other);
  const [y0, y1] = [a.y, b.y].map((value) => short(y.invert(clip(value, height)))).sort((one, other) => one - other);
  return {x0, x1, y0, y1};
}

function press(event) {
  if (event.button === 0) pressed = pixelOf(event);
}

function isDrag(event, from) {
  const now = pixelOf(event);
  return Math.hypot(now.x - from.x, now.y - from.y) > DRAG;
}

function drag(event) {
  if (!pressed || !isDrag(event, pressed)) return;
  state.region = regionBetween(pressed, pixelOf(event));
  charts.scatter.view.data("region", [state.region]).runAsync();
}

function release(event) {
  if (!pressed) return;
  const from = pressed;
  pressed = null;
  if (!isDrag(event, from)) return chooseArch(archNear(from));
  state.region = regionBetween(from, pixelOf(event));
  refresh();
}

// The fields as a region; what is empty is the end of what is drawn.
function typeRegion() {
  const {points} = state.drawn, [x, y] = [extent(points, "x"), extent(points, "y")];
  const open = {x0: x[0], x1: x[1], y0: y[0], y1: y[1]}, given = ENDS.filter((end) => at(end).value !== "");
  state.region = given.length ? Object.fromEntries(ENDS.map((end) => [end, at(end).value === "" ? open[end] : Number(at(end).value)])) : null;
  refresh();
}

// Measured and predicted accuracies are summed up apart.
function summaryOf(points) {
  return KINDS.map((kind, k) => {
    const values = points.filter((point) => point.kind === k).map((point) => point.y);
    if (!values.length) return `no ${kind} arch`;
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return `${whole(values.length)} ${kind}, ${state.pool.metric} ${places(low)} to ${places(high)}, mean ${places(mean(values))}`;
  }).reverse().join("; ");
}

function showRegion() {
  for (const end of ENDS) at(end).value = state.region ? short(state.region[end]) : "";
  at("region-home").replaceChildren();
  if (!state.region) {
    show("region-summary", "", "Drag over the chart, or type its ends.");
    return;
  }
  const inside = state.drawn.points.filter(inRegion).sort((a, b) => b.kind - a.kind || b.y - a.y), costs = costsOf(state.pool);
  show("region-summary", inside.length, `${whole(inside.length)} archs in the region: ${summaryOf(inside)}.`);
  if (!inside.length) return;
  const archs = lines(state.pool.archs), own = isCost(state.proxy) ? [] : [state.proxy];
  const rows = inside.slice(0, LISTED).map(({i, x, y, kind}) => [archs[i], KINDS[kind], y, ...own.map(() => x), ...Object.values(costs).map((column) => numbers(column)[i])]);
  const columns = ["arch", "kind", state.pool.metric, ...own.map(() => "score"), ...Object.keys(costs)];
  at("region-home").replaceChildren(tableOf({
    id: "region-table", title: "Archs in the region", choose: (arch) => chooseArch(archs.indexOf(arch)),
    notes: [inside.length > LISTED ? `The first ${LISTED} of ${whole(inside.length)}, measured ones first, then the most accurate.` : "Measured ones first, then the most accurate."],
    columns, numeric: columns.map((_, c) => c > 1), rows,
  }));
}
