# instructerc serve, with the model that ships: no network needed once it is built.
#
#   docker build -t instructerc .                                    on the CPU
#   docker build -t instructerc:cuda --build-arg DEVICE=cuda .       with the CUDA build of torch
#   docker compose up
#
# docs/container.md says the rest.

ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ARG DEVICE=cpu
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
# The CPU build of torch is a tenth of the other one, and comes from an index of its own.
RUN python -m venv /opt/instructerc \
 && if [ "$DEVICE" = cpu ]; then \
      /opt/instructerc/bin/pip install --no-cache-dir --constraint constraints.txt \
        --extra-index-url https://download.pytorch.org/whl/cpu "torch==$(sed -n 's/^torch==//p' constraints.txt)+cpu"; \
    fi \
 && /opt/instructerc/bin/pip install --no-cache-dir --constraint constraints.txt '.[offline,serve]'

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="InstructERC" \
      org.opencontainers.image.description="What each speaker of a conversation feels" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --create-home --home-dir /home/instructerc instructerc
COPY --from=build /opt/instructerc /opt/instructerc
# Nothing is fetched, and nothing but /tmp is written to: the root file system may be read-only.
ENV PATH=/opt/instructerc/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    INSTRUCTERC_OFFLINE=1 \
    HF_HUB_OFFLINE=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["instructerc"]
# Others than this machine can reach it, so it wants tokens: see compose.yaml.
CMD ["serve", "--host", "0.0.0.0", "--tokens", "/run/secrets/tokens"]
