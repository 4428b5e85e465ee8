// Choosing an element: a click or a tap on a cell, or arrow keys and Enter on a picture, sends its name or its cell.
(() => {
  const choose = (detail) => window.dispatchEvent(new CustomEvent("lab-choose", { detail }));

  const cell = (heat, event) => {
    const box = heat.getBoundingClientRect();
    const along = (position, length, count) => Math.min(count - 1, Math.max(0, Math.floor((position / length) * count)));
    return [
      along(event.clientY - box.top, box.height, +heat.dataset.rows),
      along(event.clientX - box.left, box.width, +heat.dataset.columns),
    ];
  };

  const send = (heat, [row, column]) =>
    choose({ tensor: heat.dataset.tensor, row, column, block: +heat.dataset.block, owner: heat.closest("[data-owner]")?.dataset.owner ?? "" });

  document.addEventListener("click", (event) => {
    const place = event.target.closest("[data-at]");
    if (place) return choose({ at: place.dataset.at });
    const heat = event.target.closest(".heat[data-tensor]");
    if (heat) send(heat, cell(heat, event));
  });

  // The cursor of each picture, by the name of its tensor, so that a picture drawn anew keeps it.
  const cursors = new Map();
  const draw = (heat, [row, column]) => {
    const rows = +heat.dataset.rows, columns = +heat.dataset.columns;
    let mark = heat.querySelector(".cursor");
    if (!mark) heat.append((mark = Object.assign(document.createElement("i"), { className: "cursor" })));
    Object.assign(mark.style, {
      left: `${(100 * column) / columns}%`, top: `${(100 * row) / rows}%`,
      width: `${100 / columns}%`, height: `${100 / rows}%`,
    });
  };

  document.addEventListener("keydown", (event) => {
    const heat = event.target.closest?.(".heat[data-tensor]");
    if (!heat) return;
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const at = cursors.get(heat.dataset.tensor) ?? [0, 0];
    if (event.key in moves) {
      const [down, right] = moves[event.key];
      const next = [
        Math.min(+heat.dataset.rows - 1, Math.max(0, at[0] + down)),
        Math.min(+heat.dataset.columns - 1, Math.max(0, at[1] + right)),
      ];
      cursors.set(heat.dataset.tensor, next);
      draw(heat, next);
      event.preventDefault();
    } else if (event.key === "Enter" || event.key === " ") {
      draw(heat, at);
      send(heat, at);
      event.preventDefault();
    }
  });
})();
