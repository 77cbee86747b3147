// Archs of a space: their columns, their stages or choices, their neighbours.
// A column is [start, length] in the joined numbers, or a place among the texts; see packed.py.

const packed = {numbers: unshuffled(await inflated(data.packed.numbers)), lines: JSON.parse(await inflatedText(data.packed.lines))};
const split = new Map();

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

// The choices that differ between two archs of ours with equally many stages, in words.
function changesOf(one, other) {
  const [a, b] = [one.stages, other.stages], found = one.stem === other.stem ? [] : [`stem ${one.stem} \u2192 ${other.stem}`];
  if (kept(a) !== kept(b)) found.push(`the resolution is kept by stage ${kept(a) + 1} \u2192 ${kept(b) + 1}`);
  a.forEach((stage, s) => {
    for (const what of ["depth", "width"]) if (stage[what] !== b[s][what]) found.push(`stage ${s + 1} ${what} ${stage[what]} \u2192 ${b[s][what]}`);
  });
  return found;
}

// What differs between two archs of ours that are one choice apart, as `Arch.edits` has it; null where they are not.
function editOf(one, other) {
  const [a, b] = [one.stages, other.stages];
  if (a.length === b.length) {
    const found = changesOf(one, other);
    return found.length === 1 ? found[0] : null;
  }
  if (one.stem !== other.stem) return null;
  const longer = a.length > b.length ? a : b, shorter = a.length > b.length ? b : a, place = kept(longer);
  if (!without(longer, place).every((stage, s) => sameStage(stage, shorter[s]))) return null;
  if (longer === a) return `without stage ${place + 1}`;
  const beside = shorter[Math.max(place - 1, 0)];  // a stage that is put in is as wide as the one before it
  return b[place].depth === 1 && b[place].width === beside.width ? `with one more stage, number ${place + 1}` : null;
}

// The choices that differ between two archs of a published space, in words.
function choicesBetween(i, j) {
  const found = [];
  for (const [name, choice] of Object.entries(state.pool.choices)) {
    const values = numbers(choice.numbers), named = (value) => choice.options[value] ?? String(value);
    if (!Object.is(values[i], values[j])) found.push(`${name} ${named(values[i])} \u2192 ${named(values[j])}`);
  }
  return found;
}

// What differs between two archs of the space: one text for each choice; null where their stages are not as many.
function differences(i, j) {
  if (!state.pool.has_stages) return choicesBetween(i, j);
  const [one, other] = [i, j].map((place) => stagesOf(archOf(place))), edit = editOf(one, other);
  if (edit) return [edit];
  return one.stages.length === other.stages.length ? changesOf(one, other) : null;
}

// The archs of the space one choice away; where there is none, those with the fewest choices that differ.
// [{i, changes}]
function neighboursOf(i) {
  const found = [];
  for (let j = 0; j < state.pool.size; j++) {
    const changes = j === i ? null : differences(i, j);
    if (changes) found.push({i: j, changes});
  }
  const least = found.reduce((number, one) => Math.min(number, one.changes.length), Infinity);
  return found.filter((one) => one.changes.length === least);
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
