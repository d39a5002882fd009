"use strict";
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
data.chunkOf = data.chunks.flatMap(({ count: many }, chunk) => Array(many).fill(chunk));
for (const name of ["titles", "paths", "urls", "pages", "stored"]) {
  const { prefix, rest } = data[name].rest ? data[name] : { prefix: "", rest: data[name] };
  data[name] = rest.map((text) => prefix + text);
}
const count = data.paths.length;
const MONTHS = "January February March April May June July August September October November December".split(" ");
const PART = 250; // tiles of a section at most: to fill a section takes about 10 ms
const number = (value) => value.toLocaleString("en");
const images = (many) => `${number(many)} image${many === 1 ? "" : "s"}`;
const original = (i) => `../${data.paths[i].split("/").map(encodeURIComponent).join("/")}`;
const thumbnail = (i) => `thumbnails/${data.checksums[i]}.jpg`;
const title = (i) => data.titles[i] || data.dates[i] || data.paths[i].split("/").pop();
const year = (i) => (data.dates[i] ? Number(data.dates[i].slice(0, 4)) : null);
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);

function element(name, text, ...children) {
  const made = document.createElement(name);
  made.append(...(text === undefined ? [] : [text]), ...children);
  return made;
}

// ---- The state is in the URL's fragment: view, measure, search, year, image. ----
let state = {};
let opened = false; // whether Back closes the large view

function read() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

function go(changes, { replace = false } = {}) {
  const kept = Object.entries({ ...read(), ...changes }).filter(([, value]) => value);
  const fragment = `#${new URLSearchParams(kept).toString().replaceAll("%2F", "/")}`;
  if (fragment === (location.hash || "#")) return apply();
  if (replace) history.replaceState(null, "", fragment);
  else history.pushState(null, "", fragment);
  apply();
}

function apply() {
  const before = state;
  state = read();
  const tab = $(`tab-${state.view}`) ? state.view : "montage";
  if ((before.search || "") !== (state.search || "") || !sections.length) show(state.search || "");
  if (before.view !== state.view || before.measure !== state.measure || !stage.view) open(tab);
  if (state.year && state.year !== before.year) jump(Number(state.year));
  const at = data.paths.indexOf(state.image);
  $("gone").hidden = !state.image || at >= 0;
  if (at >= 0) enlarge(at);
  else if ($("large").open) $("large").close();
}

addEventListener("popstate", apply);
addEventListener("hashchange", apply);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const wanted = Object.fromEntries(new URLSearchParams(link.getAttribute("href").slice(1)));
  state.year = null; // the same year can be chosen again
  if (wanted.image) view(data.paths.indexOf(wanted.image));
  else if (wanted.year) go({ year: wanted.year, search: "" });
  else $("images").focus();
});

// ---- The images by year, filled when they come near the screen. ----
let shown = []; // the numbers of the images that the page shows, in order
let sections = [];
let words = null;

const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

function haystack() {
  words ??= data.titles.map((text, i) => {
    const [y, m, d] = data.dates[i].split("-");
    return fold(`${text} ${data.dates[i]} ${m ? `${MONTHS[m - 1]} ${d ? `${Number(d)}, ` : ""}${y}` : ""}`);
  });
  return words;
}

function show(search) {
  const terms = fold(search).split(/\s+/).filter(Boolean);
  const every = Array.from({ length: count }, (_, i) => i);
  shown = terms.length ? every.filter((i) => terms.every((term) => haystack()[i].includes(term))) : every;
  filler.disconnect();
  sections = [];
  const parts = [];
  if (terms.length) {
    const heading = element("h2", `${images(shown.length)} match${shown.length === 1 ? "es" : ""}`);
    heading.append(" ", element("small", `“${search.trim()}”`));
    parts.push(heading, ...(shown.length ? grids(shown) : []));
    $("status").textContent = heading.textContent;
    $("found").textContent = images(shown.length);
  } else {
    $("found").textContent = "";
    if ($("status").textContent) $("status").textContent = images(count); // the search is cleared
    for (const [decade, some] of grouped(shown, (i) => year(i) && Math.floor(year(i) / 10) * 10)) {
      const heading = element("h2", decade === null ? "Without a date" : `${decade}s`);
      parts.push(heading);
      const years = grouped(some, year);
      if (decade === null || some.length < 5 * years.size) { // few images: a line for each year would be mostly empty
        heading.append(" ", element("small", images(some.length)));
        parts.push(...grids(some, year(some.at(-1))));
      } else {
        for (const [y, few] of years) parts.push(element("h3", `${y} `, element("small", images(few.length))), ...grids(few, y));
      }
    }
  }
  if ($("search").value !== search) $("search").value = search;
  $("images").replaceChildren(...parts);
  arrange();
  sections.forEach((section) => filler.observe(section.list));
  stage.match = terms.length ? new Set(shown) : null;
  stage.draw();
}

