"use strict";
(() => {
  const FILTERS = ["task", "benchmark", "mode", "budget", "compliance"];
  const form = document.getElementById("filters");
  const read = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");

  function keep(changes) {
    const state = read();
    for (const [name, value] of Object.entries(changes)) {
      if (value) state.set(name, value); else state.delete(name);
    }
    history.replaceState(null, "", `#${state}`);
    show();
  }

  function value(row, column) {
    const cell = row.cells[column];
    return cell.dataset.value ?? cell.textContent.trim();
  }

  // Entries that break a rule stay below those that break none, unless they are ranked together.
  function sort(table, column, direction, together) {
    const heads = [...table.tHead.rows[0].cells];
    const numeric = heads[column].querySelector("button").dataset.kind !== "text";
    const rank = (row) => (together || row.dataset.compliant !== "no" ? 0 : 1);
    const rows = [...table.tBodies[0].rows].map((row) => [row, value(row, column)]);
    rows.sort(([a, x], [b, y]) => {
      if (rank(a) !== rank(b)) return rank(a) - rank(b);
      if ((x === "") !== (y === "")) return x === "" ? 1 : -1;
      return direction * (numeric ? Number(x) - Number(y) : x.localeCompare(y));
    });
    table.tBodies[0].append(...rows.map(([row]) => row));
    heads.forEach((head, k) => {
      if (k === column) head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  }

  function filter(state) {
    const wanted = Object.fromEntries(FILTERS.map((name) => [name, state.get(name) ?? ""]));
    for (const name of FILTERS) form.elements[name].value = wanted[name];
    const fits = (data, names) => names.every((name) => !wanted[name] || data[name].split("\n").includes(wanted[name]));
    let shown = 0;
    for (const row of document.querySelectorAll("tr.result")) {
      const only = wanted.compliance !== "compliant" || row.dataset.compliant === "yes";
      row.hidden = !(only && fits(row.dataset, ["task", "benchmark", "mode", "budget"]));
      shown += row.hidden ? 0 : 1;
    }
    const rankings = [...document.querySelectorAll(".ranking")];
    for (const ranking of rankings) {
      const { everyone, benchmark } = ranking.dataset;
      const twin = rankings.some((r) => r.dataset.everyone === "yes");
      const together = wanted.compliance === "mixed" && twin ? "yes" : "no";
      const whole = !wanted.benchmark || benchmark === wanted.benchmark;
      ranking.hidden = everyone !== together || !whole || !fits(ranking.dataset, ["mode", "budget"]);
    }
    document.getElementById("rankings").hidden = wanted.task !== "";
    document.getElementById("count").textContent = `${shown} of ${document.querySelectorAll("tr.result").length} lines`;
  }

  function show() {
    const named = document.getElementById(location.hash.slice(1));
    if (named instanceof HTMLDetailsElement) named.open = true;
    const state = read();
    const [id, column, way] = (state.get("sort") ?? "").split(".");
    const table = id ? document.getElementById(id) : null;
    if (table?.tHead?.rows[0].cells[column]?.querySelector("button.sort")) {
      sort(table, Number(column), way === "down" ? -1 : 1, state.get("compliance") === "mixed");
    }
    if (form) filter(state);
  }

  document.querySelectorAll("table.sortable").forEach((table) => {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      head.querySelector("button.sort")?.addEventListener("click", () => {
        const sorted = head.getAttribute("aria-sort");
        const first = head.querySelector("button.sort").dataset.kind === "high";
        const down = sorted ? sorted === "ascending" : first;
        keep({ sort: `${table.id}.${column}.${down ? "down" : "up"}` });
      });
    });
  });
  if (form) {
    form.hidden = false;
    form.addEventListener("change", () => keep(Object.fromEntries(FILTERS.map((n) => [n, form.elements[n].value]))));
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      keep(Object.fromEntries(FILTERS.map((n) => [n, ""])));
    });
    form.addEventListener("submit", (event) => event.preventDefault());
  }
  addEventListener("hashchange", show);
  show();

  const button = document.getElementById("theme");
  const themes = ["system", "light", "dark"];
  const paint = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  button.hidden = false;
  paint(localStorage.getItem("theme") ?? "system");
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length];
    localStorage.setItem("theme", next);
    paint(next);
  });
})();
