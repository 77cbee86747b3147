// Scores of the reader's: a CSV file as `nbzero score --out` writes it, or with the columns arch and score.

const YOURS = "yours";
const ABSENT = ["", "nan", "null", "none", "na", "n/a"];
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const ENDLESS = /^[+-]?inf(inity)?$/i;

// The cells of every line; quotes may hold commas, quotes and line ends.
function cellsOf(text) {
  const rows = [[""]];
  let quoted = false;
  for (let k = 0; k < text.length; k++) {
    const row = rows.at(-1), letter = text[k];
    if (quoted && letter === '"' && text[k + 1] === '"') row[row.length - 1] += text[++k];
    else if (letter === '"') quoted = !quoted;
    else if (!quoted && letter === ",") row.push("");
    else if (!quoted && letter === "\n") rows.push([""]);
    else if (quoted || letter !== "\r") row[row.length - 1] += letter;
  }
  return rows.filter((row) => row.join("").trim()).map((row) => row.map((cell) => cell.trim()));
}

function scoreOf(text, where) {
  if (ABSENT.includes(text.toLowerCase())) return NaN;
  if (ENDLESS.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (NUMBER.test(text)) return Number(text);
  throw new Error(`${where}: the score is "${text}"; it is a number, or empty where there is none`);
}

function scoreColumn(columns) {
  if (!columns.includes("arch")) throw new Error(`no column arch, only ${columns.join(", ")}; give a first line with arch and score`);
  if (columns.includes("score")) return columns.indexOf("score");
  if (columns.length !== 2) throw new Error(`the columns are ${columns.join(", ")}; name the one of the scores score`);
  return 1 - columns.indexOf("arch");
}

// Arch -> its score, the mean over seeds. An arch that lacks a seed's row is left out; a seed without a score
// leaves it without one, as nbzero has it.
function scoresIn(text) {
  const [columns, ...rows] = cellsOf(text.replace(/^\ufeff/, ""));
  if (!rows.length) throw new Error("the file has no rows; it has a first line with arch and score, then a line for each arch");
  const wanted = scoreColumn(columns), archAt = columns.indexOf("arch"), seedAt = columns.indexOf("seed"), seeds = new Set(), found = new Map();
  rows.forEach((row, number) => {
    const where = `row ${number + 1}`;
    if (row.length !== columns.length) throw new Error(`${where} has ${row.length} values for the ${columns.length} columns ${columns.join(", ")}`);
    const arch = row[archAt], seed = seedAt < 0 ? "0" : row[seedAt], scores = found.get(arch) ?? new Map();
    if (scores.has(seed)) throw new Error(`${where} has ${arch} again${seedAt < 0 ? "" : ` with seed ${seed}`}; give each one score`);
    found.set(arch, scores.set(seed, scoreOf(row[wanted], where)));
    seeds.add(seed);
  });
  const complete = [...found].filter(([, scores]) => scores.size === seeds.size);
  return new Map(complete.map(([arch, scores]) => [arch, mean([...scores.values()])]));
}

// The scores in the order of the space's archs.
function ownOf(scores) {
  const archs = lines(state.pool.archs), places = new Map(archs.map((arch, i) => [arch, i]));
  const strangers = [...scores.keys()].filter((arch) => !places.has(arch));
  if (strangers.length) throw new Error(`${whole(strangers.length)} of ${whole(scores.size)} scores are for archs that are no members of ${state.pool.space}, first "${strangers[0]}"; members are like "${archs[0]}"`);
  const values = new Float64Array(archs.length).fill(NaN), named = new Set();
  for (const [arch, score] of scores) {
    values[places.get(arch)] = score;
    named.add(places.get(arch));
  }
  return {space: state.pool.space, values, named, lower: at("direction").value === "lower"};
}

// The largest pool of the space that has an arch, where another space than the chosen one has it.
function poolWith(arch) {
  if (lines(state.pool.archs).includes(arch)) return state.pool;
  const others = data.pools.filter((pool) => lines(pool.archs).includes(arch));
  return others.length ? largest(others) : state.pool;
}

async function takeFile(file) {
  try {
    const scores = scoresIn(await file.text());
    const pool = poolWith(scores.keys().next().value);
    if (pool !== state.pool) choosePool(pool);
    state.own = ownOf(scores);
    state.ownVersion++;
    at("own-name").textContent = file.name;
  } catch (error) {
    state.own = null;
    refuse(`${file.name}: ${error.message}.`);
    return;
  }
  state.proxy = YOURS;
  state.region = null;
  axisOptions();
  showOwn();
  refresh();
}

function refuse(words) {
  at("own-home").replaceChildren();
  show("own-verdict", "", words);
  if (state.proxy === YOURS) state.proxy = Object.keys(state.pool.scores)[0];
  axisOptions();
  refresh();
}

const hasOwn = () => state.own !== null && state.own.space === state.pool.space;

// The verdict and the table, where there are scores of this space.
function showOwn() {
  at("own-home").replaceChildren();
  show("own-verdict", "", "");
  if (!hasOwn()) return;
  try {
    const table = judgedTable(state.own), {place, of} = placeIn(table), by = table.sort.column === "kendall" ? "Kendall's tau" : `mBR over limits on ${Object.keys(state.pool.costs).join(", ")}`;
    at("own-home").replaceChildren(tableOf(table));
    show("own-verdict", place, `${at("own-name").textContent} is number ${place} of ${of} proxies and costs by ${by}, N = ${whole(table.num)}. Differences may be chance: Bench.evaluate has their intervals.`);
  } catch (error) {
    show("own-verdict", "", `${error.message}.`);
  }
}
