import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeCall } from './api-reference.js';
import { siteAddress } from './config.js';
import { findDeadLinks, findMarkup, pageFiles } from './links.js';
import { groups } from './sidebar.js';

describe('the docs', () => {
  it('have no link that leads nowhere', () => {
    expect(findDeadLinks(pageFiles())).toEqual([]);
  });

  it('notice a link to a file or to a heading that is not there, and markup', () => {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-docs-'));
    mkdirSync(join(folder, 'docs'));
    const text =
      '# A page\n[itself](#a-page) [gone](gone.md) [other](other.md#no-such) `[code](code.md)`\n\n```\n[block](block.md)\n```\nA <name> here, `<code>` there\n{{ braces }}\n';
    writeFileSync(join(folder, 'docs/page.md'), text);
    writeFileSync(join(folder, 'docs/other.md'), '# Other: what it `does`\n[here](#other-what-it-does) [site](/page)\n');
    expect(findDeadLinks(['docs/page.md', 'docs/other.md'], folder)).toEqual([
      'docs/page.md: gone.md leads to docs/gone.md, which is not there',
      'docs/page.md: other.md#no-such names a heading that docs/other.md has not',
    ]);
    expect(findMarkup(['docs/page.md'], folder)).toEqual(['docs/page.md: <name> here,  there', 'docs/page.md: {{ braces }}']);
    rmSync(folder, { recursive: true });
  });

  it('hold no markup that the site would take for its own', () => {
    expect(findMarkup(pageFiles())).toEqual([]);
  });

  it('show every page in the menu, and no page twice', () => {
    const shown = groups.flatMap(({ pages }) => pages);
    const written = pageFiles().map((file) => file.replace(/^docs\/|\.md$/g, '').replace(/\/README$/, ''));
    expect(shown.toSorted()).toEqual(written.filter((page) => page !== 'README' && page !== 'index').toSorted());
  });
});

describe('siteAddress', () => {
  it.each([
    ['../../examples/react/README.md', '/examples/react'],
    ['../examples/dotnet/README.md#x', '/examples/dotnet#x'],
    ['../../docs/guides/odata.md', '/guides/odata.md'],
    ['../README.md', '/quickstart'],
    ['people.md#signing-up', 'people.md#signing-up'],
    ['https://example.com/docs/x', 'https://example.com/docs/x'],
  ])('makes %s %s', (href, address) => {
    expect(siteAddress(href)).toBe(address);
  });
});

describe('describeCall', () => {
  const text = { type: 'string', maxLength: 40 };
  const operation = {
    summary: 'Makes a <thing>',
    tags: ['Things'],
    parameters: [
      { name: 'slug', in: 'path', required: true, schema: { type: 'string' } },
      { name: 'Idempotency-Key', in: 'header', description: 'At most | once', schema: { type: 'string' } },
    ],
    requestBody: {
      content: {
        'application/json': {
          schema: { type: 'object', required: ['name'], properties: { name: text, more: { type: 'integer', minimum: 1 } } },
        },
      },
    },
    responses: {
      '201': {
        description: 'Success',
        content: {
          'application/json': {
            schema: {
              type: 'object',
              properties: { items: { type: 'array', items: { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } } } },
            },
          },
        },
      },
    },
  };

  it('says what a call takes and answers, in words that a page can hold', () => {
    const page = describeCall({ method: 'POST', path: '/v1/{slug}/things', operation });
    expect(page).toContain('## Makes a &lt;thing>');
    expect(page).toContain('POST /v1/{slug}/things');
    expect(page).toContain('| `{slug}` | string |');
    expect(page).toContain('| `Idempotency-Key` | optional, header, string | At most \\| once |');
    expect(page).toContain('| `name` | string, at most 40 characters |');
    expect(page).toContain('| `more` | optional, integer, at least 1 |');
    expect(page).toContain('| `items[].id` | string, uuid |');
    expect(page).toContain('**Answers** 201.');
  });
});