function grouped(list, key) {
  const groups = new Map();
  for (const i of list) {
    const group = groups.get(key(i));
    if (group) group.push(i);
    else groups.set(key(i), [i]);
  }
  return groups;
}

function grids(list, last = null) { // last: the last year of these images
  const made = [];
  for (let start = 0; start < list.length; start += PART) {
    const grid = element("ul");
    grid.className = "grid";
    sections.push({ list: grid, items: list.slice(start, start + PART), last });
    if (start) grid.style.marginTop = "var(--gap)";
    made.push(grid);
  }
  return made;
}

function arrange() { // reserves the height of each section, so that the page does not move while it is filled
  const [tile, gap] = ["--tile", "--gap"].map((name) => parseFloat(color(name)));
  const style = getComputedStyle($("images"));
  const width = $("images").clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const columns = Math.max(1, Math.floor((width + gap) / (tile + gap)));
  const height = tile * data.shape + 54 + gap;
  for (const { list, items } of sections) list.style.height = `${Math.ceil(items.length / columns) * height - gap}px`;
}

function tile(i) {
  const made = $("tile").content.cloneNode(true);
  const [link, image, name, time] = ["a", "img", "span", "time"].map((tag) => made.querySelector(tag));
  link.href = `#image=${encodeURIComponent(data.paths[i])}`;
  image.src = thumbnail(i);
  [image.width, image.height] = data.sizes[i];
  name.textContent = data.titles[i] || (data.dates[i] ? "" : title(i));
  time.textContent = data.dates[i];
  return made;
}

const filler = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    const section = sections.find(({ list }) => list === target);
    if (section && isIntersecting && !target.firstChild) target.append(...section.items.map(tile));
    else if (!isIntersecting && !target.contains(document.activeElement)) target.replaceChildren();
  }
}, { rootMargin: "1000px" });

function jump(wanted) {
  const section = sections.find(({ last }) => last !== null && last >= wanted);
  if (!section) return;
  const heading = section.list.previousElementSibling;
  const first = heading.previousElementSibling?.tagName === "H2" && wanted % 10 === 0 ? heading.previousElementSibling : heading;
  first.scrollIntoView();
}

