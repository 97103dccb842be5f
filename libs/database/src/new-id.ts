import { v7, validate } from 'uuid';

/** A fresh identifier that sorts by the time it was made (RFC 9562 §5.7), so that indexes grow at one end. */
export const newId = (): string => v7();

/** Whether a text has the form of an identifier. Anything else is the identifier of nothing, and PostgreSQL refuses to look. */
export const isId = (text: string): boolean => validate(text);
