import type { ReactNode } from 'react';
import { Box, Table } from '@mantine/core';

export interface Column<T> {
  title: string;
  cell: (record: T) => ReactNode;
  /** Counts stand below each other by their last digit. */
  count?: boolean;
  /** Of an address, an ID or a hint. */
  exact?: boolean;
  /** How much of the width it takes; without it, what its words need. */
  width?: `${number}%`;
}

export interface RecordsProps<T> {
  label: string;
  columns: Column<T>[];
  records: readonly T[];
  id: (record: T) => string | number;
  /** Of short cells: where it is narrow, they stand behind each other. */
  brief?: boolean;
}

/**
 * A table where there is room for it. Elsewhere, as on a phone, every row is a card, in which each cell stands beside the title of
 * its column: nothing has to be pushed aside to be read. The roles are written out, since CSS that makes a row a card takes them away.
 */
export function Records<T>({ label, columns, records, id, brief = false }: RecordsProps<T>) {
  return (
    <Box className="records" data-brief={brief || undefined}>
      <Table verticalSpacing={6} fz="sm" role="table" aria-label={label}>
        <Table.Thead role="rowgroup">
          <Table.Tr role="row">
            {columns.map(({ title, count, width }) => (
              <Table.Th key={title} role="columnheader" scope="col" ta={count ? 'right' : undefined} w={width}>
                {title}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody role="rowgroup">
          {records.map((record) => (
            <Table.Tr key={id(record)} role="row">
              {columns.map(({ title, cell, count = false, exact = false }) => (
                <Table.Td key={title} role="cell" data-title={title} data-count={count || undefined}>
                  <div className={exact ? 'exact' : undefined}>{cell(record)}</div>
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Box>
  );
}
