// Judges scores of the reader's beside the stored ones, as `nbzero.judge.evaluate` does: tests compare the two.

const BUDGETS = 5;  // quantile limits of each cost

// Whole numbers in the order of the values, equal ones for equal values; NaN, no score, is below every number.
function codesOf(values) {
  const sorted = Float64Array.from(values).filter((value) => !Number.isNaN(value)).sort(), codes = new Map();
  for (const value of sorted) if (!codes.has(value)) codes.set(value, codes.size + 1);
  return Array.from(values, (value) => codes.get(value) ?? 0);
}

function tiedPairs(keys) {
  const counts = new Map();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum + count * (count - 1) / 2, 0);
}

// How many pairs are not in ascending order, by a merge sort, which sorts the values.
function inversions(values) {
  if (values.length < 2) return 0;
  const half = values.length >> 1, left = values.slice(0, half), right = values.slice(half);
  let found = inversions(left) + inversions(right), l = 0, r = 0;
  for (let k = 0; k < values.length; k++) {
    if (r === right.length || (l < left.length && left[l] <= right[r])) values[k] = left[l++];
    else {
      values[k] = right[r++];
      found += left.length - l;
    }
  }
  return found;
}

// Kendall's tau-b of two columns; NaN where one of them is constant. After Knight, 1966.
function kendall(x, y) {
  const [a, b] = [codesOf(x), codesOf(y)], pairs = a.length * (a.length - 1) / 2;
  const order = [...a.keys()].sort((i, j) => a[i] - a[j] || b[i] - b[j]);
  const [aTies, bTies, both] = [a, b, a.map((code, i) => `${code},${b[i]}`)].map(tiedPairs);
  if (pairs === aTies || pairs === bTies) return NaN;
  const difference = pairs - aTies - bTies + both - 2 * inversions(order.map((i) => b[i]));
  return difference / Math.sqrt((pairs - aTies) * (pairs - bTies));
}

// Rank of the pick over the number of archs, under each limit on a cost.
function ranksUnder(cost, scores, accuracy) {
  const found = [];
  for (let budget = 1; budget <= BUDGETS; budget++) {
    const inside = within(cost, limitAt(cost, budget, BUDGETS, "quantile"));
    found.push(pickOf(inside, scores, accuracy, trueRanks(inside, accuracy)).rank / accuracy.length);
  }
  return found;
}

// One row: the proxy, archs without a score, Kendall's tau, mBR over all costs and over each.
function judgedRow(name, scores, accuracy, costs) {
  const missing = scores.reduce((number, score) => number + Number.isNaN(score), 0);
  if (missing === scores.length) return [name, missing, NaN, ...Array(costs.length ? costs.length + 1 : 0).fill(NaN)];
  const ranks = costs.map((cost) => ranksUnder(cost, scores, accuracy));
  const means = ranks.length ? [mean(ranks.flat()), ...ranks.map(mean)] : [];
  return [name, missing, kendall(scores, accuracy), ...means];
}

// The table of `own`, {values, named, lower}, beside the stored proxies and costs.
// The pool is narrowed to the measured archs that the scores name, for all proxies alike.
function judgedTable(own) {
  const pool = state.pool, places = [...numbers(pool.judged)].filter((i) => own.named.has(i));
  if (!places.length) throw new Error(`none of the ${whole(pool.num_measured)} measured archs of ${pool.space}, ${setting(pool)} is named by the scores; give scores of measured archs`);
  const taken = (values, lower = false) => Float64Array.from(places, (i) => (lower ? -values[i] : values[i]));
  const accuracy = taken(numbers(pool.accuracy)), mine = taken(own.values, own.lower);
  if (mine.every(Number.isNaN)) throw new Error(`none of the ${whole(places.length)} measured archs that are named has a score; give scores of measured archs`);
  const names = Object.keys(pool.costs), costs = names.map((name) => taken(numbers(pool.costs[name])));
  const rows = [judgedRow(YOURS, mine, accuracy, costs)];
  for (const [name, column] of Object.entries(pool.scores)) rows.push(judgedRow(name, taken(numbers(column), pool.lower.includes(name)), accuracy, costs));
  const columns = ["proxy", "missing", "kendall", ...(names.length ? ["mbr_union", ...names.map((name) => `mbr_${name}`)] : [])];
  const by = names.length ? "mbr_union" : "kendall";
  const narrowed = places.length < pool.num_measured ? [`Narrowed to the ${whole(places.length)} of ${whole(pool.num_measured)} measured archs that the scores name, for all proxies alike.`] : [];
  return {
    id: "judged", title: `${YOURS} beside the stored proxies: ${pool.space}, ${setting(pool)}, ${pool.split}, N = ${whole(places.length)}`,
    notes: [`mBR: the mean true rank of the picks under ${BUDGETS} quantile limits on each cost, over N; 0 is best. An arch without a score ranks last. The numbers are those of Bench.evaluate, which has intervals too.`, ...narrowed, ...pool.doubts],
    num: places.length, columns, numeric: columns.map((_, c) => c > 0), sort: {column: by, descending: by === "kendall"}, rows,
  };
}

// The place of the first row among those that have the number the table is sorted by, from 1.
function placeIn(table) {
  const c = table.columns.indexOf(table.sort.column), sign = table.sort.descending ? -1 : 1, own = table.rows[0][c];
  const there = table.rows.map((row) => row[c]).filter((value) => !Number.isNaN(value));
  return {place: 1 + there.filter((value) => sign * value < sign * own).length, of: there.length};
}