// ---- The collection at a glance: montage, image plot and slice scan on one canvas. ----
const stage = {
  view: "", measure: "brightness", scale: 1, x: 0, y: 0, width: 0, height: 0, cursor: -1, match: null, pictures: new Map(),

  open(name, measure) {
    Object.assign(this, { view: name, measure, scale: 1, x: 0, y: 0, cursor: -1 });
    this.resize();
  },

  resize() {
    if (!this.view) return;
    const [wide, high] = [$("stage").clientWidth, Math.max(300, Math.min(620, innerHeight * 0.6))];
    const layout = LAYOUTS[this.view];
    Object.assign(this, { width: wide, height: high, layout });
    layout.prepare(wide, high);
    this.height = layout.height || high;
    const density = Math.min(2, devicePixelRatio || 1);
    const canvas = $("canvas");
    canvas.style.height = `${this.height}px`;
    [canvas.width, canvas.height] = [wide * density, this.height * density];
    this.buffer = new OffscreenCanvas(canvas.width, canvas.height);
    this.density = density;
    this.move(0, 0);
  },

  zoom(by, x = this.width / 2, y = this.height / 2) {
    const { left = 0, top = 0 } = this.layout;
    const scale = Math.max(1, Math.min(40, this.scale * by));
    this.x += (x - left) * (1 / this.scale - 1 / scale);
    this.y += (y - top) * (1 / this.scale - 1 / scale);
    this.scale = scale;
    this.move(0, 0);
  },

  move(x, y) {
    const { left = 0, top = 0, right = 0, bottom = 0 } = this.layout;
    const room = 1 - 1 / this.scale;
    this.x = Math.max(0, Math.min((this.width - left - right) * room, this.x + x / this.scale));
    this.y = Math.max(0, Math.min((this.height - top - bottom) * room, this.y + y / this.scale));
    $("canvas").style.touchAction = this.scale > 1 ? "none" : "pan-y";
    this.draw();
  },

  choose(i, tell) {
    this.cursor = i;
    const tip = $("tip");
    tip.hidden = i < 0;
    if (i >= 0) {
      const [x, y, w] = this.layout.place(i);
      tip.firstChild.src = thumbnail(i);
      tip.lastChild.textContent = [data.titles[i], data.dates[i]].filter(Boolean).join(", ");
      const beside = x + w + 10 + 148 > this.width ? x - 158 : x + w + 10;
      tip.style.left = `${Math.max(0, Math.min(this.width - 148, beside))}px`;
      tip.style.top = `${$("canvas").offsetTop + Math.max(0, Math.min(this.height - 236, y - 40))}px`;
      if (tell) $("status").textContent = `${title(i)}, ${data.dates[i]}, ${number(i + 1)} of ${number(count)}`;
    }
    this.finish();
  },

  reveal(i) { // moves the image under the cursor into the canvas
    const [x, y, w, h] = this.layout.place(i);
    const across = x < 0 ? x - 20 : x + w > this.width ? x + w - this.width + 20 : 0;
    const down = y < 0 ? y - 20 : y + h > this.height ? y + h - this.height + 20 : 0;
    if (across || down) this.move(across, down);
  },

  draw() {
    if (!this.buffer) return;
    if (this.painting) return (this.again = true);
    this.painting = this.paint(this.buffer.getContext("2d"));
    requestAnimationFrame(() => this.step());
  },

  step() { // paints for 10 ms at a time, so that the page stays responsive with any number of images
    const end = performance.now() + 10;
    let done = false;
    while (!done && performance.now() < end) ({ done } = this.painting.next());
    if (!done) return requestAnimationFrame(() => this.step());
    this.painting = null;
    this.finish();
    const again = this.again;
    this.again = false;
    return again && this.draw();
  },

  *paint(context) {
    const buffer = this.buffer;
    context.setTransform(this.density, 0, 0, this.density, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.imageSmoothingQuality = "high";
    yield* this.layout.paint(context);
    if (buffer !== this.buffer) this.again = true; // the window has another size meanwhile
  },

  finish() {
    if (!this.buffer || this.painting) return;
    const context = $("canvas").getContext("2d");
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    context.drawImage(this.buffer, 0, 0);
    $("canvas").ariaBusy = [...this.pictures.values()].includes(null);
    if (this.cursor < 0) return;
    const [x, y, w, h] = this.layout.place(this.cursor);
    context.lineWidth = 3 * this.density;
    context.strokeStyle = color("--accent");
    context.strokeRect(...[x, y, w, h].map((value) => value * this.density));
  },

  dim(i) {
    return this.match && !this.match.has(i) ? 0.1 : 1;
  },
};

function load(map, key, url) { // returns the decoded image, or null until it is decoded
  if (map.has(key)) return map.get(key);
  map.set(key, null);
  const image = new Image();
  image.onload = async () => {
    map.set(key, await createImageBitmap(image));
    stage.draw();
  };
  image.onerror = () => map.set(key, false);
  image.src = url;
  return null;
}

function fitted([width, height], [w, h]) { // as sheets.py has it
  const scale = Math.min(w / width, h / height);
  return [Math.max(1, Math.floor(width * scale + 0.5)), Math.max(1, Math.floor(height * scale + 0.5))];
}

function paintImage(context, i, x, y, w, h) { // as large as possible in the middle of a rectangle
  const [width, height] = fitted(data.sizes[i], data.cell);
  const scale = Math.min(w / width, h / height);
  const place = [x + (w - width * scale) / 2, y + (h - height * scale) / 2, width * scale, height * scale];
  const sharp = w * stage.density > data.cell[0] * 1.3 && stage.sharp ? load(stage.pictures, i, thumbnail(i)) : null;
  if (sharp) return context.drawImage(sharp, ...place);
  const chunk = data.chunks[data.chunkOf[i]];
  const sheet = load(stage.pictures, chunk.sheet, chunk.sheet);
  if (!sheet) return undefined;
  const at = i - chunk.start;
  const [left, top] = [(at % data.columns) * data.cell[0], Math.floor(at / data.columns) * data.cell[1]];
  return context.drawImage(sheet, left, top, width, height, ...place);
}

function* paintImages(context, list, place) {
  const visible = list.filter((i) => {
    const [x, y, w, h] = place(i);
    return x + w > 0 && y + h > 0 && x < stage.width && y < stage.height;
  });
  stage.sharp = visible.length <= 400;
  if (stage.sharp) for (const key of stage.pictures.keys()) if (stage.pictures.size > 1200 && Number.isInteger(key)) stage.pictures.delete(key);
  for (const [done, i] of visible.entries()) {
    context.globalAlpha = stage.dim(i);
    paintImage(context, i, ...place(i));
    if (done % 200 === 199) yield;
  }
  context.globalAlpha = 1;
}

const every = Array.from({ length: count }, (_, i) => i);
const when = data.dates.map((text) => {
  const [y, m = 7, d = 1] = text.split("-").map(Number);
  return text ? y + (m - 1) / 12 + (d - 1) / 366 : NaN;
});

const montage = {
  legend: "All images by date, row by row. Choose an image to open it.",
  prepare(width, height) {
    const ideal = Math.min(width / Math.ceil(width / 120), Math.sqrt((width * height) / count / data.shape));
    const cell = Math.max(2, Math.floor(ideal)); // whole pixels: else the borders of the images make a pattern
    this.columns = Math.max(1, Math.floor(width / cell));
    this.cell = [cell, Math.max(1, Math.round(cell * data.shape))];
    this.height = Math.ceil(count / this.columns) * this.cell[1];
  },
  place(i) {
    const [w, h] = this.cell.map((size) => size * stage.scale);
    return [(i % this.columns) * w - stage.x * stage.scale, Math.floor(i / this.columns) * h - stage.y * stage.scale, w, h];
  },
  at(x, y) {
    const [column, row] = [x, y].map((value, axis) => Math.floor((value / stage.scale + (axis ? stage.y : stage.x)) / this.cell[axis]));
    const i = row * this.columns + column;
    return column >= 0 && column < this.columns && i < count ? i : -1;
  },
  *paint(context) {
    const gap = this.cell[0] * stage.scale > 24 ? 1 : 0;
    yield* paintImages(context, every, (i) => {
      const [x, y, w, h] = this.place(i);
      return [x + gap, y + gap, w - 2 * gap, h - 2 * gap];
    });
  },
};

const plot = {
  left: 44, bottom: 26, top: 10, right: 14,
  get legend() {
    const without = count - this.list.length;
    const left = without ? ` ${images(without)} without a date${stage.measure === "hue" ? " or a hue are" : " are"} left out.` : "";
    return `Each image at its date and its ${stage.measure}.${left}`;
  },
  prepare(width, height) {
    this.values = data.measurements[stage.measure];
    this.list = every.filter((i) => !Number.isNaN(when[i]) && this.values[i] !== null);
    this.height = height;
    this.inner = [width - this.left - this.right, height - this.bottom - this.top];
    this.size = Math.max(9, Math.min(64, 1.2 * Math.sqrt((this.inner[0] * this.inner[1]) / Math.max(1, this.list.length))));
    const range = (values, size, length) => { // with room for half an image at both ends
      const [low, high] = values.reduce(([l, h], v) => [Math.min(l, v), Math.max(h, v)], [Infinity, -Infinity]);
      const room = ((high - low || 1) * size * 0.6) / (length - size);
      return values.length ? [low - room, high + room] : [0, 1];
    };
    this.across = range(this.list.map((i) => when[i]), this.size, this.inner[0]);
    this.up = range(stage.measure === "hue" ? [0, 360] : this.list.map((i) => this.values[i]), this.size * data.shape, this.inner[1]);
  },
  point(date, value) {
    const x = ((date - this.across[0]) / (this.across[1] - this.across[0])) * this.inner[0];
    const y = (1 - (value - this.up[0]) / (this.up[1] - this.up[0])) * this.inner[1];
    return [this.left + (x - stage.x) * stage.scale, this.top + (y - stage.y) * stage.scale];
  },
  place(i) {
    const w = Math.min(160, this.size * Math.sqrt(stage.scale));
    const [x, y] = this.point(when[i], this.values[i]);
    return [x - w / 2, y - (w * data.shape) / 2, w, w * data.shape];
  },
  at(x, y) {
    return this.list.findLast((i) => {
      const [left, top, w, h] = this.place(i);
      return x >= left && x <= left + w && y >= top && y <= top + h;
    }) ?? -1;
  },
  ticks([low, high], size, start, length) { // about one tick in 90 pixels
    const from = low + ((high - low) * start) / length;
    const to = from + (high - low) / stage.scale;
    const rough = ((to - from) * 90) / size;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough);
    const found = [];
    for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) found.push(Number(tick.toPrecision(10)));
    return found;
  },
  dates() { // the ticks of the horizontal axis: years, or months where one or two years are shown
    const [width] = this.inner;
    const [from, to] = [0, 1].map((end) => this.across[0] + (this.across[1] - this.across[0]) * (stage.x / width + end / stage.scale));
    const years = this.ticks(this.across, width, stage.x, width).filter(Number.isInteger);
    if (years.length > 2) return years.map((tick) => [tick, tick]);
    const step = [1, 3, 6].find((months) => (months / 12 / (to - from)) * width >= 70) || 12;
    const found = [];
    for (let month = Math.ceil((from * 12) / step) * step; month <= to * 12; month += step) {
      found.push([month / 12, `${String(Math.floor(month / 12)).padStart(4, "0")}-${String((month % 12) + 1).padStart(2, "0")}`]);
    }
    return found;
  },
  *paint(context) {
    const [w, h] = this.inner;
    context.save();
    context.beginPath();
    context.rect(this.left, this.top, w, h);
    context.clip();
    yield* paintImages(context, this.list, (i) => this.place(i));
    context.restore();
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = color("--soft");
    context.strokeStyle = color("--line");
    context.strokeRect(this.left - 0.5, this.top - 0.5, w + 1, h + 1);
    this.labels = [];
    context.textAlign = "center";
    for (const [tick, label] of this.dates()) {
      context.fillText(label, this.point(tick, 0)[0], this.top + h + 18);
      this.labels.push(label);
    }
    context.textAlign = "right";
    for (const tick of this.ticks(this.up, h, h - stage.y - h / stage.scale, h).filter((each) => stage.measure !== "hue" || (each >= 0 && each <= 360))) {
      context.fillText(tick, this.left - 8, this.point(0, tick)[1] + 4);
      this.labels.push(tick);
    }
  },
};

