// Archs of a space: their columns, their stages or choices, their neighbours.
// A column is [start, length] in the joined numbers, or a place among the texts; see packed.py.

const packed = {numbers: unshuffled(await inflated(data.packed.numbers)), lines: JSON.parse(new TextDecoder().decode(await inflated(data.packed.lines)))};
const split = new Map();

async function inflated(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Float64 from bytes of which the first of every number come first.
function unshuffled(bytes) {
  const size = bytes.length / 8, ordered = new Uint8Array(bytes.length);
  for (let b = 0; b < 8; b++) for (let i = 0; i < size; i++) ordered[8 * i + b] = bytes[b * size + i];
  return new Float64Array(ordered.buffer);
}

const numbers = ([start, length]) => packed.numbers.subarray(start, start + length);

function lines(place) {
  if (!split.has(place)) split.set(place, packed.lines[place].split("\n"));
  return split.get(place);
}

// ---- One arch, by its place i in the build order

const archOf = (i) => lines(state.pool.archs)[i];
const measuredOf = (i) => numbers(state.pool.accuracy)[i];
const predictedOf = (i, what = "mean") => (state.pool.predicted ? numbers(state.pool.predicted[what])[i] / data.scale : NaN);

// {stem, stages: [{depth, width, stride}]} of an arch of ours.
function stagesOf(arch) {
  const stages = [...arch.matchAll(/-d(\d+)w(\d+)s(\d+)/g)].map(([, depth, width, stride]) => ({depth: Number(depth), width: Number(width), stride: Number(stride)}));
  return {stem: Number(arch.match(/-s(\d+)-d/)[1]), stages};
}

const sameStage = (a, b) => a.depth === b.depth && a.width === b.width && a.stride === b.stride;
const without = (stages, place) => stages.filter((_, s) => s !== place);
const kept = (stages) => stages.findIndex((stage) => stage.stride === 1);

// What differs between two archs of ours that are one choice apart, as `Arch.edits` has it; null where they are not.
function editOf(one, other) {
  const [a, b] = [one.stages, other.stages];
  if (a.length === b.length) {
    const strides = a.some((stage, s) => stage.stride !== b[s].stride);
    const found = one.stem === other.stem ? [] : [`stem ${one.stem} \u2192 ${other.stem}`];
    if (strides) found.push(`stage ${kept(a) + 1} keeps the resolution \u2192 stage ${kept(b) + 1}`);
    a.forEach((stage, s) => {
      for (const what of ["depth", "width"]) if (stage[what] !== b[s][what]) found.push(`stage ${s + 1} ${what} ${stage[what]} \u2192 ${b[s][what]}`);
    });
    return found.length === 1 ? found[0] : null;
  }
  if (one.stem !== other.stem) return null;
  const longer = a.length > b.length ? a : b, shorter = a.length > b.length ? b : a, place = kept(longer);
  if (!without(longer, place).every((stage, s) => sameStage(stage, shorter[s]))) return null;
  if (longer === a) return `without stage ${place + 1}`;
  const beside = shorter[Math.max(place - 1, 0)];  // a stage that is put in is as wide as the one before it
  return b[place].depth === 1 && b[place].width === beside.width ? `one more stage, the ${place + 1}.` : null;
}

// What differs between two archs of a published space that differ in one choice, else null.
function choiceOf(i, j) {
  let found = null;
  for (const [name, choice] of Object.entries(state.pool.choices)) {
    const values = numbers(choice.numbers);
    if (Object.is(values[i], values[j])) continue;
    if (found) return null;
    const named = (value) => choice.options[value] ?? String(value);
    found = `${name} ${named(values[i])} \u2192 ${named(values[j])}`;
  }
  return found;
}

// The archs of the space one choice away: [{i, edit}].
function neighboursOf(i) {
  const archs = lines(state.pool.archs), found = [], own = state.pool.has_stages ? stagesOf(archs[i]) : null;
  for (let j = 0; j < archs.length; j++) {
    if (j === i) continue;
    const edit = own ? editOf(own, stagesOf(archs[j])) : choiceOf(i, j);
    if (edit) found.push({i: j, edit});
  }
  return found;
}

// How many archs have a strictly better value, and how many have one. NaN is none.
function rankOf(i, values, lower = false) {
  let better = 0, there = 0;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    there++;
    if (lower ? value < values[i] : value > values[i]) better++;
  }
  return {rank: Number.isNaN(values[i]) ? NaN : better, of: there};
}

// Every run of an arch: [{seed, accuracy, curve}].
function runsOf(i) {
  const [archs, seeds, accuracies, epochs, curves] = ["arch", "seed", "accuracy", "epochs", "curves"].map((name) => numbers(state.pool.runs[name]));
  const found = [];
  for (let run = 0, start = 0; run < archs.length; start += epochs[run], run++) {
    if (archs[run] === i) found.push({seed: seeds[run], accuracy: accuracies[run], curve: [...curves.subarray(start, start + epochs[run])].map((value) => value / data.scale)});
  }
  return found;
}
