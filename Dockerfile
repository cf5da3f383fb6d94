# Two stages: the first has pip and makes the virtual environment, the second has only Python and that environment.
FROM python:3.11-slim-bookworm AS build
WORKDIR /opt/onecard
COPY requirements/runtime.txt requirements/runtime.txt
RUN python -m venv .venv \
    && .venv/bin/pip install --disable-pip-version-check --no-cache-dir --quiet --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md ./
COPY fhir_profiles fhir_profiles
COPY terminology terminology
COPY mappers mappers
COPY server server
COPY conformance conformance
RUN .venv/bin/pip install --disable-pip-version-check --no-cache-dir --quiet --no-deps --no-build-isolation --no-index . \
    && .venv/bin/python -m compileall -q .venv/lib \
    && .venv/bin/pip uninstall --quiet --yes pip setuptools wheel \
    && rm -rf fhir_profiles terminology mappers server conformance build

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin onecard \
    && install -d -o onecard -g onecard -m 0700 /data
COPY --from=build /opt/onecard/.venv /opt/onecard/.venv
ENV PATH=/opt/onecard/.venv/bin:$PATH \
    ONECARD_STORE=sqlite:////data/onecard.db \
    ONECARD_DATA_FOLDER=/data
USER onecard
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["onecard", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["onecard"]
# Beyond loopback it wants TLS or a trusted proxy: docs/running.md
CMD ["serve"]
