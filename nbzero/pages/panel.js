// The panel of one arch: its accuracy, drawing, curves, neighbours, and every score with its rank.

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

// Stages as boxes: as long as their depth, as high as their width. A dark left edge halves the resolution.
function drawingOf(arch) {
  const {stem, stages} = stagesOf(arch), unit = 30, high = 110, middle = 80;
  const widest = Math.max(stem, ...stages.map((stage) => stage.width));
  const total = stages.reduce((sum, stage) => sum + stage.depth, 0);
  const words = stages.map((stage, s) => `stage ${s + 1}: ${stage.depth} blocks of width ${stage.width}, stride ${stage.stride}`).join("; ");
  const drawn = svg("svg", {viewBox: `0 0 ${unit * (total + 1) + 8} 172`, role: "img", "aria-label": `stem of width ${stem}; ${words}`});
  const box = (x, width, height, fill) => drawn.append(svg("rect", {x, y: middle - height / 2, width, height, fill}));
  const label = (x, y, text) => drawn.append(svg("text", {x, y}, text));
  box(4, 12, stem / widest * high, css("stem"));
  label(10, middle - stem / widest * high / 2 - 4, stem);
  let x = unit;
  stages.forEach((stage, s) => {
    const height = Math.max(stage.width / widest * high, 3), length = stage.depth * unit;
    for (let d = 0; d < stage.depth; d++) box(x + d * unit, unit - 1.5, height, css(`stage-${s + 1}`));
    if (stage.stride === 2) box(x - 2, 4, height, css("text"));
    label(x + length / 2, middle - height / 2 - 4, stage.width);
    label(x + length / 2, middle + height / 2 + 14, `d${stage.depth}`);
    x += length;
  });
  return drawn;
}

// Of a published space: what the arch chooses.
function choicesOf(i) {
  const list = make("dl", {class: "facts"});
  for (const [name, choice] of Object.entries(state.pool.choices)) {
    const value = numbers(choice.numbers)[i];
    if (!Number.isNaN(value)) list.append(fact(name, choice.options[value] ?? digits(value)));
  }
  return list;
}

function fact(name, value, more = "") {
  return make("div", {}, make("dt", {}, name), make("dd", {}, value, make("span", {}, more && ` ${more}`)));
}

const places = (value) => (Number.isNaN(value) ? "\u2013" : value.toFixed(4));
const spread = (value) => `\u00b1 ${places(1.96 * value)}`;

function factsOf(i) {
  const pool = state.pool, facts = [], {rank, of} = rankOf(i, numbers(pool.accuracy));
  if (Number.isNaN(rank)) facts.push(fact(`measured ${pool.metric}`, "none", "of seed 0"));
  else facts.push(fact(`measured ${pool.metric}`, places(measuredOf(i)), `rank ${whole(rank)} of ${whole(of)}, seed 0`));
  for (const run of runsOf(i)) if (run.seed !== 0) facts.push(fact(`the same, seed ${run.seed}`, places(run.accuracy)));
  if (pool.predicted) {
    facts.push(fact("predicted, no measurement", places(predictedOf(i)), `95 % of its mean ${spread(predictedOf(i, "sd_mean"))}, of one training ${spread(predictedOf(i, "sd_run"))}`));
  }
  for (const [name, column] of Object.entries(costsOf(pool))) facts.push(fact(inUnits(name), amount(numbers(column)[i])));
  return [...facts, fact("number in build order", String(i))];
}

function scoresTable(i) {
  const pool = state.pool, rows = [];
  for (const name of rankedNames()) {
    const values = valuesOf(name), {rank, of} = rankOf(i, values, isLower(name));
    rows.push([name, values[i], rank, of]);
  }
  return tableOf({
    id: "scores", title: `Scores of ${archOf(i)}`,
    notes: ["rank: how many archs of the space that have a score have a better one; 0 is best. " + (pool.lower.length ? `Lower is better of ${pool.lower.map(said).join(", ")}. ` : "") + "The name chooses the horizontal axis.", ...pool.doubts],
    columns: ["proxy", "score", "rank", "of"], numeric: [false, true, true, true], sort: {column: "rank", descending: false}, rows,
  });
}

function curveSpec(runs) {
  const points = runs.flatMap((run) => run.curve.map((value, epoch) => ({epoch: epoch + 1, value, seed: `seed ${run.seed}`})));
  return {
    width: "container", height: "container", autosize: {type: "fit", contains: "padding"}, data: {values: points},
    mark: {type: "line", point: true, strokeWidth: 2},
    encoding: {
      x: {field: "epoch", type: "quantitative", title: "epoch", axis: {tickMinStep: 1, format: "d"}},
      y: {field: "value", type: "quantitative", title: "val accuracy (fraction)", scale: {zero: false}},
      strokeDash: {field: "seed", type: "nominal", title: null, legend: null}, color: {value: css("measured")},
      tooltip: [{field: "seed"}, {field: "epoch"}, {field: "value", title: "val accuracy", format: ".4f"}],
    },
  };
}

function neighbourItem({i, changes}) {
  const measured = measuredOf(i), accuracy = Number.isNaN(measured) ? predictedOf(i) : measured;
  const kind = Number.isNaN(measured) ? "predicted" : "measured";
  const known = Number.isNaN(accuracy) ? "no accuracy" : `${kind} ${places(accuracy)}`;
  const button = make("button", {type: "button", "data-arch": archOf(i)}, make("span", {class: `swatch ${kind}`, "aria-hidden": "true"}), `${changes.join(", ")}: ${known} `, make("span", {class: "arch faint"}, archOf(i)));
  button.addEventListener("click", () => chooseArch(i));
  return make("li", {}, button);
}

function showPanel() {
  const i = state.arch;
  at("arch-body").hidden = i === null;
  at("arch-title").textContent = i === null ? "No arch chosen" : archOf(i);
  at("scores-home").replaceChildren(...(i === null ? [] : [scoresTable(i)]));
  if (i === null) {
    show("arch-status", "", "Click a point, or find an arch by its string.");
    return;
  }
  show("arch-status", archOf(i), `${state.pool.space}, ${setting(state.pool)}, ${state.pool.split} split`);
  at("facts").replaceChildren(...factsOf(i));
  at("drawing").replaceChildren(state.pool.has_stages ? drawingOf(archOf(i)) : choicesOf(i));
  const near = neighboursOf(i);
  const away = near.length ? near[0].changes.length : 0, archs = near.length === 1 ? "arch is" : "archs are";
  const none = away > 1 ? "No arch of the space is one choice away. The nearest: " : "";
  at("neighbours-title").textContent = `${none}${whole(near.length)} ${archs} ${away === 1 ? "one choice" : `${away} choices`} away`;
  at("neighbours").replaceChildren(...near.map(neighbourItem));
  at("neighbours").hidden = !near.length;
}

async function drawCurve() {
  const runs = state.arch === null ? [] : runsOf(state.arch).filter((run) => run.curve.length);
  at("curve-home").hidden = !runs.length;
  if (!runs.length) return;
  at("curve-title").textContent = `Val accuracy by epoch: ${runs.map((run) => `seed ${run.seed}`).join(", ")}${runs.length > 1 ? " (dashes tell them apart)" : ""}`;
  await redraw("curve", [data.pools.indexOf(state.pool), state.arch, css("panel")].join(), () => curveSpec(runs), () => {}, at("curve-title").textContent);
}
