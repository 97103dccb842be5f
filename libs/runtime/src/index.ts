export { AddressTemplate } from './address.js';
export {
  addressTemplate,
  appConfig,
  baseUrl,
  ConfigError,
  dnsServers,
  domainTemplate,
  drainSeconds,
  flag,
  limitsUrl,
  loadConfig,
  newTenants,
  poolSize,
  port,
  trustedProxies,
} from './config.js';
export { domainOfHost, DomainTemplate } from './domain-template.js';
export { keepAliveMillis } from './keep-alive.js';
export { createLogger, redact, type Logger } from './log.js';
export { Counter, exposeMetrics, Gauge, Histogram, measureProcess, metrics } from './metrics.js';
export { nestLogger } from './nest-logger.js';
export { describeFault, fetchOutgoing, post, readDocument, type Post } from './outgoing.js';
export { ownUrl } from './own-url.js';
export { readiness, type Readiness } from './readiness.js';
export { releaseStartMemory } from './release-memory.js';
export { runMain } from './run-main.js';
export { isLeaving, stopGracefully } from './stop.js';
export { Tally } from './tally.js';
