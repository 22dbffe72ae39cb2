"use strict";
(() => {
  const form = document.getElementById("filter");
  const rows = [...document.querySelectorAll("tr[data-k]")];
  const fields = ["q", "model", "precision", "state"];
  const keys = new Map(rows.map((row) => {
    const [kind, states, ...model] = row.dataset.k.split("|"); // a model's name may hold a bar
    return [row, {
      model: model.join("|"), precision: kind.split(" ")[0], states: states.split(","),
      text: row.textContent.toLowerCase(),
    }];
  }));
  const states = new Set([...keys.values()].flatMap((key) => key.states));
  for (const state of [...states].sort()) form.elements.state.add(new Option(state));

  let sorted = "";
  function save() {
    const state = new URLSearchParams();
    for (const name of fields) if (form.elements[name].value) state.set(name, form.elements[name].value);
    if (sorted) state.set("sort", sorted);
    history.replaceState(null, "", "#" + state);
  }

  function filter() {
    const want = Object.fromEntries(fields.map((name) => [name, form.elements[name].value]));
    const words = want.q.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [row, key] of keys) {
      row.hidden = !((!want.model || key.model === want.model) &&
        (!want.precision || key.precision === want.precision) &&
        (!want.state || key.states.includes(want.state)) &&
        words.every((word) => key.text.includes(word)));
      shown += !row.hidden;
    }
    const active = fields.some((name) => want[name]);
    form.querySelector("output").value = active ? `${shown} of ${rows.length} rows` : "";
  }

  function value(row, column) {
    const text = row.cells[column] ? row.cells[column].textContent.trim() : "";
    const number = parseFloat(text.replace(/[×,]/g, ""));
    return Number.isNaN(number) || /^[a-z]/i.test(text) ? text : number;
  }

  function sort(table, column, direction) {
    const order = (a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
      return (x < y ? -1 : x > y ? 1 : 0) * direction;
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
    for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
    table.tHead.rows[0].cells[column].setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
  }

  const tables = [...document.querySelectorAll("table.sort")];
  tables.forEach((table, index) => {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        sort(table, column, direction);
        sorted = [index, column, direction].join(".");
        save();
      });
    });
  });

  function restore() {
    const fragment = decodeURIComponent(location.hash.slice(1));
    const target = fragment && document.getElementById(fragment);
    if (target) {
      const folded = target.closest("details");
      if (folded) { folded.open = true; folded.scrollIntoView(); }
      return;
    }
    const state = new URLSearchParams(location.hash.slice(1));
    for (const name of fields) form.elements[name].value = state.get(name) || "";
    const [index, column, direction] = (state.get("sort") || "").split(".").map(Number);
    if (direction && tables[index]) {
      sorted = state.get("sort");
      sort(tables[index], column, direction);
    }
    filter();
  }

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { filter(); save(); });
  addEventListener("hashchange", restore);
  restore();
})();
