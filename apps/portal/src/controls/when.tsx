const toMinutes = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const toMillis = new Intl.DateTimeFormat(undefined, {
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});

/** A moment in the reader's own time zone and manner. */
export function When({ at, exactly = false }: { at: string; exactly?: boolean }) {
  const date = new Date(at);
  return (
    <time dateTime={at} title={at}>
      {(exactly ? toMillis : toMinutes).format(date)}
    </time>
  );
}
