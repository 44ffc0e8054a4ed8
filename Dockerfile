# Image of `harness serve`. It needs no GPU and holds no model: a run folder is mounted at /model.
#
# The base is given by the digest of its index of platforms, which this command prints anew:
#   docker buildx imagetools inspect python:3.11-slim-bookworm --format '{{.Manifest.Digest}}'
ARG BASE=python:3.11.16-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${BASE} AS build
# Address of torch's index of wheels for processors alone, which its installation guide names. Without it pip takes a
# wheel that brings CUDA on x86: it works as well, and makes the image several GB larger.
ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python3 -m venv /opt/harness
COPY constraints.txt ./
# By itself: it is large, and changes less often than the code.
RUN /opt/harness/bin/pip install -c constraints.txt ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} torch
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY reference reference
COPY harness harness
COPY finetune finetune
RUN /opt/harness/bin/pip install -c constraints.txt '.[serve,finetune]' && /opt/harness/bin/harness serve --help

FROM ${BASE}
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin harness
COPY --from=build /opt/harness /opt/harness
# All that is written goes to /tmp, so that the root may be read-only; and any user may run it (--user).
ENV PATH=/opt/harness/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 \
    HOME=/tmp USER=harness HARNESS_HOME=/tmp/harness
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=5m --retries=3 \
    CMD ["python3", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["harness", "serve", "--host", "0.0.0.0", "--port", "8000", "--token-env", "HARNESS_TOKEN"]
CMD ["--model", "finetune:/model"]
