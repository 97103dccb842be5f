export { AddressTemplate } from './address.js';
export { ConfigError, loadConfig, port } from './config.js';
export { createLogger, redact, type Logger } from './log.js';
export { stopGracefully } from './stop.js';
