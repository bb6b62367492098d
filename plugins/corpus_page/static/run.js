// Which dump a run reads: its partition key or its settings, asked of Airflow's REST API as the reader's own.
"use strict";
(async () => {
  const said = document.getElementById("said");
  const { dag, run, base } = said.dataset;
  if (!dag || !run) {
    return;
  }
  const airflow = base.replace(/\/corpus$/, "");
  const address = `${airflow}/api/v2/dags/${encodeURIComponent(dag)}/dagRuns/${encodeURIComponent(run)}`;
  try {
    const reply = await fetch(address, { headers: { accept: "application/json" } });
    if (!reply.ok) {
      throw new Error(`Airflow answers ${reply.status}`);
    }
    const { partition_key: key, conf } = await reply.json();
    const named = [key, conf?.crawl, ...(conf?.dumps ?? [])].filter((crawl) => typeof crawl === "string" && crawl);
    const query = new URLSearchParams([["dag_id", dag], ["run_id", run], ...named.map((crawl) => ["crawl", crawl])]);
    if (named.length) {
      location.replace(`${base}/run?${query}`);
    } else {
      said.textContent = "This run names no dump.";
    }
  } catch (error) {
    said.textContent = `This run's dump could not be found: ${error.message}.`;
  }
})();
