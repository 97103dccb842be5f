import { listTrash, readNode } from '@latchkey/content';
import { json } from './answer.js';
import type { Operation } from './operation.js';

/** What the caller may see of the trash, the latest deletion first, with where it was; `$top` and `$skip` part it into pages. */
const getTrash: Operation = {
  name: 'GetTrash',
  isFunction: true,
  run: ({ request, address }) =>
    request.read(async (tx) => {
      await readNode(tx, request.caller, address);
      const size = (name: string) => Number(/^\d{1,7}$/.exec(request.query.get(name) ?? '')?.[0] ?? Number.NaN);
      const [top, skip] = [size('$top'), size('$skip')];
      const entries = await listTrash(tx, request.caller, { ...(top >= 0 ? { top } : {}), ...(skip >= 0 ? { skip } : {}) });
      const results = entries.map(({ node, originalPath, deletedAt, deletedBy }) => ({
        Id: node.id,
        Path: node.path,
        Type: node.type,
        DisplayName: node.fields?.['DisplayName'] ?? null,
        OriginalPath: originalPath,
        DeletionDate: deletedAt.toISOString(),
        DeletedById: deletedBy,
      }));
      return json({ d: { __count: results.length, results } });
    }),
};

export const trashOperations = [getTrash];
