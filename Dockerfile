# syntax=docker/dockerfile:1

# One image for the three programs: tollkeeper-api, tollkeeper-ingestor and tollkeeper.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# The SQL was checked against a database before it was committed (.sqlx).
ENV SQLX_OFFLINE=true
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked \
        --package tollkeeper-api --package tollkeeper-ingestor --package tollkeeper-ctl \
    && mkdir -p /out/bin /out/spool \
    && cp target/release/tollkeeper target/release/tollkeeper-api target/release/tollkeeper-ingestor \
        /out/bin/

# No shell, no package manager: the C library, the certificates of public authorities, and what is
# copied here.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/bin/ /usr/local/bin/
# A volume that is mounted here belongs to who writes it.
COPY --from=build --chown=65532:65532 /out/spool /var/lib/tollkeeper/spool
USER 65532:65532
ENV TOLLKEEPER_LOG_FORMAT=json \
    TOLLKEEPER_SPOOL_DIR=/var/lib/tollkeeper/spool
CMD ["/usr/local/bin/tollkeeper-api"]
