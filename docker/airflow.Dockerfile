# Airflow with all stages: api-server, scheduler, dag-processor, workers.  Build from the checkout's root:
#   docker build -f docker/airflow.Dockerfile -t xlmr-airflow .
# Not run yet: written without a Docker engine at hand; `docker-compose config` (1.29) accepts compose.yaml.
FROM python:3.11-slim-bookworm

RUN apt-get update && apt-get install -y --no-install-recommends \
      build-essential cmake libboost-program-options-dev libboost-system-dev libboost-test-dev libboost-thread-dev \
      zlib1g-dev libbz2-dev liblzma-dev \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/xlmr
COPY requirements.txt pyproject.toml ./
COPY docker/requirements-cluster.txt docker/
COPY embedded ./embedded
COPY ccnet ./ccnet
COPY training ./training
COPY evaluation ./evaluation
COPY pipeline ./pipeline
COPY dags ./dags
COPY plugins ./plugins
COPY releases ./releases
COPY docker/pools.json docker/
# The same set-up as on a laptop: .venv with the pinned versions, lmplz, build_binary, lid.176; then the cluster's parts.
RUN python -m embedded.install \
    && .venv/bin/uv pip install --python .venv/bin/python -r docker/requirements-cluster.txt

ENV PATH=/opt/xlmr/.venv/bin:$PATH \
    PYTHONPATH=/opt/xlmr \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/xlmr/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/xlmr/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False
RUN useradd --create-home --home-dir /opt/airflow --shell /usr/sbin/nologin airflow
USER airflow
ENTRYPOINT ["airflow"]
CMD ["version"]
