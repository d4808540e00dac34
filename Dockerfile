# One image, all commands: `firstbell serve ingest|risk|notify`, `firstbell migrate`, `firstbell up`.
#
# The packages are pinned by hash (requirements/). The base is not yet: no registry of images was at
# hand to ask for its digest, and a digest from elsewhere would be believed unseen. Pin it as you build:
#   docker build --build-arg BASE=python:3.11-slim-bookworm@sha256:… .
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/ requirements/
RUN python -m venv /opt/firstbell \
    && /opt/firstbell/bin/pip install --require-hashes --requirement requirements/base.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --requirement requirements/uv.txt
COPY pyproject.toml README.md ./
COPY libs/ libs/
COPY services/ services/
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/firstbell/bin/pip install --no-deps /dist/*.whl
# Compiles the rules, for any processor of this kind, into the package's own folders: a container
# starts at once and need not write there (services/risk/compiled.py). Not in /src: its own are there.
WORKDIR /
RUN /opt/firstbell/bin/python -c "import services.risk.main"

FROM ${BASE}
RUN useradd --system --uid 10001 --create-home --home-dir /data firstbell
COPY --from=build /opt/firstbell /opt/firstbell
ENV PATH=/opt/firstbell/bin:$PATH FIRSTBELL_DATA_DIR=/data PYTHONUNBUFFERED=1
USER 10001
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["firstbell"]
CMD ["up", "--host", "0.0.0.0", "--data", "/data"]
