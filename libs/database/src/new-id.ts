import { v7 } from 'uuid';

/** A fresh identifier that sorts by the time it was made (RFC 9562 §5.7), so that indexes grow at one end. */
export const newId = (): string => v7();
