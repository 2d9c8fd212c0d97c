# One image for every program of OpenKCM: the command says which one. A tag names the base exactly.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY . .
# Installs what the lock file names, and builds.
RUN node scripts/build.mjs

FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24.21.0-bookworm-slim
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY docker/health.mjs ./docker/health.mjs
# The only folder that is written; a named volume takes its owner and mode.
RUN install -d -o node -g node -m 0700 /data
ENV KCM_DATA_DIR=/data
USER node
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "docker/health.mjs"]
ENTRYPOINT ["node", "--expose-gc", "--disable-sigusr1", "--enable-source-maps", "--disable-warning=ExperimentalWarning"]
CMD ["dist/apps/standalone/main.js"]
