export { startObjectStore, type TestObjectStore } from './object-store.js';
