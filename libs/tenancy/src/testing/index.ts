export { TestDns } from './dns.js';
