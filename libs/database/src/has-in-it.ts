/** The condition that one of these columns has a parameter, such as `:search`, in it, in capitals or not. */
export function hasInIt(parameter: string, ...columns: string[]): string {
  const small = (text: string) => `lower(${text} COLLATE "und-x-icu")`;
  return `(${columns.map((column) => `strpos(${small(column)}, ${small(`CAST(${parameter} AS text)`)}) > 0`).join(' OR ')})`;
}
