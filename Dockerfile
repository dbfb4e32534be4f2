# One image for every part of the product: `docker run IMAGE api`, gateway, worker, migrate or edge-config.
#
#   docker build -t tchat-calling .
#
# The current LTS; another base is another argument. The build and what is shipped stand on the same one.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# No script of a package runs: what is compiled here needs none.
RUN npm ci --include=dev --ignore-scripts --no-audit --no-fund
COPY . .
# The same command as `make build`: whatever it puts into dist/ is shipped, but for maps that only debuggers read.
RUN npm run build && find dist node_modules/swagger-ui-dist -name '*.map' -delete

FROM ${NODE_IMAGE}
ARG VERSION=dev
LABEL org.opencontainers.image.title="tchat-calling" \
      org.opencontainers.image.description="WebRTC calling and signaling: api, gateway, worker, migrate" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
# What installs packages has no business in what runs.
RUN rm -rf /usr/local/lib/node_modules /usr/local/include /opt/yarn-* \
  /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg
# Volumes that compose puts here begin as this folder is: ours to write.
# Those of the secrets are closed to all but the group of the service that mounts them (postgres 999, coturn 65534, grafana 0).
RUN mkdir -p /config /secrets /made/kept /made/migrate /made/api /made/gateway /made/worker /made/redis \
    /made/postgres /made/coturn /made/grafana \
 && chown -R 1000:1000 /config /secrets /made && chmod 0700 /secrets /made/kept \
 && chgrp 999 /made/postgres && chgrp 65534 /made/coturn && chgrp 0 /made/grafana \
 && chmod 0750 /made/migrate /made/api /made/gateway /made/worker /made/redis /made/postgres /made/coturn /made/grafana
WORKDIR /app
COPY package.json ./
# The processes have their libraries in them; the pages of Swagger UI are files that the API serves.
COPY --from=build /src/node_modules/swagger-ui-dist ./node_modules/swagger-ui-dist
COPY --from=build /src/dist ./dist
COPY docker/start.sh docker/make-secrets.mjs docker/is-ready.mjs ./docker/
# In a container loopback reaches nobody, and the node's name is the container's unless NODE_NAME says otherwise.
ENV NODE_ENV=production \
    BIND_ADDRESS=0.0.0.0
# A number, so that Kubernetes can see that it is not root. Nothing is written: the root file system may be read-only.
USER 1000:1000
EXPOSE 8081 8082 9101 9102 9103
# Asks the probe of whichever part this is; the others say yes.
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["node", "/app/docker/is-ready.mjs"]
ENTRYPOINT ["/app/docker/start.sh"]
CMD ["api"]
