import { readdirSync, readFileSync } from 'node:fs';
import { problems } from '@latchkey/contracts';
import { problemPages } from './problem-pages.js';

describe('the pages about problems', () => {
  it('are exactly the problem types of the catalogue', () => {
    const pages = readdirSync(problemPages).map((name) => name.replace(/\.md$/, ''));
    expect(pages.toSorted()).toEqual(Object.keys(problems).toSorted());
  });

  it.each(Object.entries(problems))('say the title and status of %s, and what to do', (type, { status, title }) => {
    const page = readFileSync(new URL(`${type}.md`, problemPages), 'utf8');
    expect(page).toContain(`# ${title}\n`);
    expect(page).toContain(`\`${type}\`, HTTP ${status}\n`);
    expect(page).toContain('## What to do');
  });
});
