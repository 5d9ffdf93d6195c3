# syntax=docker/dockerfile:1

FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/outbound
WORKDIR /src
# The locked dependencies first: this layer changes only with the lock.
COPY requirements.lock ./
RUN /opt/outbound/bin/pip install --require-hashes --only-binary :all: -r requirements.lock
# The build backend is pinned by hash too, and stays behind in this stage.
COPY requirements-run.lock ./
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r requirements-run.lock
COPY pyproject.toml README.md LICENSE ./
COPY events ./events
COPY providers ./providers
COPY notifications ./notifications
COPY storage ./storage
COPY consumers ./consumers
COPY outbound ./outbound
RUN /opt/build/bin/python -m hatchling build -t wheel -d /dist \
 && /opt/outbound/bin/pip install --no-index --no-deps /dist/outbound-*.whl \
 && /opt/outbound/bin/python -m compileall -q /opt/outbound/lib

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="outbound" org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin outbound
COPY --from=build /opt/outbound /opt/outbound
ENV PATH=/opt/outbound/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /tmp
EXPOSE 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('OUTBOUND_HEALTH_PORT', '8081') + '/livez', timeout=2)"]
ENTRYPOINT ["outbound"]
CMD ["worker"]
