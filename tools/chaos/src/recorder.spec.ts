import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry } from './history.js';
import { readHistory, Recorder } from './recorder.js';

describe('a history', () => {
  const outage: Entry = { type: 'outage', begin: 1, end: 2 };
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'latchkey-history-'))));
  afterEach(() => rm(folder, { recursive: true }));

  it('is read back whole, and while it is written without the line that is half there, wherever that breaks off', async () => {
    const file = join(folder, 'history.ndjson');
    const recorder = new Recorder(file);
    recorder.write(outage);
    recorder.write(outage);
    await recorder.close();
    expect(await readHistory(file)).toEqual([outage, outage]);
    await appendFile(file, '{"type":"fault","on":{}');
    expect(await readHistory(file)).toEqual([outage, outage]);
  });
});
