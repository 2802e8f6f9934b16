# Satchel in a container: Node.js 24, the production dependencies, the sources as they are (there is no build step), and a user of its own.
FROM node:24-slim AS dependencies
WORKDIR /satchel
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:24-slim
WORKDIR /satchel
COPY --from=dependencies /satchel/node_modules ./node_modules
COPY package.json LICENSE satchel.schema.json ./
COPY protocol ./protocol
COPY storage ./storage
COPY indexer ./indexer
COPY server ./server
RUN ln -s /satchel/server/launch.js /usr/local/bin/satchel \
  && mkdir /data && chown node:node /data
USER node
# Ports from 1024 on, so that no right is needed to open them; docker-compose.yml publishes them where clients look.
ENV NODE_ENV=production \
  SATCHEL_DATA_DIR=/data \
  SATCHEL_LISTEN_HTTP=0.0.0.0:8080 \
  SATCHEL_LISTEN_HTTPS=0.0.0.0:8443 \
  SATCHEL_LISTEN_IMAP=0.0.0.0:1143 \
  SATCHEL_LISTEN_IMAPS=0.0.0.0:1993 \
  SATCHEL_LISTEN_SUBMISSION=0.0.0.0:1587 \
  SATCHEL_LISTEN_SUBMISSIONS=0.0.0.0:1465 \
  SATCHEL_LISTEN_LMTP=0.0.0.0:1024 \
  SATCHEL_LISTEN_MANAGESIEVE=0.0.0.0:4190
VOLUME /data
EXPOSE 8080 8443 1143 1993 1587 1465 1024 4190
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "server/launch.js"]
CMD ["serve"]
