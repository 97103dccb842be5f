import { readdirSync, readFileSync } from 'node:fs';
import { findProgram } from './redis.ts';

/** The one without windows first: it takes half of the processor time that the other takes. */
const programs = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];

/** Where a Chromium is: the one that CHROMIUM_PATH names, or else one on the PATH. Nothing if there is none. */
export function findChromium(): string | undefined {
  const given = process.env['CHROMIUM_PATH'];
  return given || programs.map(findProgram).find((path) => path !== undefined);
}

/** The end-to-end specs that open a browser, by the names of their files. */
export function browserSpecs(folder = new URL('../../../e2e/src/', import.meta.url)): string[] {
  const specs = readdirSync(folder).filter((name) => name.endsWith('.spec.ts'));
  return specs
    .filter((name) => readFileSync(new URL(name, folder), 'utf8').includes("from './browser.js'"))
    .map((name) => name.replace(/\.ts$/, ''));
}
