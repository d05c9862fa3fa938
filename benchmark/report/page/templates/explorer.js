// The class explorer. All texts are set as text, never as markup.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const at = (id) => document.getElementById(id);
  const app = at("explorer-app");
  if (!data.tasks.length) return;
  app.hidden = false;

  const SVG = "http://www.w3.org/2000/svg";
  // Markers in a square of side 2 around the origin, one for each marker of the figures.
  const SHAPES = {
    "o": "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0z", "s": "M-.9-.9H.9V.9H-.9z",
    "^": "M0-1.1L1 .8H-1z", "v": "M0 1.1L1-.8H-1z", "<": "M-1.1 0L.8-1V1z", ">": "M1.1 0L-.8-1V1z",
    "D": "M0-1.15L1.15 0L0 1.15L-1.15 0z",
    "P": "M-.4-1H.4V-.4H1V.4H.4V1H-.4V.4H-1V-.4H-.4z",
    "X": "M-1-.5L-.5-1L0-.5L.5-1L1-.5L.5 0L1 .5L.5 1L0 .5L-.5 1L-1 .5L-.5 0z",
  };
  const shown = data.methods.map(() => true);
  let task = data.tasks[0], chosen = 0;

  function element(name, text, className) {
    const out = document.createElement(name);
    if (text !== undefined) out.textContent = text;
    if (className) out.className = className;
    return out;
  }

  function drawn(name, attributes, parent) {
    const out = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) out.setAttribute(key, value);
    if (parent) parent.append(out);
    return out;
  }

  // Whoever plugs in a method of an unknown marker gets a circle.
  const shape = (method, parent) =>
    drawn("path", { d: SHAPES[method.marker] || SHAPES.o, fill: method.colour }, parent);

  function mark(method) {
    const svg = drawn("svg", { viewBox: "-1.6 -1.6 3.2 3.2", class: "mark", "aria-hidden": "true" });
    shape(method, svg).style.strokeWidth = "0.14";
    return svg;
  }

  // Methods with a result on the task.
  const present = () => data.methods.map((_, m) => m)
    .filter((m) => task.classes.some((entry) => entry.ap[m]));
  const number = (value) => value.toLocaleString("en", { maximumFractionDigits: 1 });

  // -- choosing -------------------------------------------------------------------------------

  function fillClasses() {
    const words = at("ex-find").value.trim().toLowerCase();
    const select = at("ex-class");
    select.replaceChildren();
    const groups = new Map();
    task.classes.forEach((entry, n) => {
      if (words && n !== chosen && !entry.name.toLowerCase().includes(words)) return;
      if (!groups.has(entry.group)) {
        const group = element("optgroup");
        group.label = entry.group;
        groups.set(entry.group, group);
        select.append(group);
      }
      const option = element("option", `${entry.name} (${number(entry.train)})`);
      option.value = n;
      groups.get(entry.group).append(option);
    });
    select.value = chosen;
  }

  function choose(n) {
    chosen = Math.max(0, Math.min(task.classes.length - 1, n));
    const select = at("ex-class");
    if (![...select.options].some((option) => option.value === String(chosen))) {
      at("ex-find").value = "";
      fillClasses();
    }
    select.value = chosen;
    at("ex-prev").disabled = chosen === 0;
    at("ex-next").disabled = chosen === task.classes.length - 1;
    overview();
    detail();
    at("said").textContent = `${task.classes[chosen].name}, ${at("ex-chips").innerText.replaceAll("\n", ", ")}`;
  }

  function chooseTask(n) {
    task = data.tasks[n];
    chosen = 0;
    at("ex-find").value = "";
    fillClasses();
    legend();
    choose(0);
  }

  function legend() {
    at("ex-legend").replaceChildren(...present().map((m) => {
      const button = element("button");
      button.type = "button";
      button.append(mark(data.methods[m]), element("span", data.methods[m].label));
      button.setAttribute("aria-pressed", shown[m]);
      button.addEventListener("click", () => {
        shown[m] = !shown[m];
        button.setAttribute("aria-pressed", shown[m]);
        overview();
      });
      return button;
    }));
  }

  // -- all classes ----------------------------------------------------------------------------

  const LEFT = 34, RIGHT = 8, TOP = 20, HIGH = 190, GAP = 8, LOW = 46;  // pixels of the overview
  const BOTTOM = TOP + HIGH + GAP + LOW;

  function overview() {
    const box = at("ex-overview"), width = Math.max(260, box.clientWidth);
    const step = (width - LEFT - RIGHT) / task.classes.length;
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${BOTTOM + 6}`, height: BOTTOM + 6, "aria-hidden": "true" });
    background(svg, width, step);
    counts(svg, step);
    const order = task.classes.map((_, n) => n).filter((n) => n !== chosen).concat(chosen);
    for (const n of order) dots(svg, n, step);
    svg.addEventListener("click", (event) => {
      const where = (event.clientX - svg.getBoundingClientRect().left) * width / svg.clientWidth;
      choose(Math.floor((where - LEFT) / step));
    });
    box.replaceChildren(svg);
  }

  const middle = (n, step) => LEFT + (n + 0.5) * step;
  const level = (ap) => TOP + HIGH * (1 - ap / 100);

  // A band and a name for each group, lines for the scale, and a strip behind the chosen class.
  function background(svg, width, step) {
    const band = (x, wide, className) =>
      drawn("rect", { x, y: TOP, width: wide, height: BOTTOM - TOP, class: className }, svg);
    let start = 0;
    task.classes.forEach((entry, n) => {
      const next = task.classes[n + 1];
      if (next && next.group === entry.group) return;
      const from = LEFT + start * step, wide = (n + 1 - start) * step;
      if (entry.group !== "medium") band(from, wide, "band");
      if (wide > 40) label(svg, from + wide / 2, TOP - 7, "middle", entry.group);
      start = n + 1;
    });
    for (const tick of [0, 25, 50, 75, 100]) {
      drawn("line", { x1: LEFT, x2: width - RIGHT, y1: level(tick), y2: level(tick), class: "grid" }, svg);
      label(svg, LEFT - 6, level(tick) + 4, "end", tick);
    }
    const wide = Math.max(step, 7);
    band(middle(chosen, step) - wide / 2, wide, "chosen");
  }

  function label(svg, x, y, anchor, text) {
    drawn("text", { x, y, "text-anchor": anchor }, svg).textContent = text;
  }

  function counts(svg, step) {
    const most = Math.log10(1 + Math.max(...task.classes.map((entry) => entry.train)));
    task.classes.forEach((entry, n) => {
      const tall = most ? LOW * Math.log10(1 + entry.train) / most : 0;
      const place = { x: middle(n, step) - step * 0.4, y: BOTTOM - tall, width: step * 0.8, height: tall };
      drawn("rect", { ...place, class: n === chosen ? "count on" : "count" }, svg);
    });
  }

  function dots(svg, n, step) {
    const size = n === chosen ? 6 : Math.max(2.2, Math.min(4, step / 3));
    for (const m of present()) {
      const ap = task.classes[n].ap[m];
      if (!ap || !shown[m]) continue;
      const dot = shape(data.methods[m], svg);
      dot.setAttribute("class", n === chosen ? "dot on" : "dot");
      dot.setAttribute("transform", `translate(${middle(n, step)} ${level(ap[0])}) scale(${size})`);
      dot.setAttribute("vector-effect", "non-scaling-stroke");
    }
  }

  // -- one class ------------------------------------------------------------------------------

  function detail() {
    const entry = task.classes[chosen];
    at("ex-name").textContent = entry.name;
    const chips = [task.name, entry.group, `${number(entry.train)} training image${entry.train === 1 ? "" : "s"}`];
    if (entry.test !== null) chips.push(`${number(entry.test)} test image${entry.test === 1 ? "" : "s"}`);
    at("ex-chips").replaceChildren(...chips.map((text) => element("span", text)));
    aps(entry);
    pictures(entry);
  }

  function aps(entry) {
    const head = element("thead"), row = element("tr"), body = element("tbody");
    const methods = present(), first = entry.ap[methods[0]];
    for (const [text, kind] of [["method", ""], ["AP", "bar"], ["", "num"], [methods.length > 1 ? `to ${data.methods[methods[0]].label}` : "", "num"]]) {
      const cell = element("th", text, kind);
      cell.scope = "col";
      row.append(cell);
    }
    head.append(row);
    const best = Math.max(...methods.map((m) => (entry.ap[m] ? entry.ap[m][0] : -1)));
    for (const m of methods) {
      const method = data.methods[m], ap = entry.ap[m], line = element("tr");
      const name = element("th");
      name.scope = "row";
      name.append(mark(method), element("span", method.label));
      const bar = element("td", undefined, "bar"), rest = element("i"), value = element("td", undefined, "num");
      if (ap) {
        const fill = element("span");
        fill.style.width = `${ap[0]}%`;
        fill.style.background = method.colour;
        rest.append(fill);
        value.append(element(ap[0] === best ? "b" : "span", ap[0].toFixed(2)));
        if (ap[1] !== null) value.append(element("span", ` ± ${ap[1].toFixed(2)}`, "std"));
      } else {
        value.textContent = "-";
      }
      bar.append(rest);
      const gain = ap && first && m !== methods[0] ? ap[0] - first[0] : null;
      const sign = gain === null ? "" : (gain < 0 ? "−" : "+") + Math.abs(gain).toFixed(2);
      line.append(name, bar, value, element("td", sign, "num quiet"));
      body.append(line);
    }
    at("ex-aps").replaceChildren(head, body);
    const n = methods.map((m) => (entry.ap[m] ? entry.ap[m][2] : 0));
    const counts = methods.map((m, k) => `${data.methods[m].label} ${n[k]}`).join(", ");
    const same = new Set(n).size === 1;
    at("ex-note").textContent = same && n[0] === 1
      ? `AP in percent, of one ${task.turns.slice(0, -1)}.`
      : `AP in percent, mean ± sample standard deviation over ${same ? `${n[0]} ${task.turns}` : `${task.turns} (${counts})`}.`;
  }

  function pictures(entry) {
    at("ex-images").replaceChildren(...entry.images.map((image) => {
      const item = element("li"), picture = element("img");
      picture.src = data.pictures[image.picture];
      picture.alt = `test image with ${image.labels.join(", ")}`;
      const labels = element("p");
      image.labels.forEach((name, k) => {
        if (k) labels.append(", ");
        labels.append(element(name === entry.name ? "b" : "span", name));
      });
      item.append(picture, labels);
      const ranks = image.ranks.map((rank, m) => [rank, m]).filter(([rank]) => rank !== null);
      if (ranks.length) {
        const line = element("p");
        ranks.forEach(([rank, m], k) => {
          if (k) line.append(" · ");
          line.append(`${data.methods[m].label} `, element(rank <= image.labels.length ? "b" : "span", rank));
        });
        item.append(line);
      }
      return item;
    }));
    const ranked = entry.images.some((image) => image.ranks.some((rank) => rank !== null));
    at("ex-images-note").textContent = !entry.images.length
      ? "No images in this page: it was made where the image folder was not at hand."
      : "Evenly spread over the test list, chosen by no result." + (ranked
        ? ` Below the true labels: where each method (first of its ${task.turns}) ranks ${entry.name} among all classes; bold if within the number of true labels.`
        : "");
  }

  data.tasks.forEach((entry, n) => {
    const option = element("option", entry.name);
    option.value = n;
    at("ex-task").append(option);
  });
  at("ex-task").addEventListener("change", (event) => chooseTask(Number(event.target.value)));
  at("ex-class").addEventListener("change", (event) => choose(Number(event.target.value)));
  at("ex-find").addEventListener("input", () => {
    const words = at("ex-find").value.trim().toLowerCase();
    const found = task.classes.findIndex((entry) => entry.name.toLowerCase().includes(words));
    if (words && found >= 0 && !task.classes[chosen].name.toLowerCase().includes(words)) chosen = found;
    fillClasses();
    choose(chosen);
  });
  at("ex-prev").addEventListener("click", () => choose(chosen - 1));
  at("ex-next").addEventListener("click", () => choose(chosen + 1));
  let width = 0;
  new ResizeObserver(() => {
    const now = at("ex-overview").clientWidth;
    if (now !== width) { width = now; overview(); }
  }).observe(at("ex-overview"));
  chooseTask(0);
})();
