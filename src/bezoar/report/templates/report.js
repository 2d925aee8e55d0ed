"use strict";
// Everything here is a comfort: the page is complete without it.
(() => {
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);

  const show = (text, x, y) => {
    tip.textContent = text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.min(Math.max(x - box.width / 2, 8), innerWidth - box.width - 8);
    const above = y - box.height - 14;
    tip.style.left = `${left}px`;
    tip.style.top = `${above < 8 ? y + 18 : above}px`;
  };
  const hide = () => { tip.hidden = true; };

  // The script's tooltip replaces the browser's own slow one.
  for (const area of document.querySelectorAll(".hover")) {
    const title = area.querySelector("title");
    area.dataset.tip = title.textContent;
    title.remove();
  }
  const heatText = (cell) => {
    const table = cell.closest("table");
    const column = table.tHead.rows[0].cells[cell.cellIndex].title;
    const row = cell.parentNode.cells[0].title;
    return `${table.dataset.rows}: ${row}\n${table.dataset.columns}: ${column}\n${cell.dataset.value}`;
  };
  const over = (event) => {
    const area = event.target.closest(".hover, td[data-value]");
    if (!area) return hide();
    if (!area.dataset.tip) return show(heatText(area), event.clientX, event.clientY);
    // A chart's numbers stand above the plot, so that they hide no point of it.
    const box = area.getBoundingClientRect();
    show(area.dataset.tip, box.x + box.width / 2, box.top + 10);
  };
  addEventListener("pointermove", over);
  addEventListener("pointerdown", over);
  addEventListener("scroll", hide, { passive: true });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // One stop of the Tab key for each chart; arrows walk along a curve and from curve to curve.
  for (const chart of document.querySelectorAll("svg.chart")) {
    const curves = [...chart.querySelectorAll(".marks")].map((g) => [...g.children]);
    const all = curves.flat();
    all.forEach((point, i) => point.setAttribute("tabindex", i ? "-1" : "0"));
    chart.addEventListener("keydown", (event) => {
      const at = curves.findIndex((points) => points.includes(event.target));
      if (at < 0) return;
      const i = curves[at].indexOf(event.target);
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!step) return;
      const curve = curves[(at + step[0] + curves.length) % curves.length];
      const next = curve[Math.min(Math.max(i + step[1], 0), curve.length - 1)];
      event.preventDefault();
      all.forEach((point) => point.setAttribute("tabindex", point === next ? "0" : "-1"));
      next.focus();
    });
    chart.addEventListener("focusin", (event) => {
      if (!event.target.matches(".point:focus-visible")) return;
      const box = event.target.getBoundingClientRect();
      show(event.target.getAttribute("aria-label"), box.x + box.width / 2, box.y);
    });
    chart.addEventListener("focusout", hide);
  }

  const command = document.querySelector(".command pre");
  if (command && navigator.clipboard) {
    const button = document.createElement("button");
    button.className = "copy";
    button.type = "button";
    button.textContent = "Copy the command";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(command.textContent);
      button.textContent = "Copied";
    });
    command.after(button);
  }
})();
