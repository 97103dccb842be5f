import { existsSync, readFileSync } from 'node:fs';

const root = new URL('../../../', import.meta.url);
const rows = [...readFileSync(new URL('docs/seeds.md', root), 'utf8').matchAll(/^\| (?!clause|---)(.+) \| `(.+?)`: (.+) \|$/gm)];

describe('the clauses that the product was conceived from', () => {
  it('are all there', () => expect(rows.length).toBeGreaterThan(30));

  it.each(rows.map(([, clause, file, test]) => [clause, file, test] as const))('%s', (_, file = '', test = '') => {
    expect(existsSync(new URL(file, root))).toBe(true);
    expect(readFileSync(new URL(file, root), 'utf8')).toContain(test);
  });
});