const slices = {
  legend: "The middle column of each image, side by side, by date.",
  bottom: 24,
  prepare(width) {
    this.height = 260;
    this.wide = Math.min(24, width / count);
  },
  place(i) {
    return [(i * this.wide - stage.x) * stage.scale, 0, this.wide * stage.scale, this.height - this.bottom];
  },
  at(x) {
    const i = Math.floor((x / stage.scale + stage.x) / this.wide);
    return i >= 0 && i < count ? i : -1;
  },
  *paint(context) {
    const high = this.height - this.bottom;
    for (const chunk of data.chunks) {
      const strip = load(stage.pictures, chunk.strip, chunk.strip);
      const [x] = this.place(chunk.start);
      const w = chunk.count * this.wide * stage.scale;
      if (strip && x < stage.width && x + w > 0) context.drawImage(strip, x, 0, w, high);
      yield;
    }
    context.fillStyle = color("--paper");
    context.globalAlpha = 0.85;
    if (stage.match) for (const i of every) if (!stage.match.has(i)) context.fillRect(this.place(i)[0], 0, this.wide * stage.scale, high);
    context.globalAlpha = 1;
    context.fillStyle = color("--soft");
    context.font = "12px system-ui, sans-serif";
    let free = 0;
    for (const chunk of data.chunks) {
      const x = Math.max(0, this.place(chunk.start)[0]);
      const name = data.dates[chunk.start] ? `${data.dates[chunk.start].slice(0, 3)}0s` : "";
      if (x < free || x > stage.width - 40) continue;
      context.fillText(name, x, high + 17);
      free = x + 46;
    }
  },
};

