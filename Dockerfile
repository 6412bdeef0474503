# The operator, the libraries it is linked with and the CAs of the web: no shell, no package manager.
# `make image` builds it where no container engine runs; `docker build .` does elsewhere.
ARG DEBIAN=debian:bookworm-slim
FROM ${DEBIAN} AS build
# The upgrade is for what goes into the image from here: libc, libstdc++, OpenSSL.
RUN apt-get update -q \
    && apt-get upgrade -y -q \
    && apt-get install -y -q --no-install-recommends \
        clang-16 lld-16 cmake ninja-build \
        libboost1.81-dev libssl-dev zlib1g-dev libc-ares-dev libyaml-cpp-dev rapidjson-dev \
        prometheus-cpp-dev libcli11-dev ca-certificates \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY CMakeLists.txt CMakePresets.json ./
COPY controller controller
ARG COMMIT=unknown
RUN cmake --preset release -D BUILD_TESTING=OFF -D OCO_COMMIT="$COMMIT" \
    && cmake --build --preset release --target omni-connection-operator
COPY LICENSE ./
COPY scripts/image_root.sh scripts/
RUN scripts/image_root.sh build/release/bin/omni-connection-operator /image

FROM scratch
COPY --from=build /image /
# By number: Kubernetes can't tell whether a name is root's.
USER 65532:65532
# Metrics; health.
EXPOSE 8080 8081
ENTRYPOINT ["/usr/bin/omni-connection-operator"]
ARG VERSION=0.0.0
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="Omni Connection Operator" \
      org.opencontainers.image.description="Keeps the credentials of Omni connections equal to Kubernetes Secrets" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
