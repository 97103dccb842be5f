/** The condition that one of these columns has the parameter `search` in it, in capitals or not. */
export function hasInIt(...columns: string[]): string {
  const small = (text: string) => `lower(${text} COLLATE "und-x-icu")`;
  return `(${columns.map((column) => `strpos(${small(column)}, ${small('CAST(:search AS text)')}) > 0`).join(' OR ')})`;
}
