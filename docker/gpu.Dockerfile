# training/ and evaluation/ alone, for GPU machines: no Airflow, fastText or KenLM.  Build from the checkout's root:
#   docker build -f docker/gpu.Dockerfile -t xlmr-gpu .
#   docker run --gpus all -v /data:/data xlmr-gpu --nproc-per-node 8 -m training pretrain --config /data/run.json
# Jobs of several nodes (docker/kubernetes) run `python -m training.launch --job s3://…` in it instead; boto3 is for them.
# Not run yet: written without a Docker engine at hand.  The pinned torch is the CUDA build here.
FROM python:3.11-slim-bookworm

WORKDIR /opt/xlmr
COPY requirements.txt ./
RUN pip install --no-cache-dir -c requirements.txt torch numpy safetensors sentencepiece boto3 transformers matplotlib rich scipy jinja2
COPY training ./training
COPY evaluation ./evaluation

RUN useradd --create-home trainer
USER trainer
ENTRYPOINT ["torchrun"]
CMD ["--help"]
