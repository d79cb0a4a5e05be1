// Switches the color theme, sorts tables and opens images in a viewer. The page also works without this script.
(() => {
  const root = document.documentElement;
  document.getElementById("theme").onclick = () => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
  };

  for (const head of document.querySelectorAll("table.sortable thead th")) {
    head.onclick = () => {
      const body = head.closest("table").tBodies[0], at = head.cellIndex;
      const up = head.getAttribute("aria-sort") === "descending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => {
        const text = row.cells[at].textContent.replace(/[\s,]/g, ""), number = parseFloat(text);
        return Number.isNaN(number) ? text : number;
      };
      const order = (a, b) => (typeof a === typeof b ? (a > b ? 1 : a < b ? -1 : 0) : typeof a === "number" ? 1 : -1);
      const rows = [...body.rows].filter((row) => !row.classList.contains("mean"));
      rows.sort((a, b) => (up ? 1 : -1) * order(value(a), value(b)));
      body.prepend(...rows);
    };
  }

  // Mark tables that are wider than the page.
  const markWideTables = () => {
    for (const part of document.querySelectorAll(".wide")) {
      part.classList.toggle("scrolls", part.querySelector("table").offsetWidth > part.clientWidth + 1);
    }
  };
  addEventListener("resize", markWideTables);
  addEventListener("load", markWideTables);
  new ResizeObserver(markWideTables).observe(document.body);
  markWideTables();

  // Viewer for the layers of one figure: use the wheel or pinch to zoom, drag to pan.
  const dialog = document.createElement("dialog");
  dialog.innerHTML = '<div class="viewer"><div class="tools"><b></b></div><div class="stage"></div></div>';
  document.body.append(dialog);
  const title = dialog.querySelector("b"), tools = dialog.querySelector(".tools"), stage = dialog.querySelector(".stage");
  let scale = 1, x = 0, y = 0, shown = null;
  const held = new Map();

  const place = () => {
    for (const image of stage.children) {
      image.style.transform = `translate(${x}px, ${y}px) scale(${(scale * shown.naturalWidth) / image.naturalWidth})`;
    }
    stage.classList.toggle("near", scale > 2);
  };
  const zoom = (factor, atX, atY) => {
    const next = Math.min(Math.max(scale * factor, 0.05), 40);
    x = atX - ((atX - x) * next) / scale;
    y = atY - ((atY - y) * next) / scale;
    scale = next;
    place();
  };
  const fit = () => {
    const { clientWidth: w, clientHeight: h } = stage;
    scale = Math.min(w / shown.naturalWidth, h / shown.naturalHeight);
    x = (w - shown.naturalWidth * scale) / 2;
    y = (h - shown.naturalHeight * scale) / 2;
    place();
  };
  const choose = (layer) => {
    for (const image of stage.children) image.style.visibility = image.dataset.layer === layer ? "visible" : "hidden";
    for (const button of tools.querySelectorAll("[data-layer]")) {
      button.setAttribute("aria-pressed", button.dataset.layer === layer);
      if (button.dataset.layer === layer) button.focus();
    }
  };
  const button = (text, action, layer) => {
    const made = document.createElement("button");
    made.textContent = text;
    made.onclick = action;
    if (layer) made.dataset.layer = layer;
    tools.append(made);
  };
  const open = (figure, first) => {
    const layers = [...figure.querySelectorAll("img[data-layer]")];
    stage.replaceChildren(...layers.map((image) => {
      const copy = image.cloneNode();
      copy.hidden = false;
      copy.removeAttribute("width");
      copy.removeAttribute("height");
      copy.draggable = false;
      return copy;
    }));
    tools.replaceChildren(title);
    title.textContent = figure.dataset.title || "";
    for (const { dataset: { layer } } of layers) button(layer, () => choose(layer), layer);
    button("fit", fit);
    button("1:1", () => zoom(1 / scale, stage.clientWidth / 2, stage.clientHeight / 2));
    button("close", () => dialog.close());
    shown = stage.firstChild;
    dialog.showModal();
    choose(first);
    Promise.all([...stage.children].map((image) => image.decode().catch(() => {}))).then(fit);
  };
  stage.onwheel = (event) => {
    event.preventDefault();
    zoom(1.0015 ** -event.deltaY, event.offsetX, event.offsetY);
  };
  stage.onpointerdown = (event) => {
    held.set(event.pointerId, event);
    stage.setPointerCapture(event.pointerId);
  };
  stage.onpointermove = (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const other = [...held.values()].find((each) => each.pointerId !== event.pointerId);
    if (other) {
      const apart = (a) => Math.hypot(a.clientX - other.clientX, a.clientY - other.clientY) || 1;
      const box = stage.getBoundingClientRect();
      zoom(apart(event) / apart(before), (event.clientX + other.clientX) / 2 - box.x, (event.clientY + other.clientY) / 2 - box.y);
    } else {
      x += event.clientX - before.clientX;
      y += event.clientY - before.clientY;
      place();
    }
    held.set(event.pointerId, event);
  };
  stage.onpointerup = stage.onpointercancel = (event) => held.delete(event.pointerId);
  dialog.onkeydown = (event) => {
    const middle = [stage.clientWidth / 2, stage.clientHeight / 2];
    const number = Number(event.key) - 1;
    if (event.key === "+") zoom(1.25, ...middle);
    else if (event.key === "-") zoom(0.8, ...middle);
    else if (event.key === "0") fit();
    else if (stage.children[number]) choose(stage.children[number].dataset.layer);
  };
  addEventListener("resize", () => dialog.open && fit());

  const figures = [...document.querySelectorAll("figure[data-title]")];
  for (const figure of figures) {
    for (const image of figure.querySelectorAll("img[data-layer]")) image.onclick = () => open(figure, image.dataset.layer);
  }
  const linked = /^#look-(\d+)$/.exec(location.hash);
  if (linked && figures[linked[1]]) open(figures[linked[1]], figures[linked[1]].querySelector("img:not([hidden])").dataset.layer);
})();
