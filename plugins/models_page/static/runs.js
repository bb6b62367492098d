// Which run of Airflow made what a row names: its asset event carries the manifest; asked as the reader's own.
"use strict";
(async () => {
  const cells = [...document.querySelectorAll("[data-manifest]")].filter((cell) => cell.dataset.dag);
  const base = document.getElementById("lineage-table").dataset.base;
  const airflow = base.replace(/\/models$/, "");
  for (const dag of new Set(cells.map((cell) => cell.dataset.dag))) {
    const address = `${airflow}/api/v2/assets/events?source_dag_id=${encodeURIComponent(dag)}&order_by=-timestamp&limit=100`;
    const reply = await fetch(address, { headers: { accept: "application/json" } }).catch(() => null);
    const events = reply?.ok ? (await reply.json()).asset_events : [];
    for (const cell of cells.filter((each) => each.dataset.dag === dag)) {
      const made = events.find((event) => String(event.extra?.manifest ?? "").endsWith(`/${cell.dataset.manifest}`));
      const link = document.createElement("a");
      link.target = "_top";
      link.textContent = made ? made.source_run_id : dag;
      link.href = `${airflow}/dags/${dag}/${made ? `runs/${encodeURIComponent(made.source_run_id)}` : "runs"}`;
      cell.append(link);
    }
  }
})();