const LAYOUTS = { montage, plot, slices };

function open(name) {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const chosen = tab.id === `tab-${name}`;
    tab.ariaSelected = chosen;
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 60; // on a phone, not all tabs have room
  }
  for (const panel of document.querySelectorAll("[role=tabpanel]")) panel.hidden = true;
  const panel = $($(`tab-${name}`).getAttribute("aria-controls"));
  panel.hidden = false;
  stage.view = name;
  if (!LAYOUTS[name]) return;
  panel.setAttribute("aria-labelledby", `tab-${name}`);
  const known = Object.keys(data.measurements).includes(state.measure);
  stage.open(name, known ? state.measure : "brightness");
  $("tip").hidden = true;
  $("axis").hidden = name !== "plot";
  $("measure").value = stage.measure;
  $("legend").textContent = LAYOUTS[name].legend;
  $("canvas").ariaLabel = `${$(`tab-${name}`).textContent.trim()} of ${images(count)}. The arrow keys choose an image, Enter opens the image, plus and minus zoom.`;
}

document.querySelector("[role=tablist]").addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) go({ view: tab.id.slice(4) });
});
document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const next = tabs.at((tabs.indexOf(event.target) + step) % tabs.length);
  next.focus();
  next.click();
});
$("years")?.addEventListener("keydown", (event) => { // the bars are one stop of the Tab key
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const bars = [...document.querySelectorAll("#years svg a")];
  const at = bars.indexOf(event.target.closest("a"));
  const next = step && at >= 0 && bars[at + step];
  if (!next) return;
  bars[at].setAttribute("tabindex", -1);
  next.setAttribute("tabindex", 0);
  next.focus();
  event.preventDefault();
});
$("measure").addEventListener("change", () => go({ measure: $("measure").value }));
for (const [id, by] of [["in", 1.6], ["out", 1 / 1.6], ["fit", 0]]) $(id).addEventListener("click", () => stage.zoom(by));

