# One image for all apps: docker-compose.yml says which one a container runs.
FROM node:26-trixie-slim AS build
WORKDIR /app
COPY . .
RUN npm run build && npm prune --omit=dev --omit=optional

FROM node:26-trixie-slim
ENV NODE_ENV=production NODE_OPTIONS=--enable-source-maps
WORKDIR /app
COPY --from=build /app /app
# The account that the image brings. It owns nothing here, so an app cannot change itself.
USER node
CMD ["node", "--print", "'Name a program, for example: node apps/authority/dist/main.js'"]
