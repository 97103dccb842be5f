import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findLicenceFaults, isAllowed } from './licences.ts';

describe('the licence check', () => {
  it.each([
    ['MIT', true],
    ['(MIT OR GPL-3.0-or-later)', true],
    ['(BSD-3-Clause AND Apache-2.0)', true],
    ['MIT AND LGPL-3.0-only', false],
    ['GPL-2.0-only', false],
    ['AGPL-3.0', false],
    ['UNLICENSED', false],
  ])('%s is allowed: %s', (expression, is) => {
    expect(isAllowed(expression)).toBe(is);
  });

  it('catches a planted package, wherever it lies', () => {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-licences-'));
    const plant = (path: string, content: object) => {
      mkdirSync(join(folder, path), { recursive: true });
      writeFileSync(join(folder, path, 'package.json'), JSON.stringify(content));
    };
    plant('fine', { name: 'fine', version: '1.0.0', license: 'MIT' });
    plant('fine/node_modules/@scope/planted', { name: '@scope/planted', version: '1.0.0', license: 'LGPL-3.0-only' });
    plant('silent', { name: 'silent', version: '2.0.0' });
    plant('in-its-read-me', { name: 'in-its-read-me', version: '0.0.2' });
    writeFileSync(join(folder, 'in-its-read-me', 'Readme.md'), '# Says\n\nNot GPL.\n\n## License\n\n  MIT\n');
    expect(findLicenceFaults(folder).sort()).toEqual([
      '@scope/planted 1.0.0 (fine/node_modules/@scope/planted): licence LGPL-3.0-only is not allowed',
      'silent 2.0.0 (silent): licence not named is not allowed',
    ]);
    rmSync(folder, { recursive: true });
  });
});
