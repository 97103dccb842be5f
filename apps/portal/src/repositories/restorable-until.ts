const keptMillis = 30 * 86_400_000;

/** Until when what was deleted can be restored. */
export const restorableUntil = (deletedAt: string): string => new Date(new Date(deletedAt).getTime() + keptMillis).toISOString();
