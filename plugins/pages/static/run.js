// The dumps or checkpoints that a run is about, asked of Airflow's REST API as the reader's own; then the page of them.
"use strict";
(async () => {
  const said = document.getElementById("said");
  const { dag, run, base, of, none } = said.dataset;
  if (!dag || !run) {
    return;
  }
  const ask = async (path) => {
    const reply = await fetch(`${base.replace(/\/\w+$/, "")}/api/v2/${path}`, { headers: { accept: "application/json" } });
    if (!reply.ok) {
      throw new Error(`Airflow answers ${reply.status}`);
    }
    return reply.json();
  };
  const ofRun = `dags/${encodeURIComponent(dag)}/dagRuns/${encodeURIComponent(run)}`;
  const made = new URLSearchParams({ source_dag_id: dag, source_run_id: run, limit: 100 });
  const named = {
    crawl: async () => {
      const { partition_key: key, conf } = await ask(ofRun);
      return [key, conf?.crawl, ...(conf?.dumps ?? [])];
    },
    checkpoint: async () => {
      const paths = [ofRun, `assets/events?${made}`, `${ofRun}/upstreamAssetEvents`];
      const [{ conf }, ...found] = await Promise.all(paths.map(ask));
      const events = found.flatMap((each) => each.asset_events)
        .filter((event) => ["xlmr_checkpoint", "xlmr_scores"].includes(event.name));
      return [conf?.model_name || conf?.checkpoint, ...(conf?.checkpoints ?? []), ...events.map((event) => event.partition_key)];
    },
  };
  try {
    const names = new Set((await named[of]()).filter((name) => typeof name === "string" && name));
    if (names.size) {
      location.replace(`${base}/run?${new URLSearchParams([["dag_id", dag], ["run_id", run], ...[...names].map((name) => [of, name])])}`);
    } else {
      said.textContent = none;
    }
  } catch (error) {
    said.textContent = `What this run is about could not be found: ${error.message}.`;
  }
})();
