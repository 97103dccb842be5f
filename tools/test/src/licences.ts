import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root } from './command.ts';

/** Licences that ask nothing of those who run or link the code but to keep the notice. MPL-2.0 asks for its own files. */
const allowed = new Set(
  'MIT MIT-0 ISC 0BSD BSD-2-Clause BSD-3-Clause Apache-2.0 MPL-2.0 BlueOak-1.0.0 Unlicense CC0-1.0 CC-BY-4.0 Python-2.0 Zlib'.split(' '),
);

/** One line for every installed package whose licence is not among the allowed ones, or which names none. */
export function findLicenceFaults(folder = join(root, 'node_modules')): string[] {
  const files = globSync(['**/node_modules/*/package.json', '**/node_modules/@*/*/package.json', '*/package.json', '@*/*/package.json'], {
    cwd: folder,
  });
  const ofOthers = [...new Set(files)].filter((file) => !file.startsWith('@latchkey/'));
  return ofOthers.flatMap((file) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
      name?: string;
      version?: string;
      license?: unknown;
    };
    if (!name || !version) return []; // Not a package but a marker inside one.
    const text = licenceText(license) ?? licenceOfFile(join(folder, dirname(file)));
    return text !== undefined && isAllowed(text)
      ? []
      : [`${name} ${version} (${relative(folder, dirname(join(folder, file)))}): licence ${text ?? 'not named'} is not allowed`];
  });
}

function licenceText(license: unknown): string | undefined {
  if (typeof license === 'string') return license;
  const { type } = (license ?? {}) as { type?: unknown };
  return typeof type === 'string' ? type : undefined;
}

/** Old packages name none and carry the text, or name it in their read-me. */
function licenceOfFile(folder: string): string | undefined {
  const [file] = globSync('{LICENSE,LICENCE,License,license}*', { cwd: folder });
  const text = file ? readFileSync(join(folder, file), 'utf8') : '';
  if (/Permission is hereby granted, free of charge/.test(text)) return 'MIT';
  if (/Redistribution and use in source and binary forms/.test(text)) return 'BSD-3-Clause';
  const [readMe] = globSync('{README,Readme,readme}.*', { cwd: folder });
  return readMe && /^#+ licen[cs]e\s+MIT\s*$/im.test(readFileSync(join(folder, readMe), 'utf8')) ? 'MIT' : undefined;
}

/** An SPDX expression is allowed if one of its alternatives is, and an alternative if all its parts are. */
export function isAllowed(expression: string): boolean {
  const bare = expression.replaceAll(/[()]/g, '');
  return bare.split(' OR ').some((alternative) => alternative.split(' AND ').every((licence) => allowed.has(licence.trim())));
}
