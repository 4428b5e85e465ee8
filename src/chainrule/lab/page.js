// Markup in place of markup: nodes that are as before stay what they are, with their focus and what is unfolded.
const labShow = (() => {
  const attributes = (old, next) => {
    for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    for (const { name } of [...old.attributes]) if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  };
  const children = (old, next) => {
    const before = [...old.childNodes].filter((node) => node.className !== "cursor"), after = [...next.childNodes];
    after.forEach((node, at) => {
      const there = before[at];
      if (!there) old.append(node);
      else if (there.nodeName !== node.nodeName) there.replaceWith(node);
      else if (there.nodeType === Node.TEXT_NODE) {
        if (there.data !== node.data) there.data = node.data;
      } else if (!there.isEqualNode(node)) {
        attributes(there, node);
        children(there, node);
      }
    });
    for (const rest of before.slice(after.length)) rest.remove();
  };
  return (id, markup, data) => {
    const place = document.getElementById(id), next = document.createElement("div");
    if (!place) return;
    next.innerHTML = markup;
    children(place, next);
    // Another pane is read from its beginning.
    if (data.pane && place.dataset.pane && data.pane !== place.dataset.pane) {
      const centre = place.closest(".lab-centre");
      centre.scrollTop = 0;
      if (centre.getBoundingClientRect().top < 0) centre.scrollIntoView();
    }
    Object.assign(place.dataset, data);
  };
})();

// Choosing an element: a click or a tap on a cell, or arrow keys and Enter on a picture, sends its name or its cell.
(() => {
  const choose = (detail) => emitEvent("lab-choose", detail);

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

// Files that are dropped or chosen, with the folders they lie in, go to the server; what it answers goes to the page.
(() => {
  const say = (words) => { const place = document.getElementById("lab-progress"); if (place) place.textContent = words; };

  const inside = async (entry, path) => {
    if (entry.isFile) return [await new Promise((done, fail) => entry.file((file) => done({ file, path: path + file.name }), fail))];
    const reader = entry.createReader(), found = [];
    for (;;) {
      const part = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!part.length) break;
      for (const one of part) found.push(...(await inside(one, `${path}${entry.name}/`)));
    }
    return found;
  };

  const upload = (files) => {
    const chosen = files.filter(({ path }) => !path.split("/").some((part) => part.startsWith(".")));
    if (!chosen.length) return;
    const body = new FormData();
    for (const { file, path } of chosen) body.append("files", file, encodeURIComponent(path));
    const request = new XMLHttpRequest();
    request.upload.onprogress = (event) => say(event.lengthComputable ? `sending, ${Math.round((100 * event.loaded) / event.total)} %` : "sending");
    request.upload.onload = () => say("reading");
    request.onloadend = () => {
      say("");
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* no answer of ours */ }
      if (!answer.key && !answer.error) answer.error = request.responseText || "the server did not take it; is it still running, and the file not too large?";
      emitEvent("lab-dropped", answer);
    };
    request.open("POST", "/upload");
    request.send(body);
  };

  document.addEventListener("click", (event) => {
    const pick = event.target.closest("[data-pick]")?.dataset.pick;
    if (pick) document.getElementById(`lab-${pick}`).click();
  });
  document.addEventListener("change", (event) => {
    if (!["lab-file", "lab-folder"].includes(event.target.id)) return;
    upload([...event.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
    event.target.value = "";
  });
  const over = (event, on) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.getElementById("lab-drop")?.classList.toggle("over", on);
  };
  document.addEventListener("dragover", (event) => over(event, true));
  document.addEventListener("dragleave", (event) => over(event, false));
  document.addEventListener("drop", async (event) => {
    over(event, false);
    // What is dropped has to be taken at once; only an entry can be a folder.
    const items = [...(event.dataTransfer?.items ?? [])].filter((item) => item.kind === "file");
    const found = items.map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
    const files = found.map(({ entry, file }) => (entry ? inside(entry, "") : file ? [{ file, path: file.name }] : []));
    upload((await Promise.all(files)).flat());
  });

  // The page is drawn only while it is seen.
  document.addEventListener("visibilitychange", () => emitEvent("lab-visible", !document.hidden));
})();

// The bar takes two lines where there is little room; what stays in sight below it has to know.
(() => {
  const sized = new ResizeObserver(([{ target }]) =>
    document.documentElement.style.setProperty("--bar", `${target.offsetHeight}px`));
  const found = new MutationObserver(() => {
    const bar = document.querySelector(".lab-bar");
    if (bar) { sized.observe(bar); found.disconnect(); }
  });
  found.observe(document, { childList: true, subtree: true });
})();

// Where there is little room, the set-up is shown and folded away by its button; a mistake in it shows it, too.
(() => {
  const show = (on) => {
    document.querySelector(".lab-frame")?.classList.toggle("with-setup", on);
    document.querySelector("[data-fold]")?.setAttribute("aria-expanded", on);
    // Fields that grow with their text were measured while they were hidden.
    for (const area of document.querySelectorAll(".lab-setup textarea")) {
      area.style.height = "auto";
      area.style.height = `${area.scrollHeight}px`;
    }
  };
  document.addEventListener("click", (event) => {
    const fold = event.target.closest("[data-fold]");
    if (fold) show(fold.getAttribute("aria-expanded") !== "true");
  });
  new MutationObserver(() => {
    const shown = document.querySelector("[data-fold]")?.getAttribute("aria-expanded") === "true";
    if (!shown && document.querySelector(".lab-setup .lab-problem:not(:empty)")) show(true);
  }).observe(document, { childList: true, subtree: true });
})();
