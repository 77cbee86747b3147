// What every page needs of a document: its data, its elements, numbers in words.
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

async function inflated(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function inflatedText(base64) {
  return new TextDecoder().decode(await inflated(base64));
}

// The chart library is a script of its own, which the content security policy names by its hash.
async function loadCharts() {
  const script = document.createElement("script"), loaded = new Promise((done) => addEventListener("charts", done, {once: true}));
  script.type = "module";
  script.textContent = await inflatedText(at("charts").textContent);
  document.head.append(script);
  await loaded;
}

await loadCharts();

const listed = (id, texts) => at(id).replaceChildren(...texts.map((text) => make("li", {}, text)));

function legend(id, names, classes) {
  at(id).replaceChildren(...names.map((name, k) => make("li", {}, make("span", {class: `swatch ${classes[k]}`, "aria-hidden": "true"}), name)));
}

const whole = (value) => value.toLocaleString("en-US", {maximumFractionDigits: 0});
// Six digits, of whole numbers all.
const digits = (value) => (Number.isInteger(value) && Math.abs(value) < 1e12 ? whole(value) : String(Number(value.toPrecision(6))));
