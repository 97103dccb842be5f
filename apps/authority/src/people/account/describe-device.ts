import Bowser from 'bowser';
import type { Look } from '../../pages/layout.js';

/** A browser and its system by what it says of itself, in words: `Firefox on Linux`. Anybody can say anything. */
export function describeDevice({ language }: Look, userAgent: string | null | undefined): string {
  const { device, unknownDevice } = language.texts.account.sessions;
  if (!userAgent) return unknownDevice;
  const { browser, os } = Bowser.parse(userAgent.slice(0, 300));
  return browser.name && os.name ? device(browser.name, os.name) : browser.name || os.name || unknownDevice;
}
