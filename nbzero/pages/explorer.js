// The explorer: what its controls do, and what of it is in the address.

const SHOWN = 12;  // archs listed of a search
const state = {pool: null, proxy: "", scale: "auto", arch: null, region: null, own: null, ownVersion: 0, shows: {measured: true, predicted: true}, drawn: null, sorts: {}};
const setting = (pool) => `${pool.dataset}, ${pool.recipe}`;
const poolsOf = (space) => data.pools.filter((pool) => pool.space === space);
const largest = (pools) => pools.reduce((one, other) => (other.num_measured > one.num_measured ? other : one));

function choosePool(pool) {
  if (state.pool && state.pool.space !== pool.space) state.arch = null;
  if (state.pool !== pool) state.region = null;
  state.pool = pool;
  if (!axisNames().includes(state.proxy)) state.proxy = "macs" in pool.scores ? "macs" : Object.keys(pool.scores)[0];
  options(at("space"), [...new Set(data.pools.map((one) => one.space))], pool.space);
  options(at("setting"), poolsOf(pool.space).map(setting), setting(pool));
  axisOptions();
  listed("notes", [pool.predicted?.words, ...pool.notes].filter(Boolean));
  at("num-measured").textContent = `measured (N = ${whole(pool.num_measured)})`;
  at("num-predicted").textContent = pool.predicted ? `predicted, no measurement (N = ${whole(pool.size - pool.num_measured)})` : "predicted: none here";
  at("show-predicted").disabled = !pool.predicted;
  showOwn();
  refresh();
}

// Costs first, then proxies. Those whose scores are not to be trusted are marked.
function axisOptions() {
  const pool = state.pool, group = (label, names) => {
    const made = make("optgroup", {label});
    made.append(...names.map((name) => new Option(said(name), name)));
    return made;
  };
  const proxies = Object.keys(pool.scores).filter((name) => !(name in pool.costs));
  const doubtful = Object.keys(pool.doubtful).length ? `, ${data.mark} doubtful` : "";
  at("axis").replaceChildren(...[["your file", hasOwn() ? [YOURS] : []], ["costs", Object.keys(costsOf(pool))], [`scores${doubtful}`, proxies]].filter(([, names]) => names.length).map(([label, names]) => group(label, names)));
}

function chooseProxy(name) {
  if (name !== state.proxy) state.region = null;
  state.proxy = name;
  refresh();
}

function chooseArch(i) {
  state.arch = i;
  refresh();
}

function refresh() {
  state.drawn = pointsNow();
  at("axis").value = state.proxy;
  at("scale").value = state.scale;
  for (const kind of KINDS) at(`show-${kind}`).checked = state.shows[kind];
  at("meaning").textContent = [data.proxies[state.proxy], isLower(state.proxy) ? "Lower is better." : "", state.pool.doubtful[state.proxy]].filter(Boolean).join(" ");
  showPanel();
  showRegion();
  writeAddress();
  draw();
}

// ---- The address holds what is chosen

function writeAddress() {
  const hidden = KINDS.filter((kind) => !state.shows[kind]).join();
  const parts = {space: state.pool.space, dataset: state.pool.dataset, recipe: state.pool.recipe, x: state.proxy === YOURS ? "" : state.proxy, scale: state.scale === "auto" ? "" : state.scale, hide: hidden, arch: state.arch === null ? "" : archOf(state.arch), region: state.region ? ENDS.map((end) => short(state.region[end])).join() : ""};
  const there = Object.entries(parts).filter(([, value]) => value);
  history.replaceState(null, "", `#${new URLSearchParams(there)}`);
}

// What the address names and the page has is chosen; the rest stays as it is.
function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const named = data.pools.filter((pool) => ["space", "dataset", "recipe"].every((key) => !asked.has(key) || asked.get(key) === pool[key]));
  const pool = named.length ? largest(named) : state.pool ?? largest(data.pools);
  if (asked.get("x") in {...pool.scores, ...pool.latencies}) state.proxy = asked.get("x");
  state.scale = ["log", "linear"].includes(asked.get("scale")) ? asked.get("scale") : "auto";
  const hidden = (asked.get("hide") ?? "").split(",");
  for (const kind of KINDS) state.shows[kind] = !hidden.includes(kind);
  const i = lines(pool.archs).indexOf(asked.get("arch"));
  const region = (asked.get("region") ?? "").split(",").map(Number);
  choosePool(pool);
  state.region = region.length === ENDS.length && region.every(Number.isFinite) ? Object.fromEntries(ENDS.map((end, k) => [end, region[k]])) : null;
  chooseArch(i < 0 ? null : i);
}

// ---- Search

// Archs whose string holds the text, and the one whose number it is.
function matches(text) {
  const archs = lines(state.pool.archs), found = /^\d+$/.test(text) && Number(text) < archs.length ? [Number(text)] : [];
  for (let i = 0; i < archs.length; i++) if (archs[i].includes(text) && !found.includes(i)) found.push(i);
  return found;
}

function search() {
  const text = at("find").value.trim(), found = text ? matches(text) : [];
  at("found").replaceChildren(...found.slice(0, SHOWN).map((i) => {
    const button = make("button", {type: "button", class: "arch"}, archOf(i));
    button.addEventListener("click", () => take(i));
    return make("li", {}, button);
  }));
  at("found").hidden = !found.length;
  at("found-note").textContent = text ? `${whole(found.length)} archs${found.length > SHOWN ? `, the first ${SHOWN} listed` : ""}; Enter takes the first.` : "";
}

function take(i) {
  at("find").value = "";
  search();
  chooseArch(i);
}

// ---- Start

at("about").textContent = data.about;
at("licence").textContent = data.licence;
at("space").addEventListener("change", () => choosePool(largest(poolsOf(at("space").value))));
at("setting").addEventListener("change", () => choosePool(poolsOf(state.pool.space).find((pool) => setting(pool) === at("setting").value)));
at("axis").addEventListener("change", () => chooseProxy(at("axis").value));
at("scale").addEventListener("change", () => { state.scale = at("scale").value; refresh(); });
for (const kind of KINDS) at(`show-${kind}`).addEventListener("change", () => { state.shows[kind] = at(`show-${kind}`).checked; refresh(); });
at("find").addEventListener("input", search);
at("find").addEventListener("keydown", (event) => {
  const first = event.key === "Enter" ? matches(at("find").value.trim())[0] : undefined;
  if (first !== undefined && at("find").value.trim()) take(first);
  if (event.key === "Escape") { at("find").value = ""; search(); }
});
at("scatter").addEventListener("pointerdown", press);
addEventListener("pointermove", drag);
addEventListener("pointerup", release);
addEventListener("pointercancel", () => { pressed = null; });
for (const end of ENDS) at(end).addEventListener("change", typeRegion);
at("clear-region").addEventListener("click", () => { state.region = null; refresh(); });
at("file").addEventListener("change", () => { if (at("file").files.length) takeFile(at("file").files[0]); });
at("direction").addEventListener("change", () => {
  if (!state.own) return;
  state.own.lower = at("direction").value === "lower";
  showOwn();
  refresh();
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) takeFile(event.dataTransfer.files[0]);
});
at("scatter").addEventListener("keydown", (event) => {
  if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) step(event.key);
  else if (event.key === "Escape") chooseArch(null);
  else return;
  event.preventDefault();
});
addEventListener("hashchange", readAddress);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { showPanel(); draw(); });
readAddress();
window.explorer = {charts, state, plot, stagesOf, editOf, neighboursOf, takeFile};
