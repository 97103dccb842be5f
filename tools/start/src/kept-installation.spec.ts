import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openKeptInstallation } from './kept-installation.js';

const keys = { SECRET_PEPPERS: 'k1:x', KEY_ENCRYPTION_KEYS: 'k1:y' };
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-kept-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('an installation that was never started, or lost a part', () => {
  it('is refused in words', async () => {
    await expect(openKeptInstallation(folder, {})).rejects.toThrow(/^There are no keys in/);
    await expect(openKeptInstallation(folder, keys)).rejects.toThrow(/^There is no database in/);
  });

  it('has no database started for it: without keys.json nobody could log in there', async () => {
    await mkdir(join(folder, 'postgres/cluster'), { recursive: true });
    await expect(openKeptInstallation(folder, keys)).rejects.toThrow(/has a database without its keys\.json/);
    expect([await readdir(folder), await readdir(join(folder, 'postgres'))]).toEqual([['postgres'], ['cluster']]);
  });
});