const canvas = $("canvas");
const fingers = new Map();
let dragged = 0;
canvas.addEventListener("pointerdown", (event) => {
  fingers.set(event.pointerId, event);
  if (fingers.size === 1) dragged = 0;
});
canvas.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return event.pointerType === "mouse" && stage.choose(stage.layout.at(event.offsetX, event.offsetY));
  const [x, y] = [before.offsetX - event.offsetX, before.offsetY - event.offsetY];
  dragged += Math.abs(x) + Math.abs(y);
  if (fingers.size === 2) {
    const [other] = [...fingers.values()].filter((each) => each.pointerId !== event.pointerId);
    const apart = (each) => Math.hypot(each.offsetX - other.offsetX, each.offsetY - other.offsetY);
    stage.zoom(apart(event) / apart(before), (event.offsetX + other.offsetX) / 2, (event.offsetY + other.offsetY) / 2);
  } else if (stage.scale > 1 && dragged > 4) {
    canvas.setPointerCapture(event.pointerId);
    stage.choose(-1);
    stage.move(x, y);
  }
  fingers.set(event.pointerId, event);
  return undefined;
});
for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => fingers.delete(event.pointerId));
canvas.addEventListener("pointerleave", () => stage.choose(-1));
canvas.addEventListener("click", (event) => {
  const i = stage.layout.at(event.offsetX, event.offsetY);
  if (i >= 0 && dragged < 5) view(i);
});
canvas.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  stage.zoom(Math.exp(-event.deltaY / 200), event.offsetX, event.offsetY);
}, { passive: false });
canvas.addEventListener("keydown", (event) => {
  const list = stage.layout.list || every;
  const down = stage.layout.columns || 10;
  const at = list.indexOf(stage.cursor);
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: down, ArrowUp: -down, Home: -count, End: count };
  const zooms = { "+": 1.6, "=": 1.6, "-": 1 / 1.6, 0: 0 };
  if (event.key in zooms && !event.ctrlKey && !event.metaKey) stage.zoom(zooms[event.key]);
  else if (event.key === "Enter" && at >= 0) view(stage.cursor);
  else if (event.key in steps && list.length) {
    const next = list[Math.max(0, Math.min(list.length - 1, at + (at < 0 ? 1 : steps[event.key])))];
    stage.reveal(next);
    stage.choose(next, true);
  } else return;
  event.preventDefault();
});
new ResizeObserver(() => stage.layout && !$("stage").hidden && stage.width !== $("stage").clientWidth && stage.resize()).observe($("stage"));
new ResizeObserver(arrange).observe($("images"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => stage.draw());

// ---- One image, large, with its record. ----
let entered, seen; // the images that the large view showed first and last

function view(i) {
  opened = true;
  go({ image: data.paths[i] });
}

function enlarge(i) {
  seen = i;
  const image = $("image");
  $("title").textContent = title(i);
  image.alt = title(i);
  [image.width, image.height] = data.sizes[i];
  image.src = thumbnail(i);
  const full = new Image();
  full.src = original(i);
  full.decode().then(() => { if (data.paths[i] === state.image) image.src = full.src; }, () => {}); // else the thumbnail stays
  const [width, height] = data.sizes[i];
  const measured = Object.entries(data.measurements).map(([name, values]) => `${name} ${values[i] ?? "none"}`);
  const facts = {
    Date: data.dates[i],
    Size: `${number(width)} × ${number(height)} pixels, ${number(data.bytes[i])} bytes`,
    Measured: measured.join(", "),
    File: link(original(i), data.paths[i]),
    MD5: data.checksums[i],
    "Image URL": link(data.urls[i]),
    Page: link(data.pages[i]),
    Fetched: `${data.stored[i].replace("T", " ")} UTC`,
  };
  const rows = Object.entries(facts).filter(([, value]) => value).flatMap(([name, value]) => [element("dt", name), element("dd", value)]);
  $("facts").replaceChildren(...rows);
  const at = shown.indexOf(i);
  $("place").textContent = at < 0 ? "" : `${number(at + 1)} of ${number(shown.length)}`;
  $("previous").ariaDisabled = at <= 0; // not disabled: the button would lose the focus, and the dialog its keys
  $("next").ariaDisabled = at < 0 || at === shown.length - 1;
  if ($("large").open) return;
  entered = i;
  const root = document.documentElement; // the page behind does not scroll, and keeps its width without its scrollbar
  root.style.setProperty("--scrollbar", `${innerWidth - root.clientWidth}px`);
  $("large").showModal();
}

function link(url, text = url) {
  if (text === url && !/^https?:\/\//i.test(url)) return url; // other schemes are text
  const made = element("a", text);
  made.href = url;
  made.rel = "noreferrer";
  return made;
}

function turn(step) {
  const at = shown.indexOf(data.paths.indexOf(state.image));
  const next = at < 0 ? undefined : shown[at + step];
  if (next !== undefined) go({ image: data.paths[next] }, { replace: true });
}

function shut() {
  if (opened) history.back();
  else go({ image: "" }, { replace: true });
  opened = false;
}

$("large").addEventListener("close", () => { // the focus goes to the image that was seen last
  if (seen === entered) return;
  if (document.activeElement === canvas) {
    if (stage.layout.list && !stage.layout.list.includes(seen)) return;
    stage.reveal(seen);
    stage.choose(seen);
  } else if (document.activeElement.closest(".grid")) {
    const section = sections.find(({ items }) => items.includes(seen));
    if (!section) return;
    if (!section.list.firstChild) section.list.append(...section.items.map(tile));
    section.list.children[section.items.indexOf(seen)].firstElementChild.focus();
  }
});
$("previous").addEventListener("click", () => turn(-1));
$("next").addEventListener("click", () => turn(1));
$("close").addEventListener("click", shut);
$("large").addEventListener("cancel", (event) => { event.preventDefault(); shut(); });
$("large").addEventListener("click", (event) => event.target === $("large") && shut());
$("large").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step) turn(step);
});
$("search").addEventListener("input", () => go({ search: $("search").value, year: "" }, { replace: true }));
$("search").addEventListener("focus", haystack, { once: true });
$("search").addEventListener("keydown", (event) => event.key === "Enter" && $("images").scrollIntoView());

document.documentElement.style.setProperty("--shape", data.shape);
apply();
