import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLogFile, worthShowing } from './log-file.js';

describe('a log file', () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'latchkey-log-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('gives each finished line once, characters whole', () => {
    const log = openLogFile(join(folder, 'app.log'));
    const [first, second] = [Buffer.from('one\ntwø\nthr').subarray(0, 7), Buffer.from('one\ntwø\nthr').subarray(7)];
    writeSync(log.descriptor, first);
    expect(log.newLines()).toEqual(['one']);
    writeSync(log.descriptor, second);
    expect(log.newLines()).toEqual(['twø']);
    expect(log.newLines()).toEqual([]);
    log.close();
  });

  it('keeps the output of the start before', () => {
    const path = join(folder, 'app.log');
    appendFileSync(path, 'before\n');
    const log = openLogFile(path);
    expect(log.newLines()).toEqual([]);
    expect(readFileSync(`${path}.1`, 'utf8')).toBe('before\n');
    log.close();
  });

  it('does not grow without end, and goes on being written', () => {
    const log = openLogFile(join(folder, 'app.log'));
    writeSync(log.descriptor, Buffer.alloc(21 * 1024 * 1024, 'x\n'));
    log.newLines();
    expect(statSync(log.path).size).toBe(0);
    writeSync(log.descriptor, 'after\n');
    expect(log.newLines()).toEqual(['after']);
    log.close();
  });
});

describe('worthShowing', () => {
  it.each([
    ['{"level":30,"msg":"listening"}', undefined],
    ['{"level":50,"msg":"request failed","err":{"message":"no database"}}', 'request failed: no database'],
    ['{"level":60,"msg":"gone","err":{"message":"gone"}}', 'gone'],
    ['Error: boom', 'Error: boom'],
    ['   ', undefined],
    ['oidc-provider WARNING: this and that', undefined],
    ['{broken', '{broken'],
  ])('%s', (line, shown) => {
    expect(worthShowing(line)).toBe(shown);
  });
});
